//! Another process has our name: it uses the same certificate. Each of the two outranks the other's statement, for as long
//! as both run; a former instance of ours is outranked by one statement. What other members see of it is in
//! `report/address_moves.rs`.

use std::time::Duration;

use kinfolk_core::Instant;

/// How often this member outranks another process of its name. Without a bound the two would answer each other for ever.
const CONTEND_INTERVAL: Duration = Duration::from_secs(10);
/// How often a conflict that goes on is reported.
const REPORT_INTERVAL: Duration = Duration::from_mins(1);

/// When we last outranked another process of our name, and told of it.
#[derive(Debug, Default)]
pub(super) struct Contention {
    /// When this member last outranked another process of its name.
    contended_at: Option<Instant>,
    /// When its application last received an event of that.
    reported_at: Option<Instant>,
    /// How often it did so since.
    unreported: u64,
}

impl Contention {
    /// Whether this member may outrank another process of its name now.
    pub(super) fn may_contend(&mut self, now: Instant) -> bool {
        if self.contended_at.is_some_and(|last| now.since(last) < CONTEND_INTERVAL) {
            return false;
        }
        self.contended_at = Some(now);
        self.unreported += 1;
        true
    }

    /// The number of conflicts to report now, if it is time.
    pub(super) fn report(&mut self, now: Instant) -> Option<u64> {
        if self.reported_at.is_some_and(|last| now.since(last) < REPORT_INTERVAL) {
            return None;
        }
        self.reported_at = Some(now);
        Some(std::mem::take(&mut self.unreported))
    }
}
