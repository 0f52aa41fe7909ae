//! The connection pool: a limited number of connections, one to a peer, shared by all callers.
//!
//! This file is the asynchronous shell. `slots` decides what happens to a connection, and draws its
//! states. The slots are behind a lock that is never held over an `.await`. This module contains no
//! QUIC code.

mod clock;
mod config;
mod connect;
mod dial;
mod dial_queue;
mod error;
#[cfg(test)]
mod fake;
mod guarded;
mod lane;
mod lease;
#[cfg(all(test, kinfolk_loom))]
mod loom_slots;
mod maintenance;
mod mute_limit;
mod need;
mod pooled;
mod reservation;
mod slots;
mod stats;
#[cfg(test)]
mod storm_tests;
mod sync;
#[cfg(test)]
mod tests;
mod tie;
mod times;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::time::Duration;

use kinfolk_core::{Instant, NodeId};
use tokio::sync::{Notify, oneshot, watch};

pub use config::PoolConfig;
pub use connect::{CloseReason, ConnId, Connect, Connection};
pub use error::{DialError, PoolError};
pub use lane::Lane;
pub(crate) use lane::Route;
pub use lease::Lease;
use lease::PoolConnection;
pub use need::Need;
pub(crate) use reservation::Reservation;
pub use stats::{ConnectionState, ConnectionStats, PoolStats};
pub(crate) use tie::Side;
pub use times::DialTimes;

use clock::Clock;
use dial_queue::DialQueue;
use guarded::Guarded;
use mute_limit::MuteLimits;
use pooled::Pooled;
pub(crate) use slots::Replaced;
use slots::{Acquired, Adopted, Limits, Refused, Slots, Waiter};
use stats::{Counters, add};
use tie::Tie;

use crate::peer::Peer;

/// Connections to peers, by name. Cloning is cheap and returns the same pool.
///
/// All callers share the connection to a peer. A caller that arrives during a dial waits for that
/// dial. The limits are hard; [`PoolConfig`] states what happens at each.
pub struct ConnectionPool<C: Connect>(Arc<Inner<C>>);

pub(crate) struct Inner<C: Connect> {
    slots: Guarded<PoolConnection<C>, Caller<C>>,
    connector: C,
    config: PoolConfig,
    counters: Counters,
    dial_queue: DialQueue,
    mute_limits: MuteLimits,
    next_id: AtomicU64,
    clock: Clock,
    closing: watch::Sender<bool>,
    /// Wakes the maintenance task: the time of the next drain may have changed.
    drains_changed: Arc<Notify>,
    /// Wakes the callers that wait until the last use ends.
    unused: Notify,
}

/// A caller that waits for a dial.
pub(crate) struct Caller<C: Connect>(oneshot::Sender<Result<Lease<C>, PoolError>>);

impl<C: Connect> Waiter for Caller<C> {
    fn is_cancelled(&self) -> bool {
        self.0.is_closed()
    }
}

impl<C: Connect> ConnectionPool<C> {
    /// Creates a pool for the node `local`. It dials with `connector`. A limit of 0 counts as 1.
    ///
    /// # Panics
    /// Outside a tokio runtime, because the pool runs a maintenance task.
    pub fn new(local: NodeId, config: PoolConfig, connector: C) -> Self {
        let limits = Limits {
            max_total: config.max_total.max(1),
            // Half of the total, so that transfers never keep this node from probing
            // (`docs/decisions/0005`).
            max_streams: config.max_total / 2,
            guests_max: config.guests_max,
            max_per_peer: config.max_per_peer.max(1),
            waiters_max: config.waiters_max.max(1),
            drain: config.drain_timeout,
            // A dial takes at most this long, so two dials that end further apart are no tie.
            tie: Tie::new(local, config.connect_timeout),
        };
        let inner = Arc::new(Inner {
            slots: Guarded::new(limits),
            connector,
            counters: Counters::default(),
            dial_queue: DialQueue::new(config.dials_max.max(1)),
            // As many records as connections: the memory must not grow with the peers.
            mute_limits: MuteLimits::new(config.unacknowledged_max, config.max_total.max(1)),
            config,
            next_id: AtomicU64::new(1),
            clock: Clock::start(),
            closing: watch::Sender::new(false),
            drains_changed: Arc::new(Notify::new()),
            unused: Notify::new(),
        });
        // A weak reference, so that the task ends when the pool is dropped.
        tokio::spawn(maintenance::run(Arc::downgrade(&inner)));
        Self(inner)
    }

