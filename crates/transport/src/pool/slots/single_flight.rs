//! Single flight: one dial for all callers of the same peer. A caller that arrives during a dial
//! waits for it, and starts no second one.

use std::sync::Arc;

use kinfolk_core::Instant;

use super::super::lane::{Lane, Route};
use super::super::pooled::Pooled;
use super::super::tie::Side;
use super::super::{CloseReason, ConnId};
use super::slot::{Live, State};
use super::{Refused, SlotConnection, Slots, Waiter};

/// A dial in progress.
#[derive(Debug)]
pub(super) struct Dial<W> {
    waiters: Vec<W>,
    /// The peer's own connection. The pool uses it if this dial fails.
    standby: Option<ConnId>,
}

impl<W> Dial<W> {
    /// A dial with one waiting caller.
    fn new(waiter: W) -> Self {
        Self { waiters: vec![waiter], standby: None }
    }

    /// A dial without waiting callers.
    pub(super) fn empty() -> Self {
        Self { waiters: Vec::new(), standby: None }
    }

    /// Keeps the peer's own connection for the case that this dial fails. Returns the one that was
    /// kept before.
    pub(super) fn keep_standby(&mut self, id: ConnId) -> Option<ConnId> {
        self.standby.replace(id)
    }

    /// The standby connection ended.
    pub(super) fn drop_standby(&mut self, ended: ConnId) {
        self.standby.take_if(|standby| *standby == ended);
    }

    /// Takes the waiting callers and the standby connection.
    pub(super) fn end(&mut self) -> (Vec<W>, Option<ConnId>) {
        (std::mem::take(&mut self.waiters), self.standby.take())
    }
}

impl<W: Waiter> Dial<W> {
    /// Adds a waiting caller. At the limit, callers that dropped their future first leave the
    /// queue.
    fn enqueue(&mut self, waiter: W, max: usize) -> Result<(), Refused> {
        let waiters = &mut self.waiters;
        // Clean up only at the limit, so that the usual case stays cheap.
        if waiters.len() >= max {
            waiters.retain(|waiter| !waiter.is_cancelled());
        }
        if waiters.len() >= max {
            return Err(Refused::QueueFull { waiting: waiters.len(), max });
        }
        waiters.push(waiter);
        Ok(())
    }
}

/// The result of a caller's request for a connection.
#[derive(Debug)]
pub(crate) enum Acquired<C> {
    /// A connection. One use is counted for the caller; [`Pooled::end`] ends it.
    Ready(Arc<Pooled<C>>),
    /// A dial is in progress. The waiter is in its queue.
    Waiting,
    /// The waiter is queued, and the caller must start a dial. It ends in [`Slots::dial_ok`] or
    /// [`Slots::dial_failed`].
    Dial { id: ConnId },
}

/// Waiters to wake. If there is a connection, one use is counted for each of them.
#[derive(Debug)]
pub(crate) struct Wake<C, W> {
    pub(crate) waiters: Vec<W>,
    pub(crate) with: Option<Arc<Pooled<C>>>,
}

impl<C, W> Wake<C, W> {
    /// No waiters.
    fn none() -> Self {
        Self { waiters: Vec::new(), with: None }
    }
}

impl<C: SlotConnection, W: Waiter> Slots<C, W> {
    /// Returns a ready connection, a place in the queue of a running dial, or the task to dial.
    pub(crate) fn acquire(
        &mut self,
        route: Route<'_>,
        new_id: impl FnOnce() -> ConnId,
        waiter: impl FnOnce() -> W,
    ) -> Result<Acquired<C>, Refused> {
        if self.closed {
            return Err(Refused::Closed);
        }
        while let Some(pooled) = self.table.least_used(route).map(Arc::clone) {
            if pooled.conn.is_open() {
                pooled.reuse();
                return Ok(Acquired::Ready(pooled));
            }
            // The connection ended, and its `remove` call has not arrived yet. Do not hand it out.
            self.close(pooled.id, CloseReason::Dead);
        }
        if let Some(id) = self.table.connecting(route) {
            let dial = self.table.dial(id).expect("the slot is connecting");
            dial.enqueue(waiter(), self.limits.waiters_max)?;
            self.to_close.count_reuse();
            return Ok(Acquired::Waiting);
        }
        self.acquire_another(route, new_id, waiter)
    }

    /// Reserves a slot for a new connection to the peer, in addition to the existing ones.
    pub(crate) fn acquire_another(
        &mut self,
        route: Route<'_>,
        new_id: impl FnOnce() -> ConnId,
        waiter: impl FnOnce() -> W,
    ) -> Result<Acquired<C>, Refused> {
        if self.closed {
            return Err(Refused::Closed);
        }
        // Check the peer's limit before `make_room`, so that a refused caller evicts no connection.
        let (current, max) = (self.table.counted(route), self.limits.max_per_peer);
        if current >= max {
            return Err(Refused::Full { current, max });
        }
        self.make_room(route.lane)?;
        let id = new_id();
        self.insert(id, route, State::Connecting(Dial::new(waiter())));
        Ok(Acquired::Dial { id })
    }

    /// Whether a caller waits for this dial.
    pub(crate) fn is_awaited(&self, id: ConnId) -> bool {
        let state = self.table.get(id).map(|slot| &slot.state);
        matches!(state, Some(State::Connecting(dial)) if dial.waiters.iter().any(|waiter| !waiter.is_cancelled()))
    }

    /// Reports that a dial succeeded. Each waiter gets one counted use. If the slot does not wait
    /// for the dial any more (the peer's dial won, or the pool was closed), the connection is to be
    /// closed.
    pub(crate) fn dial_ok(&mut self, id: ConnId, conn: C, now: Instant) -> Wake<C, W> {
        let Some((waiters, standby)) = self.table.dial(id).map(Dial::end) else {
            self.table.release_loose(id);
            self.to_close.push_without_slot(conn, CloseReason::Superseded);
            return Wake::none();
        };
        // Count the uses of the waiters under this lock. Otherwise an eviction could close the
        // connection before they wake up.
        let live = Live::new(id, conn, Side::Local, waiters.len(), self.watched, now);
        let pooled = Arc::clone(&live.pooled);
        self.table.set(id, State::Ready(live));
        if let Some(standby) = standby {
            self.drain(standby, CloseReason::Superseded, now);
        }
        Wake { waiters, with: Some(pooled) }
    }

    /// Reports that a dial failed or was given up. Its slot is free. A standby connection takes its
    /// place, if there is one.
    pub(crate) fn dial_failed(&mut self, id: ConnId) -> Wake<C, W> {
        let Some((waiters, standby)) = self.table.dial(id).map(Dial::end) else {
            self.table.release_loose(id);
            return Wake::none();
        };
        self.table.remove(id);
        let promoted = standby.and_then(|standby| {
            let live = self.table.get_mut(standby)?.take_live()?;
            live.pooled.begin(waiters.len());
            let pooled = Arc::clone(&live.pooled);
            self.table.set(standby, State::Ready(live));
            Some(pooled)
        });
        Wake { waiters, with: promoted }
    }

    /// Reserves a place for a dial to an address whose node is unknown. The dial ends in
    /// [`adopt`](Self::adopt) or [`dial_failed`](Self::dial_failed) with the same id.
    pub(crate) fn reserve(&mut self, id: ConnId) -> Result<(), Refused> {
        if self.closed {
            return Err(Refused::Closed);
        }
        // A dial to a seed is for a request, so it is never on a lane for streams.
        self.make_room(Lane::Requests)?;
        self.table.hold_loose(id);
        Ok(())
    }
}
