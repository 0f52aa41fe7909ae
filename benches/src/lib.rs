//! What the benchmarks have in common: the things that are measured and the loops that measure them. The program
//! `kinfolk-bench` (run by `cargo xtask bench`) compares variants within one run and prints ratios; the criterion
//! benchmarks in `benches/` follow the same code over time.
//!
//! Nothing here asserts anything: a benchmark reports, and whoever reads the report judges.

pub mod case;
pub mod cluster;
pub mod core;
pub mod host;
mod numbers;
pub mod pool;
pub mod select;

pub use numbers::{Rounds, Spread};
