//! The number by which a member outranks what other members claim about it. Only the member itself
//! raises it.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The version of a member's own statement about itself (SWIM, section 4.2). Incarnations are
/// totally ordered and do not wrap around.
///
/// It starts at the milliseconds since the Unix epoch when the member starts. A restarted member
/// thus outranks its former instance without remembering it. It rises by one with each refutation
/// and with each change of tags or address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Incarnation(u64);

impl Incarnation {
    /// Nothing is known. It is below every incarnation that a member takes.
    pub const ZERO: Self = Self(0);

    /// How far an incarnation may lie ahead of a clock and still be explained by a wrong clock: 24
    /// hours. A claim that lies further ahead is refused, because its subject could not outrank it.
    pub const CLOCK_ERROR_MAX: Duration = Duration::from_hours(24);

    /// Makes an incarnation of its number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The incarnation that a member starts with: `unix_time` in milliseconds. If the former
    /// instance's `persisted` incarnation is as high or higher, the clock went back; then it is one
    /// above that. Never [`ZERO`](Self::ZERO).
    pub fn at_start(unix_time: Duration, persisted: Option<Self>) -> Self {
        let clock = Self(whole_millis(unix_time).max(1));
        persisted.map_or(clock, |former| former.next().max(clock))
    }

    /// The next higher incarnation. The highest one stays what it is: after a wrap-around to 0
    /// every claim would outrank the member.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// Whether a clock can explain this incarnation when this member's clock says `expected`: it
    /// lies at most [`CLOCK_ERROR_MAX`](Self::CLOCK_ERROR_MAX) ahead. Lower incarnations are always
    /// plausible.
    pub fn is_plausible(self, expected: Self) -> bool {
        self.0 <= expected.0.saturating_add(whole_millis(Self::CLOCK_ERROR_MAX))
    }

    /// The incarnation of a member that started `elapsed` later.
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
    fn member_starts_at_clock_or_above_former_instance() {
        assert_eq!(Incarnation::at_start(NOW, None), Incarnation::new(1_000));
        assert_eq!(Incarnation::at_start(NOW, Some(Incarnation::new(10))), Incarnation::new(1_000));
        assert_eq!(Incarnation::at_start(NOW, Some(Incarnation::new(1_000))), Incarnation::new(1_001));
        assert_eq!(Incarnation::at_start(NOW, Some(Incarnation::new(9_000))), Incarnation::new(9_001));
        assert_eq!(Incarnation::at_start(Duration::ZERO, None), Incarnation::new(1));
    }

    #[test]
    fn at_most_one_day_ahead_is_plausible() {
        let expected = Incarnation::new(5);
        let day = 24 * 60 * 60 * 1_000;
        assert!(Incarnation::new(5 + day).is_plausible(expected));
        assert!(!Incarnation::new(5 + day + 1).is_plausible(expected));
        assert!(Incarnation::ZERO.is_plausible(expected));
    }

    #[test]
    fn later_by_adds_whole_milliseconds() {
        let later = Incarnation::new(5).later_by(Duration::from_micros(7_900));
        assert_eq!(
            (later, format!("{later}, {later:?}, {later:>3}")),
            (Incarnation::new(12), "12, i12,  12".into())
        );
    }

    #[test]
    fn highest_incarnation_does_not_wrap_around() {
        assert_eq!(Incarnation::new(u64::MAX).next(), Incarnation::new(u64::MAX));
    }
}
