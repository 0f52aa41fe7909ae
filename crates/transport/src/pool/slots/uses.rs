//! Who uses a connection: how a use begins, and what its end brings about. A [lease](super::super::lease) is one use.

use std::sync::Arc;

use kinfolk_core::Instant;

use super::super::lane::Route;
use super::super::pooled::Pooled;
use super::super::{CloseReason, ConnId};
use super::slot::State;
use super::{Held, Slots, Waiter};

impl<C: Held, W: Waiter> Slots<C, W> {
    /// A ready connection, with one use counted. None if there is none that is known to be open: then
    /// [`acquire`](Self::acquire) says what is to be done. It changes no state, so that many may look at the same time.
    pub(crate) fn acquire_ready(&self, route: Route<'_>) -> Option<Arc<Pooled<C>>> {
        let pooled = self.table.least_used(route).filter(|pooled| pooled.conn.is_open())?;
        pooled.reuse();
        Some(Arc::clone(pooled))
    }

    /// Counts a use of a connection, for a request that the peer sends on it. None if the slot is not there (any more).
    pub(crate) fn enter(&self, id: ConnId) -> Option<Arc<Pooled<C>>> {
        let pooled = &self.table.get(id)?.live()?.pooled;
        pooled.begin(1);
        Some(Arc::clone(pooled))
    }

    /// The last use of a connection has ended, and [`Pooled::end`] asked for this call: what drains is closed.
    pub(crate) fn unused(&mut self, id: ConnId, now: Instant) {
        let Some(State::Draining(draining)) = self.table.get(id).map(|slot| &slot.state) else { return };
        if draining.live.pooled.uses() == 0
            && let Some(reason) = draining.due(now)
        {
            self.close(id, reason);
        }
    }

    /// A request on this connection timed out: it is not handed out any more, and closed as soon as it carries nothing.
    /// Says whether this call changed that.
    pub(crate) fn doubt(&mut self, id: ConnId, now: Instant) -> bool {
        if self.table.ready(id).is_none() {
            return false;
        }
        self.drain(id, CloseReason::Doubtful, now);
        self.unused(id, now);
        true
    }

    /// Requests in flight on all connections; and from now on, whoever ends the last use of a connection is asked to say so.
    pub(crate) fn watch_uses(&mut self) -> usize {
        self.watched = true;
        self.table.iter().filter_map(|(_, slot)| slot.live()).map(|live| live.pooled.watch()).sum()
    }
}
