//! A place for a dial to an address whose node is not known, such as a seed: it counts against the limits as any other.

use std::sync::Arc;

use super::turns::Turn;
use super::{ConnId, Connect, Inner, Need, PoolError};

/// A place in the pool and the right to dial. Dropping it gives both back; the place only if no connection has taken it
/// over.
pub(crate) struct Reservation<'a, C: Connect> {
    pool: &'a Arc<Inner<C>>,
    id: ConnId,
    _turn: Turn,
}

impl<'a, C: Connect> Reservation<'a, C> {
    pub(super) async fn take(pool: &'a Arc<Inner<C>>) -> Result<Self, PoolError> {
        let turn = pool.turns.queue(None, Need::Urgent).turn().await;
        let id = pool.new_id();
        pool.with(|slots| slots.reserve(id)).map_err(|refused| pool.refused(None, refused))?;
        Ok(Self { pool, id, _turn: turn })
    }

    /// The number of the connection to be.
    pub(crate) fn id(&self) -> ConnId {
        self.id
    }
}

impl<C: Connect> Drop for Reservation<'_, C> {
    fn drop(&mut self) {
        // If a connection has the place, its slot is not a dial's and this does nothing.
        let nobody_waits = self.pool.with(|slots| slots.dial_failed(self.id));
        debug_assert!(nobody_waits.waiters.is_empty(), "nobody waits for a dial without a name");
    }
}
