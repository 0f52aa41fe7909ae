//! Tests of the program from outside: its output, its files and its exit status. They start real
//! processes on the loopback interface.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod access;
mod agents;
mod api;
mod ca;
mod cluster;
mod commands;
mod config_reload;
mod demo;
mod field_reports;
mod http;
mod operate;
mod process;
mod recipes;
mod reload;
mod revoke;
mod services;
mod start_failures;
mod state_dir;
