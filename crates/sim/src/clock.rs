//! The clock of one node, relative to the true time of its world. It may run too fast or too slow,
//! and it may jump.

use std::time::Duration;

use kinfolk_core::Instant;

/// A clock that shows the true time at the origin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Clock {
    /// The moment from which the rate holds, in true time and in this clock's time.
    since: (Instant, Instant),
    /// The clock's seconds in one true second. `None` for a steady clock, which is then exact to
    /// the nanosecond, because no rounding happens.
    rate: Option<f64>,
}

impl Clock {
    /// The allowed rates.
    const RATES: std::ops::RangeInclusive<f64> = 0.1..=10.0;

    /// What this clock shows at a true time.
    pub(crate) fn shows(&self, now: Instant) -> Instant {
        let (then, shown) = self.since;
        let passed = now.since(then);
        shown + self.rate.map_or(passed, |rate| passed.mul_f64(rate))
    }

    /// The true time at which this clock shows `at`, or slightly later. It is never too early: a
    /// timer that fires early would find nothing due.
    pub(crate) fn when(&self, at: Instant) -> Instant {
        let (then, shown) = self.since;
        let wait = at.since(shown);
        // Rounding loses less than a microsecond at any allowed rate, so one microsecond more is
        // enough.
        then + self.rate.map_or(wait, |rate| wait.div_f64(rate) + Duration::from_micros(1))
    }

    /// Sets the rate from `now` on.
    pub(crate) fn set_rate(&mut self, now: Instant, rate: f64) {
        assert!(Self::RATES.contains(&rate), "the rate of a clock is {rate}; it must be 0.1 to 10");
        let rate = ((rate - 1.0).abs() > f64::EPSILON).then_some(rate);
        *self = Self { since: (now, self.shows(now)), rate };
    }

    /// Moves the clock forward at `now`.
    pub(crate) fn jump(&mut self, now: Instant, by: Duration) {
        self.since = (now, self.shows(now) + by);
    }

    /// Whether the clock runs at the true rate.
    pub(crate) fn is_steady(&self) -> bool {
        self.rate.is_none()
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self { since: (Instant::ORIGIN, Instant::ORIGIN), rate: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::ORIGIN + Duration::from_secs(seconds)
    }

    #[test]
    fn clock_keeps_drift_after_rate_returns_to_one() {
        let mut clock = Clock::default();
        assert_eq!(clock.shows(at(10)), at(10));
        clock.set_rate(at(10), 2.0);
        assert_eq!((clock.shows(at(10)), clock.shows(at(20))), (at(10), at(30)));
        clock.set_rate(at(20), 1.0);
        assert_eq!(clock.shows(at(25)), at(35));
        clock.jump(at(25), Duration::from_secs(100));
        assert_eq!((clock.shows(at(25)), clock.when(at(140))), (at(135), at(30)));
    }

    #[test]
    fn due_time_is_never_too_early() {
        for rate in [0.1, 0.333_333_3, 0.999, 1.0, 1.001, 3.3, 10.0] {
            let mut clock = Clock::default();
            clock.set_rate(at(3), rate);
            for nanos in (0..1_000_000_000_000).step_by(1_234_567_891) {
                let due = at(3) + Duration::from_nanos(nanos);
                assert!(clock.shows(clock.when(due)) >= due, "rate {rate}, {nanos} ns");
            }
        }
    }
}
