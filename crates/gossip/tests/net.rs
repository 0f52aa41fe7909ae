//! The protocol over real QUIC on loopback. A test can inject faults between members.
//!
//! Each wait has a generous deadline. No test asserts how long something took, because a loaded
//! machine would make such a test fail.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

#[path = "net/fixture.rs"]
mod fixture;

#[path = "net/dissemination.rs"]
mod dissemination;
#[path = "net/errors.rs"]
mod errors;
#[path = "net/partitions.rs"]
mod partitions;
#[path = "net/probes.rs"]
mod probes;
#[path = "net/signed.rs"]
mod signed;
#[path = "net/suspicions.rs"]
mod suspicions;
#[path = "net/versions.rs"]
mod versions;
