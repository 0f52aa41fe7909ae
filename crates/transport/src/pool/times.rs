//! The histogram of dial times, with fixed buckets: its cost is constant, and a metrics page can
//! show it.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// The upper bounds of the buckets in milliseconds. One more bucket holds all longer times.
const BOUNDS_MS: [u64; 12] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000];

const BUCKETS: usize = BOUNDS_MS.len() + 1;

/// How long successful dials took, from the first caller's request to the confirmed handshake.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DialTimes([u64; BUCKETS]);

impl DialTimes {
    /// The buckets in order: the upper bound (none for the last bucket), and the number of dials.
    pub fn buckets(&self) -> impl Iterator<Item = (Option<Duration>, u64)> {
        let bounds = BOUNDS_MS.into_iter().map(|millis| Some(Duration::from_millis(millis)));
        bounds.chain([None]).zip(self.0)
    }

    /// The number of dials.
    pub fn count(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The lowest bound under which at least `share` (0 to 1) of the dials lie. None without dials,
    /// or above the last bound.
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        let wanted = share * self.count() as f64;
        let mut seen = 0;
        let mut reached = self.buckets().filter(|(_, count)| {
            seen += count;
            seen > 0 && seen as f64 >= wanted
        });
        reached.next()?.0
    }
}

/// The counters behind [`DialTimes`].
#[derive(Debug, Default)]
pub(super) struct Times([AtomicU64; BUCKETS]);

impl Times {
    pub(super) fn count(&self, took: Duration) {
        let bucket = BOUNDS_MS.partition_point(|bound| Duration::from_millis(*bound) < took);
        self.0[bucket].fetch_add(1, Relaxed);
    }

    pub(super) fn read(&self) -> DialTimes {
        DialTimes(std::array::from_fn(|at| self.0[at].load(Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_at_a_bound_counts_below_it() {
        let times = Times::default();
        let bound = Duration::from_millis(5);
        for took in [bound, bound + Duration::from_nanos(1), Duration::ZERO, Duration::from_secs(9)] {
            times.count(took);
        }
        let counts: Vec<u64> = times.read().buckets().map(|(_, count)| count).collect();
        assert_eq!(counts, [1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    }

    #[test]
    fn quantile_is_the_lowest_sufficient_bound() {
        let times = Times::default();
        assert_eq!(times.read().quantile(0.5), None);
        for _ in 0..9 {
            times.count(Duration::from_micros(800));
        }
        times.count(Duration::from_millis(40));
        let read = times.read();
        assert_eq!((read.count(), read.quantile(0.5)), (10, Some(Duration::from_millis(1))));
        assert_eq!(read.quantile(0.9), Some(Duration::from_millis(1)));
        assert_eq!(read.quantile(0.91), Some(Duration::from_millis(50)));
        times.count(Duration::from_mins(1));
        assert_eq!(times.read().quantile(1.0), None, "above the last bound");
    }
}
