//! The wall clock of this member, and the incarnations that it allows. A member starts with the
//! time of its wall clock as its incarnation. An incarnation more than
//! [`Incarnation::CLOCK_ERROR_MAX`] ahead of this clock is refused: its own member would refuse to
//! refute above it. So one false claim about another member would remove it permanently.

use std::collections::BTreeSet;
use std::time::Duration;

use kinfolk_core::{Incarnation, Instant, NodeId};

use crate::interface::output::{RefusedClaim, RefusedJoin};

/// Refusals are reported at most this often: a sender that repeats its claim must not fill the log.
const REPORT_INTERVAL: Duration = Duration::from_mins(1);

/// A clock that goes back by at most this much was only adjusted.
const STEP_MIN: Duration = Duration::from_mins(1);

/// A clock that differs by at least this much from the expected time has jumped. The clocks of a
/// machine run apart by less than a millisecond between two readings, and a time service steps a
/// clock only if it is wrong by more than 128 ms.
const JUMP_MIN: Duration = Duration::from_secs(1);

/// How often the clock jumped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ClockJumps {
    pub(crate) ahead: u64,
    pub(crate) back: u64,
}

/// The wall clock as it was last read, and the claims that were refused because of it.
#[derive(Debug)]
pub(super) struct WallClock {
    read_at: Instant,
    read: Incarnation,
    /// Whether the clock was read. A member may start with an incarnation that is above its clock.
    was_read: bool,
    jumps: ClockJumps,
    reported_at: Option<Instant>,
    /// The number of refused claims.
    refused: u64,
    /// The value of `refused` at the last report.
    reported: u64,
    join_reported_at: Option<Instant>,
    /// Members whose known incarnation lies too far ahead since the clock was set back. Any claim
    /// with a plausible incarnation replaces it.
    far_ahead: BTreeSet<NodeId>,
}

impl WallClock {
    /// The clock of a member that starts now with this incarnation.
    pub(super) fn new(now: Instant, started_with: Incarnation) -> Self {
        Self {
            read_at: now,
            read: started_with,
            was_read: false,
            jumps: ClockJumps::default(),
            reported_at: None,
            refused: 0,
            reported: 0,
            join_reported_at: None,
            far_ahead: BTreeSet::new(),
        }
    }

    /// The number of refused claims.
    pub(super) fn refused(&self) -> u64 {
        self.refused
    }

    /// How often the clock jumped since the first reading.
    pub(super) fn jumps(&self) -> ClockJumps {
        self.jumps
    }

    /// The incarnation that a member would start with now.
    pub(super) fn incarnation_at(&self, now: Instant) -> Incarnation {
        self.read.later_by(now.since(self.read_at))
    }

    /// Whether the known incarnation of `id` lay too far ahead when the clock was set back.
    pub(super) fn is_far_ahead(&self, id: &NodeId) -> bool {
        self.far_ahead.contains(id)
    }

    /// Counts a refusal. Returns the report, unless the last one is too recent.
    pub(super) fn refuse(&mut self, now: Instant, claim: RefusedClaim) -> Option<RefusedClaim> {
        self.refused += 1;
        if self.reported_at.is_some_and(|last| now.since(last) < REPORT_INTERVAL) {
            return None;
        }
        self.reported_at = Some(now);
        let refused = self.refused - std::mem::replace(&mut self.reported, self.refused);
        Some(RefusedClaim { refused, ..claim })
    }

    /// Returns the report of a refused join, unless the last one is too recent.
    pub(super) fn refuse_join(&mut self, now: Instant, join: RefusedJoin) -> Option<RefusedJoin> {
        if self.join_reported_at.is_some_and(|last| now.since(last) < REPORT_INTERVAL) {
            return None;
        }
        self.join_reported_at = Some(now);
        Some(join)
    }

    /// The clock was read. Returns its incarnation, if it was set back.
    pub(super) fn read(&mut self, now: Instant, since_epoch: Duration) -> Option<Incarnation> {
        let before = self.incarnation_at(now);
        self.read_at = now;
        self.read = Incarnation::at_start(since_epoch, None);
        if std::mem::replace(&mut self.was_read, true) {
            self.jumps.ahead += u64::from(self.read >= before.later_by(JUMP_MIN));
            self.jumps.back += u64::from(before >= self.read.later_by(JUMP_MIN));
        }
        (before > self.read.later_by(STEP_MIN)).then(|| self.incarnation_at(now))
    }

    /// The clock was set back; these members have incarnations that lie too far ahead.
    pub(super) fn note_far_ahead(&mut self, members: impl Iterator<Item = NodeId>) {
        self.far_ahead = members.collect();
    }

    /// A claim replaces what is known of `id` now. Returns whether its incarnation lay too far
    /// ahead when the clock was set back.
    pub(super) fn end_far_ahead(&mut self, id: &NodeId) -> bool {
        self.far_ahead.remove(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u64) -> Instant {
        Instant::ORIGIN + Duration::from_secs(second)
    }

    #[test]
    fn clock_back_by_over_a_minute_is_set_back() {
        for (millis, set_back) in [(940_000, None), (939_999, Some(Incarnation::new(939_999)))] {
            let mut clock = WallClock::new(at(0), Incarnation::new(990_000));
            let found = clock.read(at(10), Duration::from_millis(millis));
            assert_eq!(found, set_back, "10 s after 990 s, the clock reads {millis} ms");
            assert_eq!(clock.incarnation_at(at(11)).get(), millis + 1_000, "the clock goes on in both cases");
        }
    }

    #[test]
    fn jump_of_a_second_is_counted() {
        // After 10 s the clock should read 1,000 s.
        for (millis, ahead, back) in [(1_000_999, 0, 0), (1_001_000, 1, 0), (999_001, 0, 0), (999_000, 0, 1)]
        {
            let mut clock = WallClock::new(at(0), Incarnation::new(1));
            clock.read(at(10), Duration::from_secs(990));
            assert_eq!(clock.jumps(), ClockJumps::default(), "the first reading is no jump");
            clock.read(at(20), Duration::from_millis(millis));
            assert_eq!(clock.jumps(), ClockJumps { ahead, back }, "{millis} ms");
        }
    }

    #[test]
    fn refused_join_is_reported_once_a_minute() {
        let mut clock = WallClock::new(at(0), Incarnation::new(1));
        let from = NodeId::new("a").unwrap();
        let join = RefusedJoin { from, theirs: Incarnation::new(9), ours: Incarnation::new(1) };
        let reported = [0, 59, 60, 61].map(|second| clock.refuse_join(at(second), join.clone()).is_some());
        assert_eq!(reported, [true, false, true, false]);
    }
}