    /// Returns the connection to `peer`. If none is open, one dial serves all callers that ask.
    ///
    /// # Errors
    /// [`PoolError`]: a limit, a failed dial (each waiting caller gets its cause), or a closed
    /// pool.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing. A running dial goes on, and the next caller gets its
    /// connection. A dial that waits for its permit does not start once no caller waits for it.
    pub async fn acquire(&self, peer: &Peer) -> Result<Lease<C>, PoolError> {
        self.get(peer, Lane::Requests, Need::Urgent, false).await
    }

    /// Returns a new connection to `peer`, in addition to the existing ones. Later callers share
    /// it.
    ///
    /// # Errors
    /// As [`acquire`](Self::acquire); [`PoolFull`](PoolError::PoolFull) if the peer already has
    /// `max_per_peer` connections.
    ///
    /// # Cancel safety
    /// As [`acquire`](Self::acquire).
    pub async fn acquire_another(&self, peer: &Peer) -> Result<Lease<C>, PoolError> {
        self.get(peer, Lane::Requests, Need::Urgent, true).await
    }

    /// As [`acquire`](Self::acquire), for one lane. Each lane has its own connections.
    ///
    /// For streams the dial is `Patient`: a transfer can wait, and a probe cannot.
    ///
    /// # Errors
    /// As [`acquire`](Self::acquire); also [`PoolFull`](PoolError::PoolFull) if connections for
    /// streams hold half of `max_total`.
    ///
    /// # Cancel safety
    /// As [`acquire`](Self::acquire).
    pub async fn acquire_on(&self, peer: &Peer, lane: Lane) -> Result<Lease<C>, PoolError> {
        self.get(peer, lane, if lane.is_streams() { Need::CanWait } else { Need::Urgent }, false).await
    }

    /// As [`acquire`](Self::acquire). `need` says what to do without an open connection.
    ///
    /// # Errors
    /// As [`acquire`](Self::acquire); also [`NotConnected`](PoolError::NotConnected) with
    /// [`Need::OpenOnly`].
    ///
    /// # Cancel safety
    /// As [`acquire`](Self::acquire).
    pub async fn acquire_by(&self, peer: &Peer, need: Need) -> Result<Lease<C>, PoolError> {
        self.get(peer, Lane::Requests, need, false).await
    }

    /// The contents of the pool, and its counters.
    pub fn stats(&self) -> PoolStats {
        let read = |slots: &Slots<_, _>| (slots.counts(), slots.reused(), slots.connections());
        let (counts, reused, connections) = self.0.slots.read(read);
        let describe = |(mut stats, wrapped): (ConnectionStats, Option<PoolConnection<C>>)| {
            if let Some(PoolConnection { conn, .. }) = wrapped {
                (stats.rtt, stats.certificate) = (conn.rtt(), conn.fingerprint());
            }
            stats
        };
        let dials = (self.0.config.max_total, self.0.dial_queue.waiting());
        self.0.counters.stats(dials, counts, reused, connections.into_iter().map(describe).collect())
    }

    /// The limits.
    pub fn config(&self) -> &PoolConfig {
        &self.0.config
    }

