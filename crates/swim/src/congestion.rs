//! Back-pressure: while the driver can take no more messages, what is due waits rather than being sent into the void. A
//! member that cannot ask does not judge by the silence that follows.
//!
//! Nothing piles up meanwhile: each round is scheduled once, and only when it has been done is it scheduled again. So
//! however long it took, each is made up for once.

use kinfolk_core::Instant;

use crate::machine::Machine;

impl Machine {
    pub(crate) fn on_congested(&mut self, now: Instant) {
        if self.congested.is_none() {
            self.congested = Some(now);
            self.stats.congestions += 1;
            self.timers.hold();
        }
    }

    pub(crate) fn on_clear(&mut self, now: Instant) {
        let Some(since) = self.congested.take() else { return };
        self.timers.release();
        self.void_judgements(now, since);
        self.spread_watches(now);
        self.on_timeout(now);
    }
}
