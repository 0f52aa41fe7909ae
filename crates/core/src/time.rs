//! Time as a plain value. Below the drivers nothing reads a clock: the caller passes the current
//! time.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};

/// A point in time of a monotonic clock: the time since an origin that the clock's owner has
/// chosen, in nanoseconds.
///
/// Only instants of the same clock can be compared, so an instant is never sent to another machine;
/// a duration may be. All arithmetic saturates: time ends 584 years after the origin (2^64 ns).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Instant(u64);

impl Instant {
    /// The clock's origin.
    pub const ORIGIN: Self = Self(0);

    /// The point `elapsed` after the origin.
    pub const fn from_origin(elapsed: Duration) -> Self {
        Self(nanos(elapsed))
    }

    /// The point `nanos` nanoseconds after the origin.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// The time from the origin to this point.
    pub const fn since_origin(self) -> Duration {
        Duration::from_nanos(self.0)
    }

    /// The time from the origin to this point, in nanoseconds.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to this point; zero if `earlier` is later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

const fn nanos(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1_000_000_000).saturating_add(duration.subsec_nanos() as u64)
}

impl Add<Duration> for Instant {
    type Output = Self;
    fn add(self, rhs: Duration) -> Self {
        Self(self.0.saturating_add(nanos(rhs)))
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, rhs: Duration) {
        *self = *self + rhs;
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;
    fn sub(self, rhs: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(rhs)))
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.6}s", self.since_origin().as_secs_f64())
    }
}

/// Serialises a duration as whole milliseconds, under a field name that ends in `_ms`.
pub(crate) fn as_millis<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    // Readers of JSON expect at most 64 bits, so the value saturates at `u64::MAX`.
    serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instant_prints_seconds_since_the_origin() {
        assert_eq!(format!("{:?}", Instant::from_nanos(1_500_000_400)), "1.500000s");
    }

    #[test]
    fn adding_and_subtracting_durations_moves_an_instant() {
        let mut at = Instant::from_nanos(500);
        at += Duration::from_nanos(200);
        assert_eq!((at.as_nanos(), at.since_origin()), (700, Duration::from_nanos(700)));
        let earlier = at - Duration::from_nanos(300);
        assert_eq!((earlier.as_nanos(), at.since(earlier)), (400, Duration::from_nanos(300)));
    }

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        let second = Duration::from_secs(1);
        assert_eq!(Instant::ORIGIN - second, Instant::ORIGIN);
        assert_eq!(Instant::ORIGIN.since(Instant::ORIGIN + second), Duration::ZERO);
        let last = Instant::from_origin(Duration::MAX);
        assert_eq!(last, Instant::from_nanos(u64::MAX));
        assert_eq!(last + second, last);
    }
}
