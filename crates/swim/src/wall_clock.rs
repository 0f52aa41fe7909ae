//! What this member's wall clock says, and which incarnations it allows. An incarnation begins as the wall clock's time at
//! the start of a member. One that lies more than [`Incarnation::CLOCK_ERROR_MAX`] ahead of our clock is no member's: a
//! member refuses to refute above it. So nobody may believe it of another member either. Else one false claim would remove
//! its subject for good.

use std::time::Duration;

use kinfolk_core::{Incarnation, Instant, NodeId};

use crate::machine::Machine;
use crate::output::{Output, RefusedClaim};

/// At most this often a refusal is reported: a sender that repeats its claim must not fill the log.
const REPORT_INTERVAL: Duration = Duration::from_mins(1);

/// The wall clock as it was last read, and the claims that it made us refuse.
#[derive(Debug)]
pub(crate) struct WallClock {
    started_at: Instant,
    started_with: Incarnation,
    read_at: Instant,
    read: Incarnation,
    reported_at: Option<Instant>,
    /// How many claims were refused.
    refused: u64,
    /// How many of them had been refused at the last report.
    reported: u64,
}

impl WallClock {
    /// The clock of a member that starts now with this incarnation.
    pub(crate) fn new(now: Instant, started_with: Incarnation) -> Self {
        Self {
            started_at: now,
            started_with,
            read_at: now,
            read: started_with,
            reported_at: None,
            refused: 0,
            reported: 0,
        }
    }

    /// How many claims were refused.
    pub(crate) fn refused(&self) -> u64 {
        self.refused
    }

    /// The incarnation that a member would start with now. A member that remembers its incarnation may start far above a wall
    /// clock that was set back: its memory then is the better clock.
    fn says(&self, now: Instant) -> Incarnation {
        let by_start = self.started_with.later_by(now.since(self.started_at));
        self.read.later_by(now.since(self.read_at)).max(by_start)
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
}

impl Machine {
    /// The driver has read the wall clock.
    pub(crate) fn on_wall_clock(&mut self, now: Instant, since_epoch: Duration) {
        self.wall_clock.read_at = now;
        self.wall_clock.read = Incarnation::at_start(since_epoch, None);
    }

    /// Whether the claim of `from` that `about` has this incarnation lies too far ahead. Then it is counted and reported, and
    /// must change nothing.
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