    /// Waits until no request is in flight in either direction.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn unused(&self) {
        loop {
            let unused = self.0.unused.notified();
            tokio::pin!(unused);
            // Register before the check. Otherwise the last use can end between them, and nothing
            // wakes this task.
            unused.as_mut().enable();
            if self.0.with(Slots::watch_uses) == 0 {
                return;
            }
            unused.await;
        }
    }

    /// Closes every connection and gives up every dial. Waiting and later callers get
    /// [`PoolError::Closed`].
    pub fn close(&self) {
        self.0.closing.send_replace(true);
        let callers = self.0.with(Slots::close_all);
        for caller in callers {
            drop(caller.0.send(Err(PoolError::Closed)));
        }
        self.0.unused.notify_waiters();
    }

    /// Sets how late this node's event loop is. A late node waits longer before it gives a
    /// connection up.
    pub fn set_lateness(&self, late: Duration) {
        self.0.mute_limits.set_lateness(late);
    }

    /// The ready connection for requests to a peer, if there is one. This counts no use, so the
    /// pool may close the connection at any time.
    pub(crate) fn peek(&self, peer: &NodeId) -> Option<C::Connection> {
        let wrapped = self.0.slots.read(|slots| slots.peek(Route::new(peer, Lane::Requests)));
        wrapped.map(|wrapped| wrapped.conn)
    }

    /// A number for a connection that the pool does not dial.
    pub(crate) fn new_id(&self) -> ConnId {
        self.0.new_id()
    }

    /// *Adopts* a connection: takes up one that the pool did not dial by name.
    pub(crate) fn adopt(&self, id: ConnId, route: Route<'_>, conn: C::Connection, side: Side) -> Taken {
        let (wrapped, now) = (self.0.wrap(conn), self.0.now());
        let adopted = self.0.with(|slots| slots.adopt(id, route, wrapped, side, now));
        self.0.drains_changed();
        match adopted {
            Adopted::Ready(wake) => {
                add(&self.0.counters.adopted, 1);
                dial::wake(wake, &PoolError::Closed);
                Taken::InUse
            }
            Adopted::Spare => Taken::Spare,
            Adopted::NoRoom | Adopted::Closed => Taken::NoRoom,
        }
    }

    /// Reserves a place in the pool and a permit to dial, for a dial to an address whose node is
    /// unknown. [`adopt`](Self::adopt) with the reservation's id takes the place over.
    pub(crate) async fn reserve(&self) -> Result<Reservation<'_, C>, PoolError> {
        Reservation::take(&self.0).await
    }

    /// How many more dials may run now.
    #[cfg(any(test, feature = "simulation"))]
    pub(crate) fn dials_free(&self) -> usize {
        self.0.config.dials_max.max(1) - self.0.dial_queue.running()
    }

    /// Whether a dial on this route waits for its permit.
    pub(crate) fn dial_is_queued(&self, route: Route<'_>) -> bool {
        self.0.dial_queue.contains(route)
    }

    /// The code that dials.
    pub(crate) fn connector(&self) -> &C {
        &self.0.connector
    }

    /// A lease of the connection with this number, for a request that arrived on it. None if the
    /// pool does not hold the connection.
    pub(crate) fn enter(&self, id: ConnId) -> Option<Lease<C>> {
        let entered = self.0.slots.read(|slots| slots.enter(id));
        entered.map(Lease::of_counted)
    }

    /// Reports that a connection ended by itself.
    pub(crate) fn remove(&self, id: ConnId) {
        self.0.with(|slots| slots.remove(id));
    }

    /// Takes this connection away from new callers. It closes when its last request ends, and the
    /// next caller dials.
    pub(crate) fn replace(&self, id: ConnId) -> Replaced {
        let now = self.0.now();
        let replaced = self.0.with(|slots| slots.replace(id, now));
        self.0.drains_changed();
        replaced
    }

    /// A weak reference, which does not keep the pool alive.
    pub(crate) fn downgrade(&self) -> WeakPool<C> {
        WeakPool(Arc::downgrade(&self.0))
    }

    async fn get(&self, peer: &Peer, lane: Lane, need: Need, another: bool) -> Result<Lease<C>, PoolError> {
        // The usual case takes only the shared lock, so that look-ups do not wait for each other.
        if !another
            && let Some(pooled) = self.0.slots.read(|slots| slots.acquire_ready(Route::new(&peer.id, lane)))
        {
            return Ok(Lease::of_counted(pooled));
        }
        if need == Need::OpenOnly {
            add(&self.0.counters.refused_unconnected, 1);
            return Err(PoolError::NotConnected { peer: peer.clone() });
        }
        match self.0.look_up(peer, lane, need, another)? {
            Found::Lease(lease) => Ok(lease),
            // The slot owns the sender until the dial is settled, and each way to settle a dial
            // sends an answer.
            Found::Queue(queue) => queue.await.unwrap_or(Err(PoolError::Closed)),
        }
    }
}

/// What the pool did with a connection to adopt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// Callers get it from now on.
    InUse,
    /// The pool prefers another connection, and closes this one soon.
    Spare,
    /// The pool has no slot for it, and does not manage it.
    NoRoom,
}

/// The result of a look-up.
enum Found<C: Connect> {
    Lease(Lease<C>),
    Queue(oneshot::Receiver<Result<Lease<C>, PoolError>>),
}

