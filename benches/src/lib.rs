//! The code that the benchmarks share: the measured operations, and the loops that measure them.
//!
//! `cargo xtask bench` runs the programs `kinfolk-bench` and `kinfolk-bench-select`.
//! `kinfolk-bench-metrics` runs by itself. They compare
//! variants within one run and print ratios. The criterion benchmarks in `benches/` follow the same
//! code over time.
//!
//! A benchmark never fails because of a figure: it reports, and the reader of the report judges.

pub mod case;
pub mod cluster;
pub mod core;
pub mod host;
mod numbers;
pub mod pool;
pub mod select;

pub use numbers::{Rounds, Spread};
