//! When to warn of the end of a certificate. Pure: a time and a certificate's validity in, at most
//! one notice out.
//!
//! ```text
//!   valid from ─────────────── 30 d ──── 7 d ── 1 d ── valid until ── 1 h ── 1 h ── ...
//!                              warning   warning  warning    error      error   error
//! ```
//!
//! A certificate of a short life is warned of by a share of it: when a third, a tenth, and a
//! thirtieth of its life is left. Of both the later time counts.

use std::time::Duration;

const DAY: Duration = Duration::from_hours(24);

/// The warnings: the time before the end, and the share of the life (one divided by it).
const WARNINGS: [(Duration, u32); 3] = [(DAY.saturating_mul(30), 3), (DAY.saturating_mul(7), 10), (DAY, 30)];

/// The time between two errors after the end.
const REPEATED_EVERY: Duration = Duration::from_hours(1);

/// Something to say about the certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notice {
    /// It ends after this time.
    Expires { left: Duration },
    /// It ended this time ago.
    Expired { since: Duration },
}

/// What was said about one certificate.
#[derive(Debug, Clone)]
pub(crate) struct Schedule {
    from: Duration,
    until: Duration,
    /// The number of warnings that are behind.
    warned: usize,
    /// When the last error was given, as the time since the Unix epoch.
    failed_at: Option<Duration>,
}

impl Schedule {
    /// For a certificate that is valid from and until these seconds since the Unix epoch.
    pub(crate) fn new((from, until): (i64, i64)) -> Self {
        let since_epoch = |seconds: i64| Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
        let (from, until) = (since_epoch(from), since_epoch(until));
        Self { from, until, warned: 0, failed_at: None }
    }

    /// What to say at this time since the Unix epoch. Of several warnings that are due, as after a
    /// start, only the last one counts. A clock that is set back repeats nothing.
    pub(crate) fn look(&mut self, now: Duration) -> Option<Notice> {
        // The last second of the validity is included.
        let end = self.until + Duration::from_secs(1);
        let Some(left) = end.checked_sub(now).filter(|left| !left.is_zero()) else {
            return self.failed(now, now.saturating_sub(end));
        };
        let due = WARNINGS.iter().filter(|warning| left <= self.before_end(**warning)).count();
        let is_new = due > self.warned;
        self.warned = self.warned.max(due);
        is_new.then_some(Notice::Expires { left })
    }

    fn failed(&mut self, now: Duration, since: Duration) -> Option<Notice> {
        let is_due = self.failed_at.is_none_or(|at| now.saturating_sub(at) >= REPEATED_EVERY);
        if is_due {
            self.failed_at = Some(now);
        }
        is_due.then_some(Notice::Expired { since })
    }

    fn before_end(&self, (time, share): (Duration, u32)) -> Duration {
        time.min(self.until.saturating_sub(self.from) / share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Duration = Duration::from_secs(1_790_000_000);

    fn schedule(life: Duration) -> Schedule {
        let (from, until) = (START.as_secs(), (START + life).as_secs());
        Schedule::new((from.try_into().unwrap(), until.try_into().unwrap()))
    }

    /// The notices of a certificate of this life, looked at each `step` until `end` after its
    /// start: hours before (or, negative, after) its end.
    fn notices(life: Duration, step: Duration, end: Duration) -> Vec<f64> {
        let (mut schedule, mut now, mut said) = (schedule(life), START, Vec::new());
        while now <= START + end {
            match schedule.look(now) {
                Some(Notice::Expires { left }) => said.push(left.as_secs_f64() / 3_600.0),
                Some(Notice::Expired { since }) => said.push(-since.as_secs_f64() / 3_600.0),
                None => {}
            }
            now += step;
        }
        said.iter().map(|hours| (hours * 10.0).round() / 10.0).collect()
    }

    #[test]
    fn year_is_warned_of_30_7_and_1_days_before() {
        let (life, step) = (DAY * 365, Duration::from_mins(1));
        let said = notices(life, step, life + Duration::from_mins(150));
        assert_eq!(said, [720.0, 168.0, 24.0, -0.0, -1.0, -2.0]);
    }

    #[test]
    fn short_life_is_warned_of_by_its_share() {
        let said = notices(DAY, Duration::from_secs(10), DAY + Duration::from_mins(30));
        assert_eq!(said, [8.0, 2.4, 0.8, -0.0]);
        // The share of a week is shorter than 7 days and than 1 day.
        let said = notices(DAY * 7, Duration::from_secs(10), DAY * 7);
        assert_eq!(said, [56.0, 16.8, 5.6]);
    }

    #[test]
    fn start_shortly_before_the_end_warns_once() {
        let mut schedule = schedule(DAY * 365);
        let now = START + DAY * 364 + DAY / 2;
        assert!(matches!(schedule.look(now), Some(Notice::Expires { left }) if left > DAY / 2));
        assert_eq!(schedule.look(now + Duration::from_secs(1)), None);
    }

    #[test]
    fn last_second_of_the_validity_is_no_error() {
        let mut schedule = schedule(DAY);
        assert!(matches!(schedule.look(START + DAY), Some(Notice::Expires { .. })));
        let after = START + DAY + Duration::from_secs(1);
        assert_eq!(schedule.look(after), Some(Notice::Expired { since: Duration::ZERO }));
    }

    #[test]
    fn clock_that_is_set_back_repeats_no_warning() {
        let mut schedule = schedule(DAY * 365);
        assert!(schedule.look(START + DAY * 359).is_some());
        assert_eq!(schedule.look(START + DAY * 100), None);
        assert_eq!(schedule.look(START + DAY * 359), None);
        assert!(schedule.look(START + DAY * 365).is_some());
    }

    #[test]
    fn certificate_of_the_epoch_has_expired() {
        let mut schedule = Schedule::new((i64::MIN, -1));
        assert!(matches!(schedule.look(START), Some(Notice::Expired { .. })));
    }
}
