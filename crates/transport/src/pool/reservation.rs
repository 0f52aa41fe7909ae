//! A *reservation*: a place for a dial to an address whose node is unknown, such as a seed. It
//! counts against the limits like any other dial.

use std::sync::Arc;

use super::dial_queue::DialPermit;
use super::{ConnId, Connect, Inner, Need, PoolError};

/// A place in the pool and a permit to dial. Dropping it returns the permit. It also returns the
/// place, unless a connection has taken it over.
pub(crate) struct Reservation<'a, C: Connect> {
    pool: &'a Arc<Inner<C>>,
    id: ConnId,
    _permit: DialPermit,
}

impl<'a, C: Connect> Reservation<'a, C> {
    pub(super) async fn take(pool: &'a Arc<Inner<C>>) -> Result<Self, PoolError> {
        // Wait for the permit first: otherwise this dial holds a place in the pool while it waits.
        let permit = pool.dial_queue.join(None, Need::Urgent).permit().await;
        let id = pool.new_id();
        pool.with(|slots| slots.reserve(id)).map_err(|refused| pool.refused(None, refused))?;
        Ok(Self { pool, id, _permit: permit })
    }

    /// The number of the future connection.
    pub(crate) fn id(&self) -> ConnId {
        self.id
    }
}

impl<C: Connect> Drop for Reservation<'_, C> {
    fn drop(&mut self) {
        // If a connection has taken the place, its slot does not hold a dial, and this call does
        // nothing.
        let woken = self.pool.with(|slots| slots.dial_failed(self.id));
        debug_assert!(woken.waiters.is_empty(), "a dial without a name has no waiters");
    }
}
