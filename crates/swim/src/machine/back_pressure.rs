//! Back-pressure: while the driver takes no more messages, due timers wait, and the machine sends
//! nothing that the driver would drop. A member that cannot probe does not judge by the silence
//! that follows.
//!
//! Nothing piles up meanwhile. A round is scheduled again only after it ran, so each round that
//! waited runs once, however long the back-pressure lasted.

use kinfolk_core::Instant;

use crate::context::Context;

/// When the driver stopped taking messages, if it does not take any now.
#[derive(Debug, Default)]
pub(super) struct BackPressure {
    since: Option<Instant>,
}

impl BackPressure {
    /// Holds the timers that send messages. A second call changes nothing.
    pub(super) fn begin(&mut self, cx: &mut Context) {
        if self.since.is_none() {
            self.since = Some(cx.now);
            cx.stats.back_pressures += 1;
            cx.timers.hold();
        }
    }

    /// Releases the timers. Returns when the back-pressure began, so that its time is taken out of
    /// every silence.
    pub(super) fn end(&mut self, cx: &mut Context) -> Option<Instant> {
        let since = self.since.take()?;
        cx.timers.release();
        Some(since)
    }
}
