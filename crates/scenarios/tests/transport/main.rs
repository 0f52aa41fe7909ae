//! Tests of the transport over simulated QUIC in virtual time. Each scenario has a file of its own.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod peers;
mod pool;
mod repeatable;
mod round_trips;
mod storm;
