//! One counted use of a connection. While a lease lives, its connection is neither idle nor evicted.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Weak};

use kinfolk_core::NodeId;

use super::clock::Clock;
use super::slots::Held;
use super::{ConnId, Connect, Connection as _, Inner, Pooled};

/// A connection as the slots hold it, with the way back to its pool: so that a lease is one counted reference, and to take
/// and give back one writes nothing that leases of other connections write too.
pub(crate) struct Housed<C: Connect> {
    pub(super) conn: C::Connection,
    pub(super) pool: Weak<Inner<C>>,
    pub(super) clock: Clock,
}

impl<C: Connect> Held for Housed<C> {
    fn is_open(&self) -> bool {
        self.conn.is_open()
    }
}

impl<C: Connect> Clone for Housed<C> {
    fn clone(&self) -> Self {
        Self { conn: self.conn.clone(), pool: Weak::clone(&self.pool), clock: self.clock }
    }
}

/// The right to use one connection, shared with others. Dropping it ends the use. It does not keep the pool.
pub struct Lease<C: Connect>(Arc<Pooled<Housed<C>>>);

impl<C: Connect> Lease<C> {
    /// A lease of a use that has been counted.
    pub(super) fn of_counted(pooled: Arc<Pooled<Housed<C>>>) -> Self {
        Self(pooled)
    }

    /// The connection's number.
    pub fn id(&self) -> ConnId {
        self.0.id
    }

    /// Says that a request on this connection, sent at `asked`, has no answer in time. If the peer has acknowledged anything
    /// since, or has not been mute for long ([`mute_max`](super::PoolConfig::mute_max)), the connection stays and is asked for
    /// a sign of life. Otherwise it is [given up](Self::doubt). Returns whether the peer has acknowledged anything.
    pub fn timed_out(&self, peer: &NodeId, asked: tokio::time::Instant) -> bool {
        let pool = self.0.conn.pool.upgrade();
        pool.is_some_and(|pool| pool.timed_out(self.id(), peer, self, asked))
    }

    /// Gives this connection up. It is not handed out any more: the next caller dials afresh.
    /// It is closed when the requests in flight on it have ended, after 2 s at the latest
    /// ([`drain_timeout`](super::PoolConfig::drain_timeout)).
    pub fn doubt(&self) {
        if let Some(pool) = self.0.conn.pool.upgrade() {
            pool.doubt(self.id());
        }
    }
}

impl<C: Connect> Deref for Lease<C> {
    type Target = C::Connection;

    fn deref(&self) -> &C::Connection {
        &self.0.conn.conn
    }
}

impl<C: Connect> Drop for Lease<C> {
    fn drop(&mut self) {
        let Housed { pool, clock, .. } = &self.0.conn;
        if self.0.end(clock.now())
            && let Some(pool) = pool.upgrade()
        {
            pool.unused(self.id());
        }
    }
}

impl<C: Connect> fmt::Debug for Lease<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("id", &self.id()).finish_non_exhaustive()
    }
}
