//! Strategies, placement of keys, pools and ejection, through the public interface.

mod distribution;
mod ejection;
mod keys;
mod pools;
mod support;
