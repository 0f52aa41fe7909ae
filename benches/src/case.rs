//! One operation to measure, which can be repeated, and its time over several rounds. The time of
//! its preparation does not count.

use std::fmt;
use std::hint::black_box;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::numbers::{Rounds, Spread};

/// At most this many operations are prepared at a time. So few inputs are still in the cache when
/// the operation uses them.
const PREPARED_MAX: u64 = 64;

/// An operation with a name. It can be repeated.
pub struct Case {
    name: String,
    run: Box<dyn FnMut(u64) -> Duration>,
}

impl Case {
    /// An operation that needs no preparation.
    pub(crate) fn new<T>(name: impl Into<String>, mut act: impl FnMut() -> T + 'static) -> Self {
        let run = move |count: u64| {
            let begun = Instant::now();
            for _ in 0..count {
                // The compiler would otherwise remove an operation whose result is unused.
                black_box(act());
            }
            begun.elapsed()
        };
        Self { name: name.into(), run: Box::new(run) }
    }

    /// An operation `act` on `state`, with an input that `prepare` makes. The time of `prepare`
    /// does not count.
    pub(crate) fn prepared<S: 'static, P, T>(
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
                for input in prepared {
                    black_box(act(&mut state, input));
                }
                time += begun.elapsed();
                left -= share;
            }
            time
        };
        Self { name: name.into(), run: Box::new(run) }
    }

    /// The name: the part, the operation, and the number of members where it matters.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs the operation `count` times. Returns the time of all runs together.
    pub fn run(&mut self, count: u64) -> Duration {
        (self.run)(count)
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The figures of one case.
#[derive(Debug, Clone, Serialize)]
pub struct Cell {
    /// The name of the case.
    pub name: String,
    /// The time of one operation in nanoseconds, over the rounds.
    pub ns: Spread,
}

/// Measures these cases. Each round runs every case once, so that other work of the machine
/// disturbs all cases alike.
pub(crate) fn measure(cases: Vec<Case>, rounds: Rounds) -> Vec<Cell> {
    let mut cases: Vec<(Case, u64)> = cases.into_iter().map(|case| calibrated(case, rounds)).collect();
    let mut measured = vec![Vec::new(); cases.len()];
    for _ in 0..rounds.count {
        for ((case, count), figures) in cases.iter_mut().zip(&mut measured) {
            figures.push(case.run(*count).as_secs_f64() * 1e9 / *count as f64);
        }
    }
    let cell = |((case, _), figures): (&(Case, u64), Vec<f64>)| Cell {
        name: case.name().to_owned(),
        ns: Spread::of(figures),
    };
    cases.iter().zip(measured).map(cell).collect()
}

/// A case, and how often it must run to take about one window. A single run would be shorter than
/// the clock can measure.
fn calibrated(mut case: Case, rounds: Rounds) -> (Case, u64) {
    let mut count = 1;
    while case.run(count) < rounds.window / 2 {
        count *= 2;
    }
    (case, count)
}
