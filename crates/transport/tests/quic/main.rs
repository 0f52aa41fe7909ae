//! The transport over real QUIC on the loopback interface, real handshakes and real time. Time is a deadline only:
//! nothing here sleeps and hopes, and nothing asserts how long something took.
#![cfg(not(kinfolk_loom))]

mod ending;
mod exchange;
mod failure;
mod identity;
mod limits;
mod pair;
mod path;
mod queue;
mod spans;
mod streams;
mod support;
