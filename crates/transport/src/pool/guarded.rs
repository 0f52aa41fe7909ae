//! The slots behind their lock. Nothing else takes the lock, so that one look here shows that it is never held while a
//! connection is closed, a caller is woken, or anything is awaited.

use super::CloseReason;
use super::slots::{Held, Limits, Slots, Waiter};
use super::sync::RwLock;

/// Slots that many threads share.
pub(super) struct Guarded<C, W>(RwLock<Slots<C, W>>);

impl<C: Held, W: Waiter> Guarded<C, W> {
    pub(super) fn new(limits: Limits) -> Self {
        Self(RwLock::new(Slots::new(limits)))
    }

    /// Runs `f` on the slots; afterwards, outside the lock, `close` on each connection that this put out.
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
            close(conn, reason);
        }
        result
    }

    /// Looks at the slots without changing them, at the same time as others.
    pub(super) fn read<R>(&self, f: impl FnOnce(&Slots<C, W>) -> R) -> R {
        f(&self.0.read())
    }
}
