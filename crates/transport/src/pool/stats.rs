//! The counters of the pool. They are for people and metrics. No decision reads them, so they need
//! no ordering among each other.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use kinfolk_core::NodeId;
use kinfolk_core::signed::Fingerprint;

use super::times::{DialTimes, Times};
use super::{CloseReason, Lane};

/// The pool at one moment, and what happened since it was created.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolStats {
    /// The most connections that the pool holds without guests.
    pub max_total: usize,
    /// Connections in every state: at most `max_total`, and the guests.
    pub total: usize,
    /// Of these: guests, which peers opened beyond `max_total`.
    pub guests: usize,
    /// Of these: being dialled.
    pub connecting: usize,
    /// Of these: ready, with a request in flight in either direction.
    pub in_use: usize,
    /// Of these: ready and idle.
    pub idle: usize,
    /// Of these: draining or on standby, so that no caller gets them.
    pub draining: usize,
    /// Dials that wait until one of the running dials ends.
    pub dials_waiting: usize,
    /// Requests for a connection that an existing connection or a running dial served.
    pub reused: u64,
    /// Dials started.
    pub dials: u64,
    /// Dials that failed.
    pub dials_failed: u64,
    /// The total time of all successful dials.
    pub dial_time: Duration,
    /// The histogram of the times of successful dials.
    pub dial_times: DialTimes,
    /// Connections that peers opened and the pool adopted.
    pub adopted: u64,
    /// Requests for a connection that failed with `PoolFull`.
    pub refused_full: u64,
    /// Requests for a connection that failed with `NotConnected`.
    pub refused_unconnected: u64,
    /// Dials that did not start, because no caller waited any more when the permit was free.
    pub dials_dropped: u64,
    /// Requests for a connection that failed with `QueueFull`.
    pub refused_queue: u64,
    /// Connections closed to make room.
    pub evicted: u64,
    /// Connections closed after the idle time-out.
    pub idle_closed: u64,
    /// Requests that timed out on a connection ([`Lease::timed_out`](super::Lease::timed_out)).
    pub timed_out: u64,
    /// Connections given up and then closed, because their peer was mute for too long.
    pub unresponsive: u64,
    /// Connections closed because another connection replaced them.
    pub superseded: u64,
    /// Connections given up or replaced, and closed with requests still in flight.
    pub overdue: u64,
    /// Connections that had already ended when the pool closed them.
    pub dead: u64,
    /// Each connection, oldest first. At most `max_total` entries, and the guests.
    pub connections: Vec<ConnectionStats>,
}

/// One connection of the pool, or a dial for one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionStats {
    /// The peer.
    pub peer: NodeId,
    /// The lane.
    pub lane: Lane,
    /// The state.
    pub state: ConnectionState,
    /// Requests and application streams in flight on it, in either direction.
    pub uses: usize,
    /// Whether it is a guest.
    pub guest: bool,
    /// The smoothed round-trip time. None before the first measurement.
    pub rtt: Option<Duration>,
    /// The fingerprint of the peer's certificate in the handshake. None for a dial. Some seconds
    /// after the peer's certificate was replaced, only connections with application streams of
    /// before have the former one.
    pub certificate: Option<Fingerprint>,
}

/// The state of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ConnectionState {
    /// The pool is dialling it.
    Connecting,
    /// Callers get it.
    Ready,
    /// The peer opened it while this node dials too. The pool uses it if this node's dial fails.
    Standby,
    /// It finishes its requests, and no caller gets it any more.
    Draining,
}

impl PoolStats {
    /// Connections that are ready: in use or idle.
    pub const fn ready(&self) -> usize {
        self.in_use + self.idle
    }

    /// The share of requests for a connection that needed no dial, from 0 to 1. 0 before the first
    /// request.
    pub fn reuse_ratio(&self) -> f64 {
        let all = self.reused + self.dials;
        if all == 0 { 0.0 } else { self.reused as f64 / all as f64 }
    }
}

/// The counters behind [`PoolStats`], on cache lines of their own.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Counters {
    pub(super) dials: AtomicU64,
    pub(super) dials_failed: AtomicU64,
    dial_micros: AtomicU64,
    dial_times: Times,
    pub(super) adopted: AtomicU64,
    pub(super) refused_full: AtomicU64,
    pub(super) refused_queue: AtomicU64,
    pub(super) refused_unconnected: AtomicU64,
    pub(super) dials_dropped: AtomicU64,
    evicted: AtomicU64,
    idle_closed: AtomicU64,
    pub(super) timed_out: AtomicU64,
    unresponsive: AtomicU64,
    superseded: AtomicU64,
    overdue: AtomicU64,
    dead: AtomicU64,
}

impl Counters {
    pub(super) fn dialled(&self, took: Duration) {
        add(&self.dial_micros, u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        self.dial_times.count(took);
    }

    pub(super) fn closed(&self, reason: CloseReason) {
        let counter = match reason {
            CloseReason::Idle => &self.idle_closed,
            CloseReason::Evicted => &self.evicted,
            CloseReason::Superseded => &self.superseded,
            CloseReason::Unresponsive => &self.unresponsive,
            CloseReason::Overdue => &self.overdue,
            CloseReason::Dead => &self.dead,
            CloseReason::Shutdown => return,
        };
        add(counter, 1);
    }

    pub(super) fn stats(
        &self,
        (max_total, dials_waiting): (usize, usize),
        counts: (usize, usize, usize, usize),
        reused: u64,
        connections: Vec<ConnectionStats>,
    ) -> PoolStats {
        let (connecting, in_use, idle, draining) = counts;
        PoolStats {
            max_total,
            dials_waiting,
            total: connecting + in_use + idle + draining,
            guests: connections.iter().filter(|connection| connection.guest).count(),
            connecting,
            in_use,
            idle,
            draining,
            reused,
            dials: self.dials.load(Relaxed),
            dials_failed: self.dials_failed.load(Relaxed),
            dial_time: Duration::from_micros(self.dial_micros.load(Relaxed)),
            dial_times: self.dial_times.read(),
            adopted: self.adopted.load(Relaxed),
            refused_full: self.refused_full.load(Relaxed),
            refused_queue: self.refused_queue.load(Relaxed),
            refused_unconnected: self.refused_unconnected.load(Relaxed),
            dials_dropped: self.dials_dropped.load(Relaxed),
            evicted: self.evicted.load(Relaxed),
            idle_closed: self.idle_closed.load(Relaxed),
            timed_out: self.timed_out.load(Relaxed),
            unresponsive: self.unresponsive.load(Relaxed),
            superseded: self.superseded.load(Relaxed),
            overdue: self.overdue.load(Relaxed),
            dead: self.dead.load(Relaxed),
            connections,
        }
    }
}

pub(super) fn add(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Relaxed);
}
