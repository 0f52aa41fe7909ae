//! How long a connection may stay mute before the pool replaces it.
//!
//! A handshake costs many times what a request does (`docs/bench/pool.md` measures ten times the
//! latency). If each time-out caused a handshake, a node that is short of CPU would have to make
//! more and more of them, and would not recover (`docs/decisions/0014`).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use kinfolk_core::{Instant, NodeId, Rng};
use parking_lot::Mutex;

use super::ConnId;

/// The upper bound of the base time. A longer time has no practical effect, and this one can still
/// be multiplied without overflow.
const BASE_MAX: Duration = Duration::from_hours(24);

/// The time doubles at most this often, to 32 times the base: 64 s with the default of 2 s.
const DOUBLINGS_MAX: u32 = 5;

/// How long a connection that was given up counts.
const GIVEN_UP_COUNTS_FOR: Duration = Duration::from_mins(2);

/// The node adds its own lateness, times this factor. The peer may be as late as this node, and so
/// may each of the two directions.
const LATENESS_FACTOR: u32 = 4;

/// The peers whose connections were given up recently, and the lateness of this node.
#[derive(Debug)]
pub(super) struct MuteLimits {
    base: Duration,
    peers_max: usize,
    given_up: Mutex<BTreeMap<NodeId, GivenUp>>,
    late_micros: AtomicU64,
}

#[derive(Debug, Clone, Copy)]
struct GivenUp {
    times: u32,
    last: Instant,
}

impl MuteLimits {
    /// `base` is the time limit before doubling, randomization, and lateness.
    pub(super) fn new(base: Duration, peers_max: usize) -> Self {
        Self {
            base: base.min(BASE_MAX),
            peers_max,
            given_up: Mutex::default(),
            late_micros: AtomicU64::new(0),
        }
    }

    /// Sets how late this node's event loop is.
    pub(super) fn set_lateness(&self, late: Duration) {
        self.late_micros.store(u64::try_from(late.as_micros()).unwrap_or(u64::MAX), Relaxed);
    }

    /// How late this node is.
    pub(super) fn lateness(&self) -> Duration {
        Duration::from_micros(self.late_micros.load(Relaxed))
    }

    /// How long this connection to a peer may stay mute.
    ///
    /// The time doubles with each connection to the peer that was given up recently. It differs by
    /// up to a quarter between connections, so that they are not all replaced at the same moment.
    pub(super) fn limit_for(&self, peer: &NodeId, id: ConnId, now: Instant) -> Duration {
        let times = self
            .given_up
            .lock()
            .get(peer)
            .filter(|given_up| given_up.counts(now))
            .map_or(0, |record| record.times);
        let doubled = self.base.saturating_mul(1 << times.min(DOUBLINGS_MAX));
        let jitter = 0.75 + Rng::from_seed(id.0).unit() / 2.0;
        doubled.mul_f64(jitter) + self.lateness().saturating_mul(LATENESS_FACTOR)
    }

    /// Records that a connection to a peer is given up.
    pub(super) fn record_given_up(&self, peer: &NodeId, now: Instant) {
        let mut given_up = self.given_up.lock();
        if given_up.len() >= self.peers_max {
            given_up.retain(|_, record| record.counts(now));
        }
        if given_up.len() >= self.peers_max && !given_up.contains_key(peer) {
            // All recorded peers still count. The time for this peer does not double: it gets a new
            // connection sooner, and nothing else changes.
            return;
        }
        let record = given_up.entry(peer.clone()).or_insert(GivenUp { times: 0, last: now });
        record.times = if record.counts(now) { record.times.saturating_add(1) } else { 1 };
        record.last = now;
    }
}

impl GivenUp {
    fn counts(self, now: Instant) -> bool {
        now.since(self.last) < GIVEN_UP_COUNTS_FOR
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: Duration = Duration::from_secs(2);

    fn peer(n: usize) -> NodeId {
        NodeId::new(&format!("n{n}")).unwrap()
    }

    fn at(secs: u64) -> Instant {
        Instant::ORIGIN + Duration::from_secs(secs)
    }

    #[test]
    fn limit_doubles_with_each_given_up_connection() {
        let limits = MuteLimits::new(BASE, 8);
        let first = limits.limit_for(&peer(1), ConnId(1), at(0));
        assert!((BASE.mul_f64(0.75)..=BASE.mul_f64(1.25)).contains(&first), "{first:?}");
        for times in 1..=7_u32 {
            limits.record_given_up(&peer(1), at(0));
            let doubled = first * (1 << times.min(DOUBLINGS_MAX));
            assert_eq!(limits.limit_for(&peer(1), ConnId(1), at(0)).as_millis(), doubled.as_millis());
        }
        assert_eq!(limits.limit_for(&peer(2), ConnId(1), at(0)), first, "other peers are not affected");
        assert!(limits.limit_for(&peer(1), ConnId(1), at(119)) > first);
        assert_eq!(limits.limit_for(&peer(1), ConnId(1), at(120)), first);
        limits.record_given_up(&peer(1), at(120));
        assert_eq!(
            limits.limit_for(&peer(1), ConnId(1), at(120)).as_millis(),
            (first * 2).as_millis(),
            "the count starts again at 1"
        );
    }

    #[test]
    fn late_node_waits_longer_and_connections_differ() {
        let limits = MuteLimits::new(BASE, 8);
        let before = limits.limit_for(&peer(1), ConnId(1), at(0));
        limits.set_lateness(Duration::from_millis(250));
        assert_eq!(limits.limit_for(&peer(1), ConnId(1), at(0)), before + Duration::from_secs(1));
        assert_ne!(
            limits.limit_for(&peer(1), ConnId(2), at(0)),
            limits.limit_for(&peer(1), ConnId(1), at(0))
        );
    }

    #[test]
    fn extreme_base_never_overflows() {
        for base in [Duration::ZERO, Duration::MAX] {
            let limits = MuteLimits::new(base, 8);
            (0..9).for_each(|_| limits.record_given_up(&peer(1), at(0)));
            assert!(limits.limit_for(&peer(1), ConnId(1), at(0)) <= BASE_MAX * 40);
        }
    }

    #[test]
    fn recorded_peers_are_bounded() {
        let limits = MuteLimits::new(BASE, 2);
        (0..5).for_each(|n| limits.record_given_up(&peer(n), at(0)));
        assert_eq!(limits.given_up.lock().len(), 2);
        limits.record_given_up(&peer(1), at(1));
        assert_eq!(limits.given_up.lock()[&peer(1)].times, 2, "a recorded peer still counts");
        limits.record_given_up(&peer(9), at(121));
        assert_eq!(
            limits.given_up.lock().keys().cloned().collect::<Vec<_>>(),
            [peer(9)],
            "expired records make room"
        );
    }
}
