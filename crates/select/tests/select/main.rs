//! Strategies, placement of keys, pools and ejection, through the public interface.

#![expect(clippy::unwrap_used, reason = "a test that cannot continue should say where")]

mod distribution;
mod ejection;
mod keys;
mod pools;
mod support;
