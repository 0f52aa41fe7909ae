//! The connection pool: at most so many connections, one to a peer, shared by all who talk to it. This file is the
//! asynchronous shell; what may happen to a connection is decided in `slots`, which draws it, under a lock that is never
//! held over an `.await`. Nothing here knows QUIC.

mod clock;
mod config;
mod connect;
mod dial;
mod error;
#[cfg(test)]
mod fake;
mod guarded;
mod lane;
mod lease;
#[cfg(all(test, kinfolk_loom))]
mod loom_slots;
mod maintenance;
mod need;
mod patience;
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
mod turns;

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
use lease::Housed;
pub use lease::Lease;
pub use need::Need;
pub(crate) use reservation::Reservation;
pub use stats::{ConnectionState, ConnectionStats, PoolStats};
pub(crate) use tie::Side;
pub use times::DialTimes;

use clock::Clock;
use guarded::Guarded;
use patience::Patience;
use pooled::Pooled;
use slots::{Acquired, Adopted, Limits, Refused, Slots, Waiter};
use stats::{Counters, add};
use tie::Tie;
use turns::Turns;

use crate::peer::Peer;

/// Connections to peers, by name. Cloning is cheap and gives the same pool.
///
/// Callers share a peer's connection; who asks while it is being dialled waits for that one dial. Limits are hard, and
/// what happens at each is said in [`PoolConfig`].
pub struct ConnectionPool<C: Connect>(Arc<Inner<C>>);

pub(crate) struct Inner<C: Connect> {
    slots: Guarded<Housed<C>, Caller<C>>,
    connector: C,
    config: PoolConfig,
    counters: Counters,
    turns: Turns,
    patience: Patience,
    next_id: AtomicU64,
    clock: Clock,
    closing: watch::Sender<bool>,
    /// Wakes the maintenance task: the time of the next drain may have changed.
    drains_changed: Arc<Notify>,
    /// Wakes those who wait for the last use to end.
    unused: Notify,
}

/// A caller that waits for a dial.
pub(crate) struct Caller<C: Connect>(oneshot::Sender<Result<Lease<C>, PoolError>>);

impl<C: Connect> Waiter for Caller<C> {
    fn is_gone(&self) -> bool {
        self.0.is_closed()
    }
}

impl<C: Connect> ConnectionPool<C> {
    /// A pool for the node `local`, which gets its connections from `connector`. A limit of 0 counts as 1.
    ///
    /// # Panics
    /// Outside a tokio runtime: the pool keeps a task for its upkeep.
    pub fn new(local: NodeId, config: PoolConfig, connector: C) -> Self {
        let limits = Limits {
            max_total: config.max_total.max(1),
            max_streams: config.max_total / 2,
            guests_max: config.guests_max,
            max_per_peer: config.max_per_peer.max(1),
            waiters_max: config.waiters_max.max(1),
            drain: config.drain_timeout,
            tie: Tie::new(local, config.connect_timeout),
        };
        let inner = Arc::new(Inner {
            slots: Guarded::new(limits),
            connector,
            counters: Counters::default(),
            turns: Turns::new(config.dials_max.max(1)),
            patience: Patience::new(config.mute_max, config.max_total.max(1)),
            config,
            next_id: AtomicU64::new(1),
            clock: Clock::start(),
            closing: watch::Sender::new(false),
            drains_changed: Arc::new(Notify::new()),
            unused: Notify::new(),
        });
        tokio::spawn(maintenance::run(Arc::downgrade(&inner)));
        Self(inner)
    }

    /// The connection to `peer`: the one that there is, or one that is dialled for all who ask.
    ///
    /// # Errors
    /// [`PoolError`]: a limit, a failed dial (every caller that waited for it gets its cause), or a closed pool.
    ///
    /// # Cancel safety
    /// Nothing is lost: a dial that was begun goes on, and its connection is there for the next
    /// caller. A dial that still waits for its turn is not begun once no caller waits for it.
    pub async fn acquire(&self, peer: &Peer) -> Result<Lease<C>, PoolError> {
        self.get(peer, Lane::Requests, Need::Urgent, false).await
    }

    /// A further connection to `peer`, beside those that there are; afterwards it is shared as they are.
    ///
    /// # Errors
    /// As [`acquire`](Self::acquire); [`PoolFull`](PoolError::PoolFull) if the peer has `max_per_peer` already.
    ///
    /// # Cancel safety
    /// As [`acquire`](Self::acquire).
    pub async fn acquire_another(&self, peer: &Peer) -> Result<Lease<C>, PoolError> {
        self.get(peer, Lane::Requests, Need::Urgent, true).await
    }

