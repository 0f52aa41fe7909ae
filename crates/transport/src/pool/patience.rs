//! How long a connection may stay mute before another takes its place. A handshake costs a hundred times what a request does:
//! if each time-out brought one about, a node that is short of CPU would get more of them, and not come to rest again.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use kinfolk_core::{Instant, NodeId, Rng};
use parking_lot::Mutex;

use super::ConnId;

/// A longer time than this is as good as for ever, and can still be multiplied.
const BASE_MAX: Duration = Duration::from_hours(24);

/// How often the time doubles.
const DOUBLINGS_MAX: u32 = 5;

/// For how long it counts that a connection was given up.
const REMEMBERED: Duration = Duration::from_mins(2);

/// So many times its own lateness a node waits in addition: the peer may be as late as we are, on the way there and back.
const LATENESS_FACTOR: u32 = 4;

/// Whose connections were given up lately, and how late this node is itself.
#[derive(Debug)]
pub(super) struct Patience {
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

impl Patience {
    /// A connection is given up after `base` at the soonest.
    pub(super) fn new(base: Duration, peers_max: usize) -> Self {
        Self {
            base: base.min(BASE_MAX),
            peers_max,
            given_up: Mutex::default(),
            late_micros: AtomicU64::new(0),
        }
    }

    /// This node does what it has to do so much too late.
    pub(super) fn set_lateness(&self, late: Duration) {
        self.late_micros.store(u64::try_from(late.as_micros()).unwrap_or(u64::MAX), Relaxed);
    }

    /// How late this node is.
    pub(super) fn lateness(&self) -> Duration {
        Duration::from_micros(self.late_micros.load(Relaxed))
    }

    /// How long this connection to a peer may stay mute. The time doubles with each connection to it that was given up
    /// lately, and differs by up to a quarter from connection to connection.
    pub(super) fn with(&self, peer: &NodeId, id: ConnId, now: Instant) -> Duration {
        let times =
            self.given_up.lock().get(peer).filter(|given_up| given_up.counts(now)).map_or(0, |one| one.times);
        let doubled = self.base.saturating_mul(1 << times.min(DOUBLINGS_MAX));
        let jitter = 0.75 + Rng::from_seed(id.0).unit() / 2.0;
        doubled.mul_f64(jitter) + self.lateness().saturating_mul(LATENESS_FACTOR)
    }

    /// A connection to a peer is given up.
    pub(super) fn given_up(&self, peer: &NodeId, now: Instant) {
        let mut given_up = self.given_up.lock();
        if given_up.len() >= self.peers_max {
            given_up.retain(|_, one| one.counts(now));
        }
        if given_up.len() >= self.peers_max && !given_up.contains_key(peer) {
            // All places count still. The time for this peer does not double: it gets a new connection
            // sooner, and nothing else changes.
            return;
        }
        let one = given_up.entry(peer.clone()).or_insert(GivenUp { times: 0, last: now });
        one.times = if one.counts(now) { one.times.saturating_add(1) } else { 1 };
        one.last = now;
    }
}

impl GivenUp {
    fn counts(self, now: Instant) -> bool {
        now.since(self.last) < REMEMBERED
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
    fn the_time_doubles_with_each_connection_that_was_given_up_and_is_as_before_after_a_while() {
        let patience = Patience::new(BASE, 8);
        let first = patience.with(&peer(1), ConnId(1), at(0));
        assert!((BASE.mul_f64(0.75)..=BASE.mul_f64(1.25)).contains(&first), "{first:?}");
        for times in 1..=7_u32 {
            patience.given_up(&peer(1), at(0));
            let doubled = first * (1 << times.min(DOUBLINGS_MAX));
            assert_eq!(patience.with(&peer(1), ConnId(1), at(0)).as_millis(), doubled.as_millis());
        }
        assert_eq!(patience.with(&peer(2), ConnId(1), at(0)), first, "others are not concerned");
        assert!(patience.with(&peer(1), ConnId(1), at(119)) > first);
        assert_eq!(patience.with(&peer(1), ConnId(1), at(120)), first);
        patience.given_up(&peer(1), at(120));
        assert_eq!(
            patience.with(&peer(1), ConnId(1), at(120)).as_millis(),
            (first * 2).as_millis(),
            "it begins anew"
        );
    }

    #[test]
    fn a_late_node_waits_longer_and_connections_differ() {
        let patience = Patience::new(BASE, 8);
        let before = patience.with(&peer(1), ConnId(1), at(0));
        patience.set_lateness(Duration::from_millis(250));
        assert_eq!(patience.with(&peer(1), ConnId(1), at(0)), before + Duration::from_secs(1));
        assert_ne!(patience.with(&peer(1), ConnId(2), at(0)), patience.with(&peer(1), ConnId(1), at(0)));
    }

    #[test]
    fn any_base_can_be_doubled() {
        for base in [Duration::ZERO, Duration::MAX] {
            let patience = Patience::new(base, 8);
            (0..9).for_each(|_| patience.given_up(&peer(1), at(0)));
            assert!(patience.with(&peer(1), ConnId(1), at(0)) <= BASE_MAX * 40);
        }
    }

    #[test]
    fn no_more_peers_are_remembered_than_the_bound() {
        let patience = Patience::new(BASE, 2);
        (0..5).for_each(|n| patience.given_up(&peer(n), at(0)));
        assert_eq!(patience.given_up.lock().len(), 2);
        patience.given_up(&peer(1), at(1));
        assert_eq!(patience.given_up.lock()[&peer(1)].times, 2, "who is remembered still counts");
        patience.given_up(&peer(9), at(121));
        assert_eq!(
            patience.given_up.lock().keys().cloned().collect::<Vec<_>>(),
            [peer(9)],
            "the old ones make room"
        );
    }
}
