//! Which connections there are, in which state, and who may use them: a plain structure without a lock, a clock, a task
//! or QUIC in it. It is generic over the connection `C` and over `W`, what wakes a caller that waits for a dial. Calls
//! return what is to be done (dial, wake, close) and the shell in `mod.rs` does it, outside the lock.

mod adopt;
mod look;
#[cfg(test)]
mod table_tests;
#[cfg(test)]
mod tests;
mod upkeep;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use kinfolk_core::{Instant, NodeId};

use super::lane::{Lane, Route};
use super::pooled::Pooled;
use super::tie::{Side, Tie};
use super::{CloseReason, ConnId};

/// The hard limits. Each is at least 1.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    pub(crate) max_total: usize,
    /// Of `max_total`, the most that may carry the streams of applications.
    pub(crate) max_streams: usize,
    /// For each lane to a peer.
    pub(crate) max_per_peer: usize,
    pub(crate) waiters_max: usize,
    pub(crate) drain: Duration,
    pub(crate) tie: Tie,
}

/// What the slots hold: a connection, which may end by itself at any time.
pub(crate) trait Held: Clone {
    /// Whether it is still open, as far as is known. Asked with the lock held.
    fn is_open(&self) -> bool;
}

/// What wakes a caller that waits for a dial.
pub(crate) trait Waiter {
    /// Whether the caller has gone away; nobody needs to be woken then.
    fn is_gone(&self) -> bool;
}

/// One connection's slot.
///
/// ```text
///           reserve                dial_ok                       doubt / replaced in a tie
///  (free) ----------> Connecting ----------> Ready ---------------------------------------> Draining
///     ^                 |   ^                ^  |                                           ^    |
///     |     dial_failed |   | adopt, own     |  | ended (remove, acquire), idle, evicted    |    | last use ends,
///     |<----------------'   | dial may win   |  |                                           |    | or time is up
///     |                     v                |  |                                           |    |
///     |                  Standby ------------'  |                                           |    |
///     |                     |    dial_failed    |                                           |    |
///     |                     '-------------------+----------------- dial_ok -----------------'    |
///     |<----------------------------------------'                                                |
///     '------------------------------------------------------------------------------------------'
/// ```
///
/// `adopt` brings a connection that was not dialled by name: straight to `Ready`, or to `Draining` if it loses a tie. A dial
/// that it overtakes becomes *loose*: nobody waits for it, and it holds its place in the total until it has ended. So does a
/// dial to an address whose node is not known, from its start to its `adopt`. `remove` and `close_all` end every state but
/// `Connecting` and loose (`close_all` ends `Connecting` too).
///
/// `Connecting` and `Ready` count against both limits; `Standby`, `Draining` and loose dials against the total only. Only
/// a `Ready` connection is ever handed out. `table_tests.rs` has each state against each event.
#[derive(Debug)]
enum State<C, W> {
    /// A dial is under way. Whoever asks for the peer waits for it.
    Connecting { waiters: Vec<W>, standby: Option<ConnId> },
    /// May be used.
    Ready(Live<C>),
    /// The peer's dial, kept in case that our own, which wins the tie, fails.
    Standby(Live<C>),
    /// Is not handed out any more, but finishes what it carries: not closed before `not_before`, closed at `until`.
    Draining { live: Live<C>, not_before: Instant, until: Instant, reason: CloseReason },
}

/// An established connection.
#[derive(Debug)]
struct Live<C> {
    pooled: Arc<Pooled<C>>,
    side: Side,
    since: Instant,
}

#[derive(Debug)]
struct Slot<C, W> {
    peer: NodeId,
    lane: Lane,
    state: State<C, W>,
}

/// Why a connection is not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    Full { current: usize, max: usize },
    QueueFull { waiting: usize, max: usize },
    Closed,
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

pub(crate) use adopt::Adopted;

/// A connection to close, and why.
pub(crate) type ToClose<C> = (C, CloseReason);

/// All slots.
#[derive(Debug)]
pub(crate) struct Slots<C, W> {
    limits: Limits,
    by_id: BTreeMap<ConnId, Slot<C, W>>,
    by_peer: HashMap<NodeId, Vec<ConnId>>,
    /// Dials that hold a place and have no slot: their peer's name is not known yet, or its own dial was preferred.
    loose: BTreeSet<ConnId>,
    closed: bool,
    /// Callers that found a dial under way, or a connection that is closed by now.
    reused: u64,
    /// The end of the last use of each connection is waited for, also of those to come.
    watched: bool,
    /// Connections that calls since the last [`take_closable`](Self::take_closable) have put out.
    closable: Vec<ToClose<C>>,
}

