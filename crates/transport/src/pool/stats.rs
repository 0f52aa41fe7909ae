//! What the pool has done and holds, as numbers. The counters are for people and metrics; no decision reads them, so
//! that they need no ordering among each other.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::CloseReason;

/// The pool at one moment, and what happened since it was made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolStats {
    /// Connections in every state.
    pub total: usize,
    /// Of these: being dialled.
    pub connecting: usize,
    /// Of these: ready, with a request in flight in either direction.
    pub in_use: usize,
    /// Of these: ready and idle.
    pub idle: usize,
    /// Of these: not handed out any more, or not yet.
    pub draining: usize,
    /// Requests for a connection that got one which was there already.
    pub reused: u64,
    /// Dials begun.
    pub dials: u64,
    /// Dials that failed.
    pub dials_failed: u64,
    /// The time that successful dials took, all together.
    pub dial_time: Duration,
    /// Connections that peers opened and that were taken up.
    pub adopted: u64,
    /// Refused with `PoolFull`.
    pub refused_full: u64,
    /// Refused with `QueueFull`.
    pub refused_queue: u64,
    /// Closed to make room.
    pub evicted: u64,
    /// Closed after the idle time-out.
    pub idle_closed: u64,
    /// Closed because a request on them timed out.
    pub doubtful: u64,
    /// Closed because another connection took their place.
    pub superseded: u64,
    /// Closed, after one of these two, with requests still in flight.
    pub overdue: u64,
    /// Found to have ended.
    pub dead: u64,
}

impl PoolStats {
    /// The share of requests for a connection that needed no dial, from 0 to 1; 0 before the first request.
    pub fn reuse_ratio(&self) -> f64 {
        let all = self.reused + self.dials;
        if all == 0 { 0.0 } else { self.reused as f64 / all as f64 }
    }
}

/// The counters behind [`PoolStats`].
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) reused: AtomicU64,
    pub(super) dials: AtomicU64,
    pub(super) dials_failed: AtomicU64,
    pub(super) dial_micros: AtomicU64,
    pub(super) adopted: AtomicU64,
    pub(super) refused_full: AtomicU64,
    pub(super) refused_queue: AtomicU64,
    evicted: AtomicU64,
    idle_closed: AtomicU64,
    doubtful: AtomicU64,
    superseded: AtomicU64,
    overdue: AtomicU64,
    dead: AtomicU64,
}

impl Counters {
    pub(super) fn closed(&self, reason: CloseReason) {
        let counter = match reason {
            CloseReason::Idle => &self.idle_closed,
            CloseReason::Evicted => &self.evicted,
            CloseReason::Superseded => &self.superseded,
            CloseReason::Doubtful => &self.doubtful,
            CloseReason::Overdue => &self.overdue,
            CloseReason::Dead => &self.dead,
            CloseReason::Shutdown => return,
        };
        add(counter, 1);
    }

    pub(super) fn stats(&self, counts: (usize, usize, usize, usize)) -> PoolStats {
        let (connecting, in_use, idle, draining) = counts;
        PoolStats {
            total: connecting + in_use + idle + draining,
            connecting,
            in_use,
            idle,
            draining,
            reused: self.reused.load(Relaxed),
            dials: self.dials.load(Relaxed),
            dials_failed: self.dials_failed.load(Relaxed),
            dial_time: Duration::from_micros(self.dial_micros.load(Relaxed)),
            adopted: self.adopted.load(Relaxed),
            refused_full: self.refused_full.load(Relaxed),
            refused_queue: self.refused_queue.load(Relaxed),
            evicted: self.evicted.load(Relaxed),
            idle_closed: self.idle_closed.load(Relaxed),
            doubtful: self.doubtful.load(Relaxed),
            superseded: self.superseded.load(Relaxed),
            overdue: self.overdue.load(Relaxed),
            dead: self.dead.load(Relaxed),
        }
    }
}

pub(super) fn add(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Relaxed);
}
