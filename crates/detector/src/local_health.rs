//! Lifeguard's local health: how far this member should doubt itself before it accuses other
//! members. This type only counts. The protocol machine decides when to count up or down.

use std::time::Duration;

/// The counter of Lifeguard's local-health-aware probe (arXiv 1707.00788, section IV-A): 0 is
/// healthy, `max` is the worst.
///
/// A successful probe lowers the counter by one. A failed probe, a missed nack and a suspicion that
/// had to be refuted raise it. Probe interval and probe time-out are multiplied by the counter plus
/// one. So a member that is short of CPU time or network waits longer before it accuses another.
///
/// # Examples
/// ```
/// use kinfolk_detector::LocalHealth;
/// use std::time::Duration;
/// let mut health = LocalHealth::default();
/// health.raise(2);
/// assert_eq!(health.scale(Duration::from_millis(500)), Duration::from_millis(1_500));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalHealth {
    score: u32,
    max: u32,
}

impl LocalHealth {
    /// The highest score by default, the paper's `S`: time-outs grow to at most nine times their
    /// base.
    pub const MAX_DEFAULT: u32 = 8;

    /// A healthy member whose score is at most `max`. With 0 nothing is ever scaled, as in plain
    /// SWIM.
    pub const fn new(max: u32) -> Self {
        Self { score: 0, max }
    }

    /// The score, from 0 (healthy) to [`max`](Self::max).
    pub const fn score(&self) -> u32 {
        self.score
    }

    /// The highest score.
    pub const fn max(&self) -> u32 {
        self.max
    }

    /// Counts signs that this member has a problem. The score stays at `max` once it is there.
    pub fn raise(&mut self, by: u32) {
        self.score = self.score.saturating_add(by).min(self.max);
    }

    /// Counts one sign that this member is healthy. The score stays at 0 once it is there.
    pub fn lower(&mut self) {
        self.score = self.score.saturating_sub(1);
    }

    /// `base * (score + 1)`, saturating.
    pub fn scale(&self, base: Duration) -> Duration {
        base.saturating_mul(self.score.saturating_add(1))
    }
}

impl Default for LocalHealth {
    fn default() -> Self {
        Self::new(Self::MAX_DEFAULT)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn score_stays_between_zero_and_maximum() {
        let mut health = LocalHealth::new(2);
        health.lower();
        assert_eq!(health.score(), 0);
        health.raise(1);
        assert_eq!(health.score(), 1);
        health.raise(1);
        assert_eq!(health.score(), 2);
        health.raise(1);
        assert_eq!(health.score(), 2);
        health.raise(u32::MAX);
        health.lower();
        assert_eq!(health.score(), 1);
    }

    #[test]
    fn default_scales_from_once_to_nine_times() {
        let mut health = LocalHealth::default();
        assert_eq!(health.scale(SECOND), SECOND);
        for expected in [2, 3, 4, 5, 6, 7, 8, 9, 9] {
            health.raise(1);
            assert_eq!(health.scale(SECOND), SECOND * expected);
        }
    }

    #[test]
    fn maximum_of_zero_never_scales() {
        let mut health = LocalHealth::new(0);
        health.raise(5);
        assert_eq!(health.scale(SECOND), SECOND);
    }

    proptest! {
        #[test]
        fn no_sequence_of_counts_leaves_the_range(max: u32, steps in prop::collection::vec(any::<Option<u32>>(), 0..50)) {
            let mut health = LocalHealth::new(max);
            for step in steps {
                match step {
                    Some(by) => health.raise(by),
                    None => health.lower(),
                }
                prop_assert!(health.score() <= max);
                prop_assert_eq!(health.scale(Duration::from_nanos(1)).as_nanos(), u128::from(health.score().saturating_add(1)));
                prop_assert!(health.scale(Duration::MAX) == Duration::MAX);
            }
        }
    }
}
