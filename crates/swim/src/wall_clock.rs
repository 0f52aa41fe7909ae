//! What this member's wall clock says, and which incarnations it allows. An incarnation begins as
//! the wall clock's time at the start of a member. One that lies more than
//! [`Incarnation::CLOCK_ERROR_MAX`] ahead of our clock is no member's: a member refuses to refute
//! above it. So nobody may believe it of another member either. Else one false claim would remove
//! its subject for good.

use std::collections::BTreeSet;
use std::time::Duration;

use kinfolk_core::{Incarnation, Instant, NodeId};

use crate::machine::Machine;
use crate::output::{Output, RefusedClaim, RefusedJoin};

/// At most this often a refusal is reported: a sender that repeats its claim must not fill the log.
const REPORT_INTERVAL: Duration = Duration::from_mins(1);

/// A clock that goes back by less was only adjusted.
const STEP_MIN: Duration = Duration::from_mins(1);

/// The wall clock as it was last read, and the claims that it made us refuse.
#[derive(Debug)]
pub(crate) struct WallClock {
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
    pub(crate) fn new(now: Instant, started_with: Incarnation) -> Self {
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
    pub(crate) fn refused(&self) -> u64 {
        self.refused
    }

    /// The incarnation that a member would start with now.
    pub(crate) fn says(&self, now: Instant) -> Incarnation {
        self.read.later_by(now.since(self.read_at))
    }

    /// Whether what was known of `id` when the clock was set back lay too far ahead.
    pub(crate) fn is_far_ahead(&self, id: &NodeId) -> bool {
        !self.far_ahead.is_empty() && self.far_ahead.contains(id)
    }

    /// Counts a refusal. Returns what to report of it, unless the last report is too recent.
    fn refuse(&mut self, now: Instant, claim: RefusedClaim) -> Option<RefusedClaim> {
        self.refused += 1;
        if self.reported_at.is_some_and(|last| now.since(last) < REPORT_INTERVAL) {
            return None;
        }
        self.reported_at = Some(now);
        let refused = self.refused - std::mem::replace(&mut self.reported, self.refused);
        Some(RefusedClaim { refused, ..claim })
    }

    /// Returns what to report of a refused join, unless the last report is too recent.
    pub(crate) fn refuse_join(&mut self, now: Instant, join: RefusedJoin) -> Option<RefusedJoin> {
        if self.join_reported_at.is_some_and(|last| now.since(last) < REPORT_INTERVAL) {
            return None;
        }
        self.join_reported_at = Some(now);
        Some(join)
    }
}

impl Machine {
    /// The driver has read the wall clock.
    pub(crate) fn on_wall_clock(&mut self, now: Instant, since_epoch: Duration) {
        let before = self.wall_clock.says(now);
        self.wall_clock.read_at = now;
        self.wall_clock.read = Incarnation::at_start(since_epoch, None);
        if before > self.wall_clock.read.later_by(STEP_MIN) {
            self.on_clock_set_back(now);
        }
    }

    /// The wall clock was set back. What was said by the wrong clock would now be refused by every
    /// member whose clock is right, so it must not stand in the way of what is said by the right
    /// one.
    fn on_clock_set_back(&mut self, now: Instant) {
        let clock = self.wall_clock.says(now);
        let snapshot = self.registry.snapshot();
        let far_ahead = snapshot.nodes().iter().filter(|node| !node.incarnation.is_plausible(clock));
        self.wall_clock.far_ahead = far_ahead.map(|node| node.id.clone()).collect();
        if self.wall_clock.far_ahead.remove(&self.me.id) && !self.has_left() {
            self.me.life = clock;
            self.restate(clock);
        }
    }

    /// Whether any claim about `id` replaces what is known, because that still lies too far ahead
    /// since the clock was set back.
    pub(crate) fn gives_way(&mut self, now: Instant, id: &NodeId) -> bool {
        if !self.wall_clock.is_far_ahead(id) {
            return false;
        }
        self.wall_clock.far_ahead.remove(id);
        let clock = self.wall_clock.says(now);
        self.registry.get(id).is_some_and(|known| !known.incarnation.is_plausible(clock))
    }

    /// Whether the claim of `from` that `about` has this incarnation lies too far ahead. Then it is
    /// counted and reported, and must change nothing.
    pub(crate) fn refuses(
        &mut self,
        now: Instant,
        from: &NodeId,
        (about, claimed): (&NodeId, Incarnation),
    ) -> bool {
        let clock = self.wall_clock.says(now);
        if claimed.is_plausible(clock) {
            return false;
        }
        let claim = RefusedClaim { from: from.clone(), about: about.clone(), claimed, clock, refused: 1 };
        if let Some(report) = self.wall_clock.refuse(now, claim) {
            self.output(Output::Refused(report));
        }
        true
    }
}
