//! The transport over simulated QUIC in virtual time: each scenario in a file of its own.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod peers;
mod pool;
mod repeatable;
mod storm;
