//! The queue of connections that lost their slot. The shell closes them without the lock.

use super::super::CloseReason;
use super::super::pooled::Pooled;

/// A connection to close, and the reason.
pub(crate) type ToClose<C> = (C, CloseReason);

/// The connections to close, and the counts of connections that are closed by now.
#[derive(Debug)]
pub(super) struct CloseQueue<C> {
    /// Connections that lost their slot since the last [`take`](Self::take).
    closable: Vec<ToClose<C>>,
    /// Callers that found a running dial, or a connection that is closed by now.
    reused: u64,
}

impl<C: Clone> CloseQueue<C> {
    pub(super) fn new() -> Self {
        Self { closable: Vec::new(), reused: 0 }
    }

    /// Adds a connection that had a slot. Its count of callers would be lost with it.
    pub(super) fn push(&mut self, pooled: &Pooled<C>, reason: CloseReason) {
        self.reused += pooled.reused();
        self.push_without_slot(pooled.conn.clone(), reason);
    }

    /// Adds a connection that never had a slot.
    pub(super) fn push_without_slot(&mut self, conn: C, reason: CloseReason) {
        self.closable.push((conn, reason));
    }

    /// Counts a caller that found a running dial.
    pub(super) fn count_reuse(&mut self) {
        self.reused += 1;
    }

    pub(super) fn reused(&self) -> u64 {
        self.reused
    }

    pub(super) fn take(&mut self) -> Vec<ToClose<C>> {
        std::mem::take(&mut self.closable)
    }
}