    /// As [`acquire`](Self::acquire), for one lane to the peer: each has connections of its own.
    ///
    /// # Errors
    /// As [`acquire`](Self::acquire); also [`PoolFull`](PoolError::PoolFull) if connections for streams hold their half of
    /// `max_total`.
    ///
    /// # Cancel safety
    /// As [`acquire`](Self::acquire).
    pub async fn acquire_on(&self, peer: &Peer, lane: Lane) -> Result<Lease<C>, PoolError> {
        self.get(peer, lane, if lane.is_streams() { Need::Patient } else { Need::Urgent }, false).await
    }

    /// As [`acquire`](Self::acquire), with what to do where there is no open connection.
    ///
    /// # Errors
    /// As [`acquire`](Self::acquire); also [`NotConnected`](PoolError::NotConnected) with [`Need::OpenOnly`].
    ///
    /// # Cancel safety
    /// As [`acquire`](Self::acquire).
    pub async fn acquire_by(&self, peer: &Peer, need: Need) -> Result<Lease<C>, PoolError> {
        self.get(peer, Lane::Requests, need, false).await
    }

    /// What the pool holds and has done.
    pub fn stats(&self) -> PoolStats {
        let look = |slots: &Slots<_, _>| (slots.counts(), slots.reused(), slots.connections());
        let (counts, reused, connections) = self.0.slots.read(look);
        let describe = |(mut stats, housed): (ConnectionStats, Option<Housed<C>>)| {
            stats.rtt = housed.and_then(|housed| housed.conn.rtt());
            stats
        };
        self.0.counters.stats(counts, reused, connections.into_iter().map(describe).collect())
    }

    /// The limits.
    pub fn config(&self) -> &PoolConfig {
        &self.0.config
    }

    /// Waits until no request is in flight in either direction.
    ///
    /// # Cancel safety
    /// It only waits.
    pub async fn unused(&self) {
        loop {
            let unused = self.0.unused.notified();
            tokio::pin!(unused);
            // Listening begins before the look, so that a last use that ends in between is not missed.
            unused.as_mut().enable();
            if self.0.with(Slots::watch_uses) == 0 {
                return;
            }
            unused.await;
        }
    }

    /// Closes every connection, gives up every dial, and gives out nothing any more. Those who wait get
    /// [`PoolError::Closed`].
    pub fn close(&self) {
        self.0.closing.send_replace(true);
        let callers = self.0.with(Slots::close_all);
        for caller in callers {
            drop(caller.0.send(Err(PoolError::Closed)));
        }
        self.0.unused.notify_waiters();
    }

    /// Says how late this node is with what it has to do: a late node gives connections more time.
    pub fn set_lateness(&self, late: Duration) {
        self.0.patience.set_lateness(late);
    }

    /// The ready connection for requests to a peer, if there is one. It counts no use, so it may be closed at any time.
    pub(crate) fn peek(&self, peer: &NodeId) -> Option<C::Connection> {
        let housed = self.0.slots.read(|slots| slots.peek(Route::new(peer, Lane::Requests)));
        housed.map(|housed| housed.conn)
    }

    /// The number for a connection that is not dialled through the pool.
    pub(crate) fn new_id(&self) -> ConnId {
        self.0.new_id()
    }

    /// Takes up a connection that was not dialled through the pool.
    pub(crate) fn adopt(&self, id: ConnId, route: Route<'_>, conn: C::Connection, side: Side) -> Taken {
        let (housed, now) = (self.0.house(conn), self.0.now());
        let adopted = self.0.with(|slots| slots.adopt(id, route, housed, side, now));
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

    /// A place in the pool, and the right to run one of the dials that may run at the same time, for a dial to an address
    /// whose node is not known. [`adopt`](Self::adopt) with the reservation's id takes the place over.
    pub(crate) async fn reserve(&self) -> Result<Reservation<'_, C>, PoolError> {
        Reservation::take(&self.0).await
    }

    /// How many more dials may run now.
    #[cfg(any(test, feature = "simulation"))]
    pub(crate) fn dials_free(&self) -> usize {
        self.0.config.dials_max.max(1) - self.0.turns.running()
    }

    /// Whether a dial of this route waits for its turn among the dials that may run.
    pub(crate) fn dial_is_queued(&self, route: Route<'_>) -> bool {
        self.0.turns.holds(route)
    }

