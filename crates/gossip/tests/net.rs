//! The protocol over real QUIC on loopback, with faults between members where a test wants them.
//!
//! What a test waits for has a generous deadline; no test asserts how long something took.

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
#[path = "net/suspicions.rs"]
mod suspicions;