impl<C: Held, W: Waiter> Slots<C, W> {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            by_id: BTreeMap::new(),
            by_peer: HashMap::new(),
            loose: BTreeSet::new(),
            closed: false,
            reused: 0,
            watched: false,
            closable: Vec::new(),
        }
    }

    /// The connections to close, outside the lock.
    pub(crate) fn take_closable(&mut self) -> Vec<ToClose<C>> {
        std::mem::take(&mut self.closable)
    }

    /// A ready connection, with one use counted. None if there is none that is known to be open: then
    /// [`acquire`](Self::acquire) says what is to be done. It changes no state, so that many may look at the same time.
    pub(crate) fn acquire_ready(&self, route: Route<'_>) -> Option<Arc<Pooled<C>>> {
        let pooled = self.least_used(route).filter(|pooled| pooled.conn.is_open())?;
        pooled.reuse();
        Some(Arc::clone(pooled))
    }

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
        while let Some(pooled) = self.least_used(route).map(Arc::clone) {
            if pooled.conn.is_open() {
                pooled.reuse();
                return Ok(Acquired::Ready(pooled));
            }
            // It has ended, and who watches it has not said so yet.
            self.close(pooled.id, CloseReason::Dead);
        }
        if let Some(id) = self.connecting(route) {
            self.enqueue(id, waiter())?;
            self.reused += 1;
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
        let (current, max) = (self.counted(route), self.limits.max_per_peer);
        if current >= max {
            return Err(Refused::Full { current, max });
        }
        self.make_room(route.lane)?;
        let id = new_id();
        self.insert(id, route, State::Connecting { waiters: vec![waiter()], standby: None });
        Ok(Acquired::Dial { id })
    }

    /// A dial has come through. Every waiter gets one counted use. If the slot is no longer waiting for it (the peer's
    /// dial won, or the pool was closed), the connection is put out to be closed.
    pub(crate) fn dial_ok(&mut self, id: ConnId, conn: C, now: Instant) -> Wake<C, W> {
        let Some((waiters, standby)) = self.take_connecting(id) else {
            self.loose.remove(&id);
            self.closable.push((conn, CloseReason::Superseded));
            return Wake { waiters: Vec::new(), with: None };
        };
        let live = self.new_live(id, conn, Side::Local, waiters.len(), now);
        let pooled = Arc::clone(&live.pooled);
        self.set(id, State::Ready(live));
        if let Some(standby) = standby {
            self.drain(standby, CloseReason::Superseded, now);
        }
        Wake { waiters, with: Some(pooled) }
    }

    /// A dial has failed or was given up. Its slot is free; a standby connection takes its place if there is one.
    pub(crate) fn dial_failed(&mut self, id: ConnId) -> Wake<C, W> {
        let Some((waiters, standby)) = self.take_connecting(id) else {
            self.loose.remove(&id);
            return Wake { waiters: Vec::new(), with: None };
        };
        self.forget(id);
        let promoted = standby.and_then(|standby| {
            let live = self.take_live(standby)?;
            live.pooled.begin(waiters.len());
            let pooled = Arc::clone(&live.pooled);
            self.set(standby, State::Ready(live));
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
        let new = self.loose.insert(id);
        assert!(new, "an id is used once");
        Ok(())
    }

    /// Counts a use of a connection, for a request that the peer sends on it. None if the slot is not there (any more).
    pub(crate) fn enter(&self, id: ConnId) -> Option<Arc<Pooled<C>>> {
        let pooled = &self.by_id.get(&id)?.live()?.pooled;
        pooled.begin(1);
        Some(Arc::clone(pooled))
    }

    /// The last use of a connection has ended, and [`Pooled::end`] asked for this call: what drains is closed.
    pub(crate) fn unused(&mut self, id: ConnId, now: Instant) {
        let Some(Slot { state: State::Draining { live, not_before, reason, .. }, .. }) = self.by_id.get(&id)
        else {
            return;
        };
        if live.pooled.uses() == 0 && *not_before <= now {
            let reason = *reason;
            self.close(id, reason);
        }
    }

    /// A request on this connection timed out: it is not handed out any more, and closed as soon as it carries nothing.
    /// Says whether this call changed that.
    pub(crate) fn doubt(&mut self, id: ConnId, now: Instant) -> bool {
        if self.ready_live(id).is_none() {
            return false;
        }
        self.drain(id, CloseReason::Doubtful, now);
        self.unused(id, now);
        true
    }

    /// A connection has ended by itself. Says whether it had a slot.
    pub(crate) fn remove(&mut self, id: ConnId) -> bool {
        let had = self.by_id.get(&id).is_some_and(|slot| slot.live().is_some());
        if had {
            self.close(id, CloseReason::Dead);
        }
        had
    }

    /// Every ready connection, to be checked outside the lock.
    pub(crate) fn ready(&self) -> Vec<(ConnId, C)> {
        let ready = self.by_id.iter().filter_map(|(id, slot)| match &slot.state {
            State::Ready(live) => Some((*id, live.pooled.conn.clone())),
            _ => None,
        });
        ready.collect()
    }

    /// Closes the pool: puts out every connection and returns every waiter. Nothing is given out afterwards.
    pub(crate) fn close_all(&mut self) -> Vec<W> {
        self.closed = true;
        let mut waiters = Vec::new();
        for slot in std::mem::take(&mut self.by_id).into_values() {
            match slot.state {
                State::Connecting { waiters: more, .. } => waiters.extend(more),
                State::Ready(live) | State::Standby(live) | State::Draining { live, .. } => {
                    self.put_out(&live.pooled, CloseReason::Shutdown);
                }
            }
        }
        self.by_peer.clear();
        waiters
    }

    /// Requests in flight on all connections; and from now on, whoever ends the last use of a connection is asked to say so.
    pub(crate) fn watch_uses(&mut self) -> usize {
        self.watched = true;
        self.by_id.values().filter_map(Slot::live).map(|live| live.pooled.watch()).sum()
    }

    // ---- changes ----

    /// What a slot holds for a new connection, which `uses` callers have from the start.
    fn new_live(&self, id: ConnId, conn: C, side: Side, uses: usize, now: Instant) -> Live<C> {
        let pooled = Arc::new(Pooled::new(id, conn, uses, now));
        if self.watched {
            pooled.watch();
        }
        Live { pooled, side, since: now }
    }

    fn insert(&mut self, id: ConnId, Route { peer, lane }: Route<'_>, state: State<C, W>) {
        self.by_peer.entry(peer.clone()).or_default().push(id);
        let before = self.by_id.insert(id, Slot { peer: peer.clone(), lane, state });
        assert!(before.is_none(), "an id is used once");
        assert!(self.total() <= self.limits.max_total, "room is made before a slot is taken");
    }

    fn set(&mut self, id: ConnId, state: State<C, W>) {
        self.by_id.get_mut(&id).expect("the slot exists").state = state;
    }

    fn forget(&mut self, id: ConnId) -> Option<Slot<C, W>> {
        let slot = self.by_id.remove(&id)?;
        if let Some(ids) = self.by_peer.get_mut(&slot.peer) {
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                self.by_peer.remove(&slot.peer);
            }
        }
        Some(slot)
    }

    /// Frees the slot and puts its connection out.
    fn close(&mut self, id: ConnId, reason: CloseReason) {
        let Some(slot) = self.forget(id) else { return };
        if matches!(slot.state, State::Standby(_)) {
            self.unlink_standby(&slot.peer, id);
        }
        if let State::Ready(live) | State::Standby(live) | State::Draining { live, .. } = slot.state {
            self.put_out(&live.pooled, reason);
        }
    }

    /// A connection without a slot is to be closed.
    fn put_out(&mut self, pooled: &Pooled<C>, reason: CloseReason) {
        self.reused += pooled.reused();
        self.closable.push((pooled.conn.clone(), reason));
    }

    fn unlink_standby(&mut self, peer: &NodeId, gone: ConnId) {
        let ids: Vec<ConnId> = self.of_peer(peer).collect();
        for id in ids {
            if let Some(Slot { state: State::Connecting { standby, .. }, .. }) = self.by_id.get_mut(&id)
                && *standby == Some(gone)
            {
                *standby = None;
            }
        }
    }

    /// Takes the connection out of its slot; the caller sets the slot's next state.
    fn take_live(&mut self, id: ConnId) -> Option<Live<C>> {
        let slot = self.by_id.get_mut(&id)?;
        slot.live()?;
        let vacant = State::Connecting { waiters: Vec::new(), standby: None };
        match std::mem::replace(&mut slot.state, vacant) {
            State::Ready(live) | State::Standby(live) | State::Draining { live, .. } => Some(live),
            State::Connecting { .. } => unreachable!("it has a live connection"),
        }
    }

    fn take_connecting(&mut self, id: ConnId) -> Option<(Vec<W>, Option<ConnId>)> {
        match &mut self.by_id.get_mut(&id)?.state {
            State::Connecting { waiters, standby } => Some((std::mem::take(waiters), standby.take())),
            _ => None,
        }
    }

    fn enqueue(&mut self, id: ConnId, waiter: W) -> Result<(), Refused> {
        let max = self.limits.waiters_max;
        let Some(Slot { state: State::Connecting { waiters, .. }, .. }) = self.by_id.get_mut(&id) else {
            unreachable!("only called for a connecting slot");
        };
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

impl<C, W> Slot<C, W> {
    fn live(&self) -> Option<&Live<C>> {
        match &self.state {
            State::Ready(live) | State::Standby(live) | State::Draining { live, .. } => Some(live),
            State::Connecting { .. } => None,
        }
    }

    fn ready(&self) -> Option<&Live<C>> {
        match &self.state {
            State::Ready(live) => Some(live),
            _ => None,
        }
    }
}
