//! The transport over real QUIC on the loopback interface, with real handshakes and real time.
//!
//! Time only bounds the waits. No test sleeps for a fixed time to let something happen, and no test
//! asserts a duration.
#![cfg(not(kinfolk_loom))]

mod chains;
mod ending;
mod exchange;
mod failure;
mod identity;
mod limits;
mod pair;
mod path;
mod queue;
mod rotation;
mod spans;
mod streams;
mod support;
