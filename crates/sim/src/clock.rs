//! The clock of one node against the true time of its world: it may run too fast or too slow, and leap.

use std::time::Duration;

use kinfolk_core::Instant;

/// A clock that was right at the origin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Clock {
    /// A moment in true time and in this clock's, since when the rate holds.
    since: (Instant, Instant),
    /// Its seconds in a true one; `None` for a clock that runs as it should, which is then right to the nanosecond.
    rate: Option<f64>,
}

impl Clock {
    /// How fast or slow a clock may run.
    const RATES: std::ops::RangeInclusive<f64> = 0.1..=10.0;

    /// What this clock shows at a true time.
    pub(crate) fn shows(&self, now: Instant) -> Instant {
        let (then, shown) = self.since;
        let passed = now.since(then);
        shown + self.rate.map_or(passed, |rate| passed.mul_f64(rate))
    }

    /// The true time by which this clock shows `at`; never too early.
    pub(crate) fn when(&self, at: Instant) -> Instant {
        let (then, shown) = self.since;
        let wait = at.since(shown);
        // What rounding loses is less than a microsecond at any rate.
        then + self.rate.map_or(wait, |rate| wait.div_f64(rate) + Duration::from_micros(1))
    }

    /// From `now` on it runs at this rate.
    pub(crate) fn set_rate(&mut self, now: Instant, rate: f64) {
        assert!(
            Self::RATES.contains(&rate),
            "a clock runs at a tenth to ten times the true rate, not {rate}"
        );
        let rate = ((rate - 1.0).abs() > f64::EPSILON).then_some(rate);
        *self = Self { since: (now, self.shows(now)), rate };
    }

    /// At `now` it leaps ahead.
    pub(crate) fn jump(&mut self, now: Instant, by: Duration) {
        self.since = (now, self.shows(now) + by);
    }

    /// Whether it runs as it should.
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
    fn a_clock_drifts_from_now_on_and_keeps_what_it_has_gained() {
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
    fn what_is_due_is_never_found_too_early() {
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
