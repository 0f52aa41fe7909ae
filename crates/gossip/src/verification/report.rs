//! Reports forged messages: each is counted, and at most one a minute is logged.

use std::time::Duration;

use kinfolk_core::signed::Refusal;
use kinfolk_core::{Instant, NodeId};

/// The shortest time between two log lines.
const LOGGED_EVERY: Duration = Duration::from_mins(1);

/// The forged messages since the last log line.
#[derive(Debug, Default)]
pub(super) struct Report {
    logged_at: Option<Instant>,
    since: u64,
}

impl Report {
    /// A message of `from` was refused.
    pub(super) fn refused(&mut self, now: Instant, from: &NodeId, why: &Refusal) {
        self.since += 1;
        if self.logged_at.is_some_and(|at| now.since(at) < LOGGED_EVERY) {
            return;
        }
        self.logged_at = Some(now);
        let refused = std::mem::take(&mut self.since);
        // A member with a valid certificate sent a statement that its subject did not sign. This
        // member used nothing of the message. At most one line a minute; `refused` counts the
        // messages of all senders since the last line. What to do: check which program the sender
        // runs. If it is not a correct member, take its certificate away.
        tracing::warn!(
            %from, cause = %why, refused,
            "refused a message with a forged statement; check the program of its sender"
        );
    }
}