    /// What the connections come from.
    pub(crate) fn connector(&self) -> &C {
        &self.0.connector
    }

    /// A lease of a connection by its number, for a request that came in on it. None if the pool does not hold it.
    pub(crate) fn enter(&self, id: ConnId) -> Option<Lease<C>> {
        let entered = self.0.slots.read(|slots| slots.enter(id));
        entered.map(Lease::of_counted)
    }

    /// A connection has ended by itself.
    pub(crate) fn remove(&self, id: ConnId) {
        self.0.with(|slots| slots.remove(id));
    }

    /// A reference that does not keep the pool.
    pub(crate) fn downgrade(&self) -> WeakPool<C> {
        WeakPool(Arc::downgrade(&self.0))
    }

    async fn get(&self, peer: &Peer, lane: Lane, need: Need, another: bool) -> Result<Lease<C>, PoolError> {
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
            Place::Lease(lease) => Ok(lease),
            // The sender lives in the slot until the dial is settled, and every way to settle it answers.
            Place::Queue(queue) => queue.await.unwrap_or(Err(PoolError::Closed)),
        }
    }
}

/// What became of a connection that was brought to the pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// Callers get it from now on.
    InUse,
    /// Another is preferred; it is closed soon.
    Spare,
    /// There is no slot for it: the pool has nothing to do with it.
    NoRoom,
}

/// What a look-up gives.
enum Place<C: Connect> {
    Lease(Lease<C>),
    Queue(oneshot::Receiver<Result<Lease<C>, PoolError>>),
}

impl<C: Connect> Inner<C> {
    /// A lease or a place in a queue; starts the dial if that is this caller's task.
    fn look_up(
        self: &Arc<Self>,
        peer: &Peer,
        lane: Lane,
        need: Need,
        another: bool,
    ) -> Result<Place<C>, PoolError> {
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
            Acquired::Ready(pooled) => return Ok(Place::Lease(Lease::of_counted(pooled))),
            Acquired::Waiting if need == Need::Urgent => self.turns.hurry(route),
            Acquired::Waiting => {}
            Acquired::Dial { id } => dial::start(self, peer.clone(), (lane, need), id),
        }
        Ok(Place::Queue(queue.expect("a place in the queue was taken")))
    }

    /// The connection as the slots hold it.
    fn house(self: &Arc<Self>, conn: C::Connection) -> Housed<C> {
        Housed { conn, pool: Arc::downgrade(self), clock: self.clock }
    }

    /// Runs `f` on the slots, and afterwards, outside the lock, closes the connections that it put out.
    fn with<R>(&self, f: impl FnOnce(&mut Slots<Housed<C>, Caller<C>>) -> R) -> R {
        let close = |housed: Housed<C>, reason| {
            self.counters.closed(reason);
            housed.conn.close(reason);
        };
        self.slots.with(f, close)
    }

    /// The last use of a connection has ended, and somebody waits for that.
    fn unused(&self, id: ConnId) {
        let now = self.now();
        self.with(|slots| slots.unused(id, now));
        self.drains_changed();
        self.unused.notify_waiters();
    }

    fn doubt(&self, id: ConnId) {
        let now = self.now();
        self.with(|slots| slots.doubt(id, now));
        self.drains_changed();
    }

    /// A request on this connection, sent at `asked`, has no answer in time. It is asked for a sign of life, and given up if
    /// its peer has been mute for too long. Returns whether the peer has acknowledged anything since.
    fn timed_out(
        &self,
        id: ConnId,
        peer: &NodeId,
        conn: &C::Connection,
        asked: tokio::time::Instant,
    ) -> bool {
        add(&self.counters.timed_out, 1);
        let (mute, now) = (conn.mute_since(asked), self.now());
        if mute <= self.patience.with(peer, id, now) {
            conn.check();
        } else {
            self.patience.given_up(peer, now);
            self.doubt(id);
        }
        mute.is_zero()
    }

    /// A refusal by the slots, counted, in the pool's words. Without a peer there is no queue that could be full.
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
        // A millisecond more than due, the timer's own grain, so that the sweep finds it due.
        Some(self.clock.time_of(due) + Duration::from_millis(1))
    }
}

/// A reference to a pool that does not keep it.
pub(crate) struct WeakPool<C: Connect>(Weak<Inner<C>>);

impl<C: Connect> WeakPool<C> {
    /// The pool, if it is still there.
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
