//! Back-pressure: while the driver can take no more messages, what is due waits rather than being sent into the void. A
//! member that cannot ask does not judge by the silence that follows.
//!
//! Nothing piles up meanwhile: each round is scheduled once, and only when it has been done is it scheduled again. So
//! however long it took, each is made up for once.

use kinfolk_core::Instant;

use crate::context::Context;

/// Since when the driver can take no more messages.
#[derive(Debug, Default)]
pub(super) struct Congestion {
    since: Option<Instant>,
}

impl Congestion {
    /// The driver can take no more messages.
    pub(super) fn begin(&mut self, cx: &mut Context) {
        if self.since.is_none() {
            self.since = Some(cx.now);
            cx.stats.congestions += 1;
            cx.timers.hold();
        }
    }

    /// The driver can take messages again. Returns since when it could not.
    pub(super) fn end(&mut self, cx: &mut Context) -> Option<Instant> {
        let since = self.since.take()?;
        cx.timers.release();
        Some(since)
    }
}
