//! The histogram of round trips, with fixed buckets: its size, and the cost of a sample, are
//! constant.

use std::time::Duration;

/// The upper bounds of the buckets in microseconds. One more bucket holds all longer times. They
/// begin far below a round trip in one data centre, and end at the longest time that a late answer
/// is waited for by default (5 s).
const BOUNDS_MICROS: [u64; 14] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    5_000_000,
];

const BUCKETS: usize = BOUNDS_MICROS.len() + 1;

/// How long probes took until their answer: a histogram and the sum of all times.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RoundTrips {
    counts: [u64; BUCKETS],
    sum: Duration,
}

impl RoundTrips {
    pub(crate) fn add(&mut self, took: Duration) {
        let bucket = BOUNDS_MICROS.partition_point(|bound| Duration::from_micros(*bound) < took);
        self.counts[bucket] += 1;
        self.sum = self.sum.saturating_add(took);
    }

    /// The buckets in order: the upper bound (none for the last bucket), and the number of round
    /// trips in this bucket alone.
    pub fn buckets(&self) -> impl Iterator<Item = (Option<Duration>, u64)> {
        let bounds = BOUNDS_MICROS.into_iter().map(|micros| Some(Duration::from_micros(micros)));
        bounds.chain([None]).zip(self.counts)
    }

    /// The number of round trips.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The sum of all round trips.
    pub fn sum(&self) -> Duration {
        self.sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_at_a_bound_counts_below_it() {
        let mut trips = RoundTrips::default();
        let bound = Duration::from_micros(250);
        for took in [bound, bound + Duration::from_nanos(1), Duration::ZERO, Duration::from_secs(9)] {
            trips.add(took);
        }
        let counts: Vec<u64> = trips.buckets().map(|(_, count)| count).collect();
        assert_eq!(counts, [1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!((trips.count(), trips.sum()), (4, Duration::from_nanos(9_000_500_001)));
        assert_eq!(trips.buckets().last(), Some((None, 1)));
    }
}
