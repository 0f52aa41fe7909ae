//! What this member's wall clock says, and which incarnations it allows. An incarnation begins as
//! the wall clock's time at the start of a member. One that lies more than
//! [`Incarnation::CLOCK_ERROR_MAX`] ahead of our clock is no member's: a member refuses to refute
//! above it. So nobody may believe it of another member either. Else one false claim would remove
//! its subject for good.

use std::collections::BTreeSet;
use std::time::Duration;

use kinfolk_core::{Incarnation, Instant, NodeId};

use crate::interface::output::{RefusedClaim, RefusedJoin};

/// At most this often a refusal is reported: a sender that repeats its claim must not fill the log.
const REPORT_INTERVAL: Duration = Duration::from_mins(1);

/// A clock that goes back by less was only adjusted.
const STEP_MIN: Duration = Duration::from_mins(1);

/// The wall clock as it was last read, and the claims that it made us refuse.
#[derive(Debug)]
pub(super) struct WallClock {
    read_at: Instant,
    read: Incarnation,
    reported_at: Option<Instant>,
    /// How many claims were refused.
    refused: u64,
    /// How many of them had been refused at the last report.
    reported: u64,
    join_reported_at: Option<Instant>,
    /// Members whose known incarnation lies too far ahead since the clock was set back. Any claim
    /// that does not replaces it.
    far_ahead: BTreeSet<NodeId>,
}

impl WallClock {
    /// The clock of a member that starts now with this incarnation.
    pub(super) fn new(now: Instant, started_with: Incarnation) -> Self {
        Self {
            read_at: now,
            read: started_with,
            reported_at: None,
            refused: 0,
            reported: 0,
            join_reported_at: None,
            far_ahead: BTreeSet::new(),
        }
    }

    /// How many claims were refused.
    pub(super) fn refused(&self) -> u64 {
        self.refused
    }

    /// The incarnation that a member would start with now.
    pub(super) fn says(&self, now: Instant) -> Incarnation {
        self.read.later_by(now.since(self.read_at))
    }

    /// Whether what was known of `id` when the clock was set back lay too far ahead.
    pub(super) fn is_far_ahead(&self, id: &NodeId) -> bool {
        !self.far_ahead.is_empty() && self.far_ahead.contains(id)
    }

    /// Counts a refusal. Returns what to report of it, unless the last report is too recent.
    pub(super) fn refuse(&mut self, now: Instant, claim: RefusedClaim) -> Option<RefusedClaim> {
        self.refused += 1;
        if self.reported_at.is_some_and(|last| now.since(last) < REPORT_INTERVAL) {
            return None;
        }
        self.reported_at = Some(now);
        let refused = self.refused - std::mem::replace(&mut self.reported, self.refused);
        Some(RefusedClaim { refused, ..claim })
    }

    /// Returns what to report of a refused join, unless the last report is too recent.
    pub(super) fn refuse_join(&mut self, now: Instant, join: RefusedJoin) -> Option<RefusedJoin> {
        if self.join_reported_at.is_some_and(|last| now.since(last) < REPORT_INTERVAL) {
            return None;
        }
        self.join_reported_at = Some(now);
        Some(join)
    }

    /// The clock was read. Returns what it says, if it was set back.
    pub(super) fn read(&mut self, now: Instant, since_epoch: Duration) -> Option<Incarnation> {
        let before = self.says(now);
        self.read_at = now;
        self.read = Incarnation::at_start(since_epoch, None);
        (before > self.read.later_by(STEP_MIN)).then(|| self.says(now))
    }

    /// The clock was set back, and these members are known by incarnations that lie too far ahead.
    pub(super) fn note_far_ahead(&mut self, members: impl Iterator<Item = NodeId>) {
        self.far_ahead = members.collect();
    }

    /// What is known of `id` is replaced now. Returns whether it lay too far ahead when the clock was set back.
    pub(super) fn end_far_ahead(&mut self, id: &NodeId) -> bool {
        !self.far_ahead.is_empty() && self.far_ahead.remove(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u64) -> Instant {
        Instant::ORIGIN + Duration::from_secs(second)
    }

    #[test]
    fn a_clock_that_goes_back_by_a_minute_is_adjusted_and_by_more_it_is_set_back() {
        for (millis, set_back) in [(940_000, None), (939_999, Some(Incarnation::new(939_999)))] {
            let mut clock = WallClock::new(at(0), Incarnation::new(990_000));
            let found = clock.read(at(10), Duration::from_millis(millis));
            assert_eq!(found, set_back, "10 s after 990 s it says {millis} ms");
            assert_eq!(clock.says(at(11)).get(), millis + 1_000, "it counts in any case");
        }
    }

    #[test]
    fn a_refused_join_is_reported_once_a_minute() {
        let mut clock = WallClock::new(at(0), Incarnation::new(1));
        let from = NodeId::new("a").unwrap();
        let join = RefusedJoin { from, theirs: Incarnation::new(9), ours: Incarnation::new(1) };
        let reported = [0, 59, 60, 61].map(|second| clock.refuse_join(at(second), join.clone()).is_some());
        assert_eq!(reported, [true, false, true, false]);
    }
}