impl<C: Connect> Inner<C> {
    /// Returns a lease or a place in the queue of a dial. Starts the dial if this caller is the
    /// first.
    fn look_up(
        self: &Arc<Self>,
        peer: &Peer,
        lane: Lane,
        need: Need,
        another: bool,
    ) -> Result<Found<C>, PoolError> {
        let route = Route::new(&peer.id, lane);
        let mut queue = None;
        let caller = || {
            let (sender, receiver) = oneshot::channel();
            queue = Some(receiver);
            Caller(sender)
        };
        let new_id = || self.new_id();
        let acquired = self.with(|slots| {
            if another {
                slots.acquire_another(route, new_id, caller)
            } else {
                slots.acquire(route, new_id, caller)
            }
        });
        match acquired.map_err(|refused| self.refused(Some(&peer.id), refused))? {
            Acquired::Ready(pooled) => return Ok(Found::Lease(Lease::of_counted(pooled))),
            // A `Patient` caller may have started the dial. This caller must not wait like one.
            Acquired::Waiting if need == Need::Urgent => self.dial_queue.make_urgent(route),
            Acquired::Waiting => {}
            Acquired::Dial { id } => dial::start(self, peer.clone(), (lane, need), id),
        }
        Ok(Found::Queue(queue.expect("both other cases of `acquired` call `caller`")))
    }

    /// The connection in the form in which the slots store it.
    fn wrap(self: &Arc<Self>, conn: C::Connection) -> PoolConnection<C> {
        PoolConnection { conn, pool: Arc::downgrade(self), clock: self.clock }
    }

    /// Runs `f` on the slots. Then, without the lock, closes the connections that lost their slots.
    fn with<R>(&self, f: impl FnOnce(&mut Slots<PoolConnection<C>, Caller<C>>) -> R) -> R {
        let close = |wrapped: PoolConnection<C>, reason| {
            self.counters.closed(reason);
            wrapped.conn.close(reason);
        };
        self.slots.with(f, close)
    }

    /// The last use of a connection ended, and some code waits for that: a drain, or
    /// [`unused`](ConnectionPool::unused).
    fn unused(&self, id: ConnId) {
        let now = self.now();
        self.with(|slots| slots.unused(id, now));
        self.drains_changed();
        self.unused.notify_waiters();
    }

    fn give_up(&self, id: ConnId) {
        let now = self.now();
        self.with(|slots| slots.give_up(id, now));
        self.drains_changed();
    }

    /// A request on this connection, sent at `asked`, got no answer in time. Sends a check packet,
    /// or gives the connection up if its peer was mute for too long. Returns whether the peer
    /// acknowledged a packet since `asked`.
    ///
    /// A time-out alone does not end a connection: under load that causes a storm of handshakes
    /// (`docs/decisions/0014`).
    fn timed_out(
        &self,
        id: ConnId,
        peer: &NodeId,
        conn: &C::Connection,
        asked: tokio::time::Instant,
    ) -> bool {
        add(&self.counters.timed_out, 1);
        let (mute, now) = (conn.unacknowledged_for(asked), self.now());
        if mute <= self.mute_limits.limit_for(peer, id, now) {
            conn.check();
        } else {
            self.mute_limits.record_given_up(peer, now);
            self.give_up(id);
        }
        mute.is_zero()
    }

    /// Counts a refusal of the slots, and converts it. Without a peer no queue can be full.
    fn refused(&self, peer: Option<&NodeId>, refused: Refused) -> PoolError {
        match refused {
            Refused::Full { current, max } => {
                add(&self.counters.refused_full, 1);
                PoolError::PoolFull { current, max }
            }
            Refused::QueueFull { waiting, max } => {
                add(&self.counters.refused_queue, 1);
                let peer = peer.expect("only a dial to a peer has a queue").clone();
                PoolError::QueueFull { peer, waiting, max }
            }
            Refused::Closed => PoolError::Closed,
        }
    }

    fn new_id(&self) -> ConnId {
        ConnId(self.next_id.fetch_add(1, Relaxed))
    }

    fn now(&self) -> Instant {
        self.clock.now()
    }

    fn drains_changed(&self) {
        self.drains_changed.notify_one();
    }

    fn next_drain(&self) -> Option<tokio::time::Instant> {
        let due = self.slots.read(Slots::next_drain)?;
        // One millisecond later than due. That is the resolution of tokio's timer, and an earlier
        // sweep would find nothing due.
        Some(self.clock.time_of(due) + Duration::from_millis(1))
    }
}

/// A weak reference to a pool.
pub(crate) struct WeakPool<C: Connect>(Weak<Inner<C>>);

impl<C: Connect> WeakPool<C> {
    /// The pool, if it still exists.
    pub(crate) fn upgrade(&self) -> Option<ConnectionPool<C>> {
        self.0.upgrade().map(ConnectionPool)
    }
}

impl<C: Connect> Clone for ConnectionPool<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C: Connect> fmt::Debug for ConnectionPool<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionPool").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
