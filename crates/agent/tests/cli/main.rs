//! The program from outside: what it writes, says and ends with. Real processes, real files, loopback only.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod agents;
mod ca;
mod demo;
mod faults;
mod field_reports;
mod memory;
mod operate;
mod process;
mod town;
