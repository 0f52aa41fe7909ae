//! The latest round trips to one peer, and their median. A single round trip may contain a pause of
//! a process or a full queue.

use std::time::Duration;

/// The number of round trips that are kept. Two of five may be far off without effect.
const KEPT: usize = 5;

/// A ring of the latest round trips to a peer, in whole microseconds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trips {
    kept: [u32; KEPT],
    added: usize,
}

impl Trips {
    /// Adds a round trip. It replaces the oldest of five.
    pub(crate) fn add(&mut self, round_trip: Duration) {
        let micros = u32::try_from(round_trip.as_micros()).unwrap_or(u32::MAX);
        self.kept[self.added % KEPT] = micros.max(1);
        self.added += 1;
    }

    /// The median in microseconds; of an even number the lower one of the middle, because delays
    /// only lengthen a round trip. `None` while empty.
    pub(crate) fn median(&self) -> Option<f64> {
        let mut sorted = self.kept;
        let sorted = &mut sorted[..self.added.min(KEPT)];
        sorted.sort_unstable();
        let middle = sorted.len().checked_sub(1)? / 2;
        Some(f64::from(sorted[middle]))
    }

    /// Whether there is more than one round trip, so that a single delay does not decide.
    pub(crate) fn are_several(&self) -> bool {
        self.added > 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn median_of(millis: &[u64]) -> Option<f64> {
        let mut trips = Trips::default();
        for &millis in millis {
            trips.add(Duration::from_millis(millis));
        }
        trips.median().map(|micros| micros / 1_000.0)
    }

    #[test]
    fn median_is_the_lower_one_of_the_middle() {
        assert_eq!(median_of(&[]), None);
        let cases: [(&[u64], f64); 5] =
            [(&[7], 7.0), (&[9, 7], 7.0), (&[9, 7, 8], 8.0), (&[9, 6, 7, 8], 7.0), (&[9, 6, 7, 8, 5], 7.0)];
        for (millis, expected) in cases {
            assert_eq!(median_of(millis), Some(expected), "{millis:?}");
        }
    }

    #[test]
    fn sixth_round_trip_replaces_the_first() {
        assert_eq!(median_of(&[1, 1, 1, 9, 9]), Some(1.0));
        assert_eq!(median_of(&[1, 1, 1, 9, 9, 9]), Some(9.0));
    }

    #[test]
    fn two_long_round_trips_of_five_change_nothing() {
        assert_eq!(median_of(&[5, 900, 5, 900, 5]), Some(5.0));
    }

    #[test]
    fn round_trip_below_a_microsecond_counts_as_one() {
        let mut trips = Trips::default();
        trips.add(Duration::from_nanos(1));
        assert_eq!(trips.median(), Some(1.0));
    }
}
