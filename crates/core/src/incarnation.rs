//! How a member outranks what others say of it: a number that only the member itself raises.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The version of a member's own word about itself (SWIM, section 4.2): a plain total order, without wrap-around.
///
/// It starts at the milliseconds since the Unix epoch when the member starts, so that a restarted member outranks its
/// former life without remembering it, and rises by one with each refutation and each change of tags or address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Incarnation(u64);

impl Incarnation {
    /// Below every incarnation that a member ever takes: "nothing is known".
    pub const ZERO: Self = Self(0);

    /// How far ahead of a clock an incarnation may lie and still be explained by a wrong clock: 24 hours.
    pub const CLOCK_ERROR_MAX: Duration = Duration::from_hours(24);

    /// The incarnation of this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The incarnation that a member starts with: `unix_time` in milliseconds, or one above the `persisted` one of its
    /// former life where that is larger (the clock went back). Never [`ZERO`](Self::ZERO).
    pub fn at_start(unix_time: Duration, persisted: Option<Self>) -> Self {
        let clock = Self(whole_millis(unix_time).max(1));
        persisted.map_or(clock, |former| former.next().max(clock))
    }

    /// One above this one; the highest stays what it is.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// Whether an honest clock could have led to this incarnation while ours says `expected`: it lies at most
    /// [`CLOCK_ERROR_MAX`](Self::CLOCK_ERROR_MAX) ahead. Lower ones are always plausible.
    pub fn is_plausible(self, expected: Self) -> bool {
        self.0 <= expected.0.saturating_add(whole_millis(Self::CLOCK_ERROR_MAX))
    }

    /// What this incarnation would be if it had started `elapsed` later.
    #[must_use]
    pub fn later_by(self, elapsed: Duration) -> Self {
        Self(self.0.saturating_add(whole_millis(elapsed)))
    }
}

fn whole_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "i{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1);

    #[test]
    fn a_member_starts_at_its_clock_or_above_its_former_life() {
        assert_eq!(Incarnation::at_start(NOW, None), Incarnation::new(1_000));
        assert_eq!(Incarnation::at_start(NOW, Some(Incarnation::new(10))), Incarnation::new(1_000));
        assert_eq!(Incarnation::at_start(NOW, Some(Incarnation::new(1_000))), Incarnation::new(1_001));
        assert_eq!(Incarnation::at_start(NOW, Some(Incarnation::new(9_000))), Incarnation::new(9_001));
        assert_eq!(Incarnation::at_start(Duration::ZERO, None), Incarnation::new(1));
    }

    #[test]
    fn a_day_ahead_is_plausible_and_a_millisecond_more_is_not() {
        let expected = Incarnation::new(5);
        let day = 24 * 60 * 60 * 1_000;
        assert!(Incarnation::new(5 + day).is_plausible(expected));
        assert!(!Incarnation::new(5 + day + 1).is_plausible(expected));
        assert!(Incarnation::ZERO.is_plausible(expected));
    }

    #[test]
    fn time_makes_it_later_by_milliseconds() {
        let later = Incarnation::new(5).later_by(Duration::from_micros(7_900));
        assert_eq!(
            (later, format!("{later}, {later:?}, {later:>3}")),
            (Incarnation::new(12), "12, i12,  12".into())
        );
    }

    #[test]
    fn the_highest_incarnation_does_not_wrap_around() {
        assert_eq!(Incarnation::new(u64::MAX).next(), Incarnation::new(u64::MAX));
    }
}
