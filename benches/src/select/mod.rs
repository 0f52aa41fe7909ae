//! Choosing an instance of a service: nanoseconds and allocations of each strategy, for 10 to 10,000
//! instances. No I/O, one thread.

mod cases;
mod report;

pub use cases::cases;
pub use report::{FULL, QUICK, Report};

/// The numbers of instances that are measured.
pub const INSTANCES: [usize; 4] = [10, 100, 1_000, 10_000];
