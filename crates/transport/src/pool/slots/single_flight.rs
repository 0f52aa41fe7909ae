//! One dial for all who want the same peer: who waits for it, and what becomes of them when it ends. Callers that come
//! while it is under way wait for it; nobody dials a second time.

use std::sync::Arc;

use kinfolk_core::Instant;

use super::super::lane::{Lane, Route};
use super::super::pooled::Pooled;
use super::super::tie::Side;
use super::super::{CloseReason, ConnId};
use super::slot::{Live, State};
use super::{Held, Refused, Slots, Waiter};

/// A dial under way.
#[derive(Debug)]
pub(super) struct Dial<W> {
    waiters: Vec<W>,
    /// The peer's own dial, which serves if ours fails.
    standby: Option<ConnId>,
}

impl<W> Dial<W> {
    /// A dial for one caller.
    fn new(waiter: W) -> Self {
        Self { waiters: vec![waiter], standby: None }
    }

    /// Nobody waits for it.
    pub(super) fn vacant() -> Self {
        Self { waiters: Vec::new(), standby: None }
    }

    /// Keeps the peer's own connection in case that this dial fails. Returns the one that was kept before.
    pub(super) fn keep_standby(&mut self, id: ConnId) -> Option<ConnId> {
        self.standby.replace(id)
    }

    /// The connection kept as a standby is gone.
    pub(super) fn lose_standby(&mut self, gone: ConnId) {
        self.standby.take_if(|standby| *standby == gone);
    }

    /// Those who wait, and the standby.
    pub(super) fn end(&mut self) -> (Vec<W>, Option<ConnId>) {
        (std::mem::take(&mut self.waiters), self.standby.take())
    }
}

impl<W: Waiter> Dial<W> {
    /// One more caller waits. Those that have gone away leave their places.
    fn enqueue(&mut self, waiter: W, max: usize) -> Result<(), Refused> {
        let waiters = &mut self.waiters;
        if waiters.len() >= max {
            waiters.retain(|waiter| !waiter.is_gone());
        }
        if waiters.len() >= max {
            return Err(Refused::QueueFull { waiting: waiters.len(), max });
        }
        waiters.push(waiter);
        Ok(())
    }
}

/// What a caller gets.
#[derive(Debug)]
pub(crate) enum Acquired<C> {
    /// A connection. One use is counted for it: [`Pooled::end`] ends it.
    Ready(Arc<Pooled<C>>),
    /// The waiter has been kept: somebody dials already.
    Waiting,
    /// The waiter has been kept, and the caller has to start a dial that ends in [`Slots::dial_ok`] or
    /// [`Slots::dial_failed`].
    Dial { id: ConnId },
}

/// Waiters to wake, with the connection that each of them has one counted use of, if there is one.
#[derive(Debug)]
pub(crate) struct Wake<C, W> {
    pub(crate) waiters: Vec<W>,
    pub(crate) with: Option<Arc<Pooled<C>>>,
}

impl<C, W> Wake<C, W> {
    /// Nobody waits.
    fn nobody() -> Self {
        Self { waiters: Vec::new(), with: None }
    }
}

impl<C: Held, W: Waiter> Slots<C, W> {
    /// A ready connection, or a place in the queue for the one being dialled, or the task to dial.
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
            // It has ended, and who watches it has not said so yet.
            self.close(pooled.id, CloseReason::Dead);
        }
        if let Some(id) = self.table.connecting(route) {
            let dial = self.table.dial(id).expect("it is connecting");
            dial.enqueue(waiter(), self.limits.waiters_max)?;
            self.exits.count_reuse();
            return Ok(Acquired::Waiting);
        }
        self.acquire_another(route, new_id, waiter)
    }

    /// A further connection to the peer, beside those that there are.
    pub(crate) fn acquire_another(
        &mut self,
        route: Route<'_>,
        new_id: impl FnOnce() -> ConnId,
        waiter: impl FnOnce() -> W,
    ) -> Result<Acquired<C>, Refused> {
        if self.closed {
            return Err(Refused::Closed);
        }
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
        matches!(state, Some(State::Connecting(dial)) if dial.waiters.iter().any(|one| !one.is_gone()))
    }

    /// A dial has come through. Every waiter gets one counted use. If the slot is no longer waiting for it (the peer's
    /// dial won, or the pool was closed), the connection is put out to be closed.
    pub(crate) fn dial_ok(&mut self, id: ConnId, conn: C, now: Instant) -> Wake<C, W> {
        let Some((waiters, standby)) = self.table.dial(id).map(Dial::end) else {
            self.table.release_loose(id);
            self.exits.put_out_unused(conn, CloseReason::Superseded);
            return Wake::nobody();
        };
        let live = Live::new(id, conn, Side::Local, waiters.len(), self.watched, now);
        let pooled = Arc::clone(&live.pooled);
        self.table.set(id, State::Ready(live));
        if let Some(standby) = standby {
            self.drain(standby, CloseReason::Superseded, now);
        }
        Wake { waiters, with: Some(pooled) }
    }

    /// A dial has failed or was given up. Its slot is free; a standby connection takes its place if there is one.
    pub(crate) fn dial_failed(&mut self, id: ConnId) -> Wake<C, W> {
        let Some((waiters, standby)) = self.table.dial(id).map(Dial::end) else {
            self.table.release_loose(id);
            return Wake::nobody();
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

    /// Takes a place for a dial to an address whose node is not known. It ends in [`adopt`](Self::adopt) or
    /// [`dial_failed`](Self::dial_failed) with the same id.
    pub(crate) fn reserve(&mut self, id: ConnId) -> Result<(), Refused> {
        if self.closed {
            return Err(Refused::Closed);
        }
        self.make_room(Lane::Requests)?;
        self.table.hold_loose(id);
        Ok(())
    }
}
