//! The uses of connections: how a use begins, and what its end causes. A
//! [lease](super::super::lease) is one use.

use std::sync::Arc;

use kinfolk_core::Instant;

use super::super::lane::Route;
use super::super::pooled::Pooled;
use super::super::{CloseReason, ConnId};
use super::slot::State;
use super::{SlotConnection, Slots, Waiter};

/// The result of a request to replace a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Replaced {
    /// No caller gets it any more. It closes when its last request ends.
    Draining,
    /// It ends already.
    Ending,
    /// The pool does not hold it.
    Unknown,
}

impl<C: SlotConnection, W: Waiter> Slots<C, W> {
    /// A ready connection, with one use counted. None if no connection is known to be open; then
    /// the caller calls [`acquire`](Self::acquire).
    ///
    /// It changes no state, so many threads may call it at the same time, with the shared lock.
    pub(crate) fn acquire_ready(&self, route: Route<'_>) -> Option<Arc<Pooled<C>>> {
        let pooled = self.table.least_used(route).filter(|pooled| pooled.conn.is_open())?;
        pooled.reuse();
        Some(Arc::clone(pooled))
    }

    /// Counts a use of a connection, for a request that the peer sends on it. None if the slot does
    /// not exist, or no longer exists.
    pub(crate) fn enter(&self, id: ConnId) -> Option<Arc<Pooled<C>>> {
        // In every state: the peer may use a draining or standby connection until it closes, so its
        // requests must be counted.
        let pooled = &self.table.get(id)?.live()?.pooled;
        pooled.begin(1);
        Some(Arc::clone(pooled))
    }

    /// Closes a draining connection whose last use ended. The caller calls it after [`Pooled::end`]
    /// returned true.
    pub(crate) fn unused(&mut self, id: ConnId, now: Instant) {
        let Some(State::Draining(draining)) = self.table.get(id).map(|slot| &slot.state) else { return };
        // The peer may have begun a new use since the caller's `end`, so look again.
        if draining.live.pooled.uses() == 0
            && let Some(reason) = draining.due(now)
        {
            self.close(id, reason);
        }
    }

    /// Gives a connection up: no caller gets it any more, and it closes when its last request ends.
    /// Returns whether this call gave it up.
    pub(crate) fn give_up(&mut self, id: ConnId, now: Instant) -> bool {
        if self.table.ready(id).is_none() {
            return false;
        }
        self.drain(id, CloseReason::Unresponsive, now);
        // Without a request in flight no later end would close the connection, so close it now.
        self.unused(id, now);
        true
    }

    /// Takes a connection away from new callers, because another one is to replace it. A connection
    /// that stands by for a dial is newer than that.
    pub(crate) fn replace(&mut self, id: ConnId, now: Instant) -> Replaced {
        match self.table.get(id).map(|slot| &slot.state) {
            Some(State::Ready(_)) => {
                self.drain(id, CloseReason::Superseded, now);
                Replaced::Draining
            }
            Some(_) => Replaced::Ending,
            None => Replaced::Unknown,
        }
    }

    /// The requests in flight on all connections. From now on, the end of the last use of each
    /// connection is reported.
    pub(crate) fn watch_uses(&mut self) -> usize {
        self.watched = true;
        self.table.iter().filter_map(|(_, slot)| slot.live()).map(|live| live.pooled.watch()).sum()
    }
}
