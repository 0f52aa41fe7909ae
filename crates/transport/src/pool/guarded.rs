//! The slots behind their lock. No other code takes the lock. So this file alone shows that the
//! lock is never held while a connection is closed, a caller is woken, or a future is awaited.

use super::CloseReason;
use super::slots::{Limits, SlotConnection, Slots, Waiter};
use super::sync::RwLock;

/// Slots that many threads share.
pub(super) struct Guarded<C, W>(RwLock<Slots<C, W>>);

impl<C: SlotConnection, W: Waiter> Guarded<C, W> {
    pub(super) fn new(limits: Limits) -> Self {
        Self(RwLock::new(Slots::new(limits)))
    }

    /// Runs `f` on the slots. Then, without the lock, calls `close` on each connection that lost
    /// its slot.
    pub(super) fn with<R>(
        &self,
        f: impl FnOnce(&mut Slots<C, W>) -> R,
        mut close: impl FnMut(C, CloseReason),
    ) -> R {
        let mut slots = self.0.write();
        let result = f(&mut slots);
        let closable = slots.take_closable();
        drop(slots);
        for (conn, reason) in closable {
            // Closing runs code outside the pool. Look-ups must not wait for it.
            close(conn, reason);
        }
        result
    }

    /// Reads the slots, at the same time as other readers.
    pub(super) fn read<R>(&self, f: impl FnOnce(&Slots<C, W>) -> R) -> R {
        f(&self.0.read())
    }
}
