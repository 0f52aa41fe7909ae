//! A *lease* is one counted use of a connection. While a lease exists, its connection is not idle
//! and cannot be evicted.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Weak};

use kinfolk_core::NodeId;

use super::clock::Clock;
use super::slots::SlotConnection;
use super::{ConnId, Connect, Connection as _, Inner, Pooled};

/// A connection as the slots store it, with a reference to its pool.
///
/// The reference is stored here so that a lease is a single counted pointer. Taking or dropping a
/// lease then writes no memory that leases of other connections write too.
pub(crate) struct PoolConnection<C: Connect> {
    pub(super) conn: C::Connection,
    pub(super) pool: Weak<Inner<C>>,
    pub(super) clock: Clock,
}

impl<C: Connect> SlotConnection for PoolConnection<C> {
    fn is_open(&self) -> bool {
        self.conn.is_open()
    }
}

impl<C: Connect> Clone for PoolConnection<C> {
    fn clone(&self) -> Self {
        Self { conn: self.conn.clone(), pool: Weak::clone(&self.pool), clock: self.clock }
    }
}

/// The right to use one connection, which other callers share. Dropping it ends the use. A lease
/// does not keep the pool alive.
pub struct Lease<C: Connect>(Arc<Pooled<PoolConnection<C>>>);

impl<C: Connect> Lease<C> {
    /// Creates a lease for a use that is already counted.
    pub(super) fn of_counted(pooled: Arc<Pooled<PoolConnection<C>>>) -> Self {
        Self(pooled)
    }

    /// The number of the connection.
    pub fn id(&self) -> ConnId {
        self.0.id
    }

    /// Reports that a request on this connection, sent at `asked`, got no answer in time.
    ///
    /// If the peer acknowledged a packet since, or was not mute for long
    /// ([`unacknowledged_max`](super::PoolConfig::unacknowledged_max)), the pool keeps the
    /// connection and sends a check packet. Otherwise it [gives the connection
    /// up](Self::give_up). Returns whether the peer acknowledged a packet since `asked`.
    pub fn timed_out(&self, peer: &NodeId, asked: tokio::time::Instant) -> bool {
        let pool = self.0.conn.pool.upgrade();
        pool.is_some_and(|pool| pool.timed_out(self.id(), peer, self, asked))
    }

    /// Gives this connection up. No caller gets it any more, and the next caller dials again.
    ///
    /// The pool closes it when its last request ends, and after the drain time-out at the latest
    /// ([`drain_timeout`](super::PoolConfig::drain_timeout), default 2 s). Application streams on
    /// it have no time limit.
    pub fn give_up(&self) {
        if let Some(pool) = self.0.conn.pool.upgrade() {
            pool.give_up(self.id());
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
        let PoolConnection { pool, clock, .. } = &self.0.conn;
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
