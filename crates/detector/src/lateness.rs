//! How late this member runs its tasks. Lateness shows, before any probe fails, that the member has
//! too little CPU time.

use std::time::Duration;

use kinfolk_core::Instant;

/// The shortest delay that counts as late, 100 ms: far above the delays of a busy machine.
const LATE_MIN: Duration = Duration::from_millis(100);

/// The longest delay that counts, 1 s. With this bound a member counts as late for less than two
/// seconds after a pause of any length.
const LATE_MAX: Duration = Duration::from_secs(1);

/// After this time without further lateness, half of it is forgotten.
const HALF_LIFE: Duration = Duration::from_millis(500);

/// The highest lateness that was seen lately. It decays by half in each 500 ms.
///
/// # Examples
/// ```
/// use kinfolk_core::Instant;
/// use kinfolk_detector::Lateness;
/// use std::time::Duration;
/// let mut lateness = Lateness::default();
/// lateness.observe(Instant::ORIGIN, Duration::from_millis(400));
/// assert!(lateness.is_late(Instant::ORIGIN));
/// let later = Instant::ORIGIN + Duration::from_secs(1);
/// assert_eq!(lateness.at(later), Duration::from_millis(100));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lateness {
    seen: Duration,
    when: Instant,
}

impl Lateness {
    /// A task that was due ran `late` too late, at `now`.
    #[inline]
    pub fn observe(&mut self, now: Instant, late: Duration) {
        if !late.is_zero() && late >= self.at(now) {
            *self = Self { seen: late.min(LATE_MAX), when: now };
        }
    }

    /// How late this member is at `now`: 0 to 1 s.
    #[inline]
    pub fn at(&self, now: Instant) -> Duration {
        if self.seen.is_zero() {
            return Duration::ZERO;
        }
        let half_lives = now.since(self.when).as_secs_f64() / HALF_LIFE.as_secs_f64();
        self.seen.mul_f64(0.5_f64.powf(half_lives))
    }

    /// Whether this member is so late, by 100 ms or more, that it should not judge other members.
    #[inline]
    pub fn is_late(&self, now: Instant) -> bool {
        // The first comparison avoids the power function of `at` where no task was late.
        self.seen >= LATE_MIN && self.at(now) >= LATE_MIN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::ORIGIN + Duration::from_millis(millis)
    }

    fn millis(lateness: Lateness, now: u64) -> u128 {
        lateness.at(at(now)).as_millis()
    }

    #[test]
    fn lateness_halves_every_500_ms() {
        let mut lateness = Lateness::default();
        assert_eq!((millis(lateness, 0), lateness.is_late(at(0))), (0, false));
        lateness.observe(at(0), Duration::from_millis(400));
        assert_eq!((millis(lateness, 0), millis(lateness, 500), millis(lateness, 1_500)), (400, 200, 50));
        lateness.observe(at(500), Duration::from_millis(199));
        assert_eq!(millis(lateness, 1_000), 100, "a smaller lateness changes nothing");
        assert!(lateness.is_late(at(1_000)) && !lateness.is_late(at(1_010)));
        lateness.observe(at(500), Duration::from_millis(201));
        assert_eq!(millis(lateness, 500), 201);
    }

    #[test]
    fn pause_of_any_length_is_soon_forgotten() {
        let mut lateness = Lateness::default();
        lateness.observe(at(0), Duration::from_hours(1));
        assert_eq!(millis(lateness, 0), 1_000);
        assert!(lateness.is_late(at(1_500)) && !lateness.is_late(at(1_700)));
    }

    #[test]
    fn task_on_time_changes_nothing() {
        let mut lateness = Lateness::default();
        lateness.observe(at(700), Duration::ZERO);
        assert_eq!(lateness, Lateness::default());
    }
}
