//! One counted use of a connection. While a lease lives, its connection is neither idle nor evicted.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use super::{ConnId, Connect, Inner, Pooled};

/// The right to use one connection, shared with others. Dropping it ends the use.
pub struct Lease<C: Connect> {
    pool: Arc<Inner<C>>,
    pooled: Arc<Pooled<C::Connection>>,
}

impl<C: Connect> Lease<C> {
    /// A lease of a use that has been counted.
    pub(super) fn of_counted(pool: Arc<Inner<C>>, pooled: Arc<Pooled<C::Connection>>) -> Self {
        Self { pool, pooled }
    }

    /// The connection's number.
    pub fn id(&self) -> ConnId {
        self.pooled.id
    }

    /// Says that a request on this connection timed out. It is not handed out any more: the next caller dials afresh.
    /// It is closed when the requests in flight on it have ended, after 2 s at the latest
    /// ([`drain_timeout`](super::PoolConfig::drain_timeout)).
    pub fn doubt(&self) {
        self.pool.doubt(self.id());
    }
}

impl<C: Connect> Deref for Lease<C> {
    type Target = C::Connection;

    fn deref(&self) -> &C::Connection {
        &self.pooled.conn
    }
}

impl<C: Connect> Drop for Lease<C> {
    fn drop(&mut self) {
        self.pool.release(&self.pooled);
    }
}

impl<C: Connect> fmt::Debug for Lease<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("id", &self.id()).finish_non_exhaustive()
    }
}
