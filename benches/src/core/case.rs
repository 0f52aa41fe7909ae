//! One thing to measure: it does a number of operations and says how long they took, without what prepares them.

use std::fmt;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// How many operations are prepared at a time: few enough that what is prepared is still in the cache.
const PREPARED_MAX: u64 = 64;

/// An operation with a name, repeatable at will.
pub struct Case {
    name: String,
    run: Box<dyn FnMut(u64) -> Duration>,
}

impl Case {
    /// An operation that needs no preparation.
    pub(super) fn new<T>(name: impl Into<String>, mut act: impl FnMut() -> T + 'static) -> Self {
        let run = move |count: u64| {
            let begun = Instant::now();
            for _ in 0..count {
                black_box(act());
            }
            begun.elapsed()
        };
        Self { name: name.into(), run: Box::new(run) }
    }

    /// An operation `act` on `state` with something that `prepare` makes for it, whose time does not count.
    pub(super) fn prepared<S: 'static, P, T>(
        name: impl Into<String>,
        mut state: S,
        mut prepare: impl FnMut(&mut S) -> P + 'static,
        mut act: impl FnMut(&mut S, P) -> T + 'static,
    ) -> Self {
        let run = move |count: u64| {
            let (mut left, mut time) = (count, Duration::ZERO);
            while left > 0 {
                let share = left.min(PREPARED_MAX);
                let prepared: Vec<P> = (0..share).map(|_| prepare(&mut state)).collect();
                let begun = Instant::now();
                for one in prepared {
                    black_box(act(&mut state, one));
                }
                time += begun.elapsed();
                left -= share;
            }
            time
        };
        Self { name: name.into(), run: Box::new(run) }
    }

    /// What it is called: the part, the operation, and the number of members where it matters.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Does the operation `count` times, and says how long that took.
    pub fn run(&mut self, count: u64) -> Duration {
        (self.run)(count)
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case").field("name", &self.name).finish_non_exhaustive()
    }
}
