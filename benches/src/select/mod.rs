//! Measures the choice of a service's instance: nanoseconds and allocations of each strategy, with
//! 10 to 10,000 instances. No I/O, one thread.

mod cases;
mod report;

pub use cases::cases;
pub use report::{FULL, QUICK, Report};

/// The measured numbers of instances.
pub const INSTANCES: [usize; 4] = [10, 100, 1_000, 10_000];
