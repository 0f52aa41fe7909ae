//! Connections that have lost their slot and are to be closed, outside the lock.

use super::super::CloseReason;
use super::super::pooled::Pooled;

/// A connection to close, and why.
pub(crate) type ToClose<C> = (C, CloseReason);

/// What leaves the slots, and what was counted on it.
#[derive(Debug)]
pub(super) struct Exits<C> {
    /// Connections that calls since the last [`take`](Self::take) have put out.
    closable: Vec<ToClose<C>>,
    /// Callers that found a dial under way, or a connection that is closed by now.
    reused: u64,
}

impl<C: Clone> Exits<C> {
    pub(super) fn new() -> Self {
        Self { closable: Vec::new(), reused: 0 }
    }

    /// A connection without a slot is to be closed.
    pub(super) fn put_out(&mut self, pooled: &Pooled<C>, reason: CloseReason) {
        self.reused += pooled.reused();
        self.put_out_unused(pooled.conn.clone(), reason);
    }

    /// So is one that never had a slot.
    pub(super) fn put_out_unused(&mut self, conn: C, reason: CloseReason) {
        self.closable.push((conn, reason));
    }

    /// A caller found a dial under way.
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
