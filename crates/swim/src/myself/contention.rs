//! Another process uses the name of this member, with the same certificate. While both run, each
//! outranks the statement of the other. A former instance differs: one statement outranks it. How
//! other members see the conflict is in `report/address_moves.rs`.

use std::time::Duration;

use kinfolk_core::Instant;

/// This member outranks another process of its name at most this often. Without a bound the two
/// would answer each other all the time.
const CONTEND_INTERVAL: Duration = Duration::from_secs(10);
/// A conflict that continues is reported at most this often.
const REPORT_INTERVAL: Duration = Duration::from_mins(1);

/// When this member last outranked another process of its name, and reported that.
#[derive(Debug, Default)]
pub(super) struct Contention {
    /// When this member last outranked another process of its name.
    contended_at: Option<Instant>,
    /// When the application last received an event about it.
    reported_at: Option<Instant>,
    /// How often this member outranked the other process since then.
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

    /// The number of conflicts to report, if a report is due.
    pub(super) fn report(&mut self, now: Instant) -> Option<u64> {
        if self.reported_at.is_some_and(|last| now.since(last) < REPORT_INTERVAL) {
            return None;
        }
        self.reported_at = Some(now);
        Some(std::mem::take(&mut self.unreported))
    }
}
