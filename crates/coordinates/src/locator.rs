//! Where this member lies: its coordinate, from the round trips to its peers and the coordinates
//! that they state.

use std::collections::VecDeque;
use std::time::Duration;

use kinfolk_core::{Coordinate, NodeId, Rng};

use crate::fit::{Spring, fit, median};
use crate::peers::Peers;
use crate::point::{Point, Vector, length};
use crate::publisher::MOVED_MIN;

/// The number of latest estimates whose errors are kept, for the median.
const ESTIMATES_KEPT: usize = 16;

/// The number of peers that determine a place well. It leaves room for neighbours that change.
const PEERS_WANTED: usize = 48;

/// Computes this member's coordinate. It is pure: equal seeds and inputs give equal coordinates, on
/// every machine.
///
/// It keeps the latest round trips to up to 64 peers. Each observation moves the coordinate towards
/// the place that explains the round trips to all of them best. So the few peers that a member
/// measures again and again do not outweigh those that it measured once.
///
/// # What a false coordinate can do
/// A member signs its coordinate, but nobody can prove that it is true. A peer whose coordinate
/// does not fit counts the less, the worse it fits compared with the other peers. As long as most
/// known peers state true coordinates, a false one moves this member by about its usual error,
/// however far away it claims to be.
///
/// Not defended: most of the known peers state false coordinates that agree. With fewer than five
/// known peers there are too few to compare. A peer can delay its answers; then it seems far away,
/// which changes little but the estimates of its own round trips.
///
/// # Examples
/// ```
/// use kinfolk_coordinates::Locator;
/// use kinfolk_core::{Coordinate, NodeId};
/// use std::time::Duration;
/// let mut locator = Locator::new(7);
/// let (peer, place) = (NodeId::new("db-1")?, Coordinate::new([0; 4], 100, 100).unwrap());
/// for _ in 0..30 {
///     locator.observe(&peer, Some(&place), Duration::from_millis(80));
/// }
/// let estimate = locator.coordinate().round_trip_to(&place);
/// assert!((79..=81).contains(&estimate.as_millis()), "{estimate:?}");
/// # Ok::<(), kinfolk_core::NameError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Locator {
    place: Point,
    peers: Peers,
    /// The relative errors of the latest estimates, each from before its round trip was taken into
    /// account.
    errors: VecDeque<f64>,
    rng: Rng,
    refused: u64,
}

/// What a [`Locator`] counts, since its start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LocatorStats {
    /// Round trips that were taken into account.
    pub observations: u64,
    /// Round trips that cannot be: 0, or longer than 10 s.
    pub refused: u64,
    /// Peers that were dropped because 64 others were measured later.
    pub evicted: u64,
    /// The peers that are known now: 0 to 64.
    pub peers: usize,
}

impl Locator {
    /// A member at the origin that has measured nothing.
    pub fn new(seed: u64) -> Self {
        Self {
            place: Point::ORIGIN,
            peers: Peers::default(),
            errors: VecDeque::new(),
            rng: Rng::from_seed(seed),
            refused: 0,
        }
    }

    /// Takes a measured round trip to another member into account, with the coordinate that the
    /// member states, if it states one. A round trip of 0 or of more than 10 s is refused and
    /// counted.
    pub fn observe(&mut self, peer: &NodeId, stated: Option<&Coordinate>, round_trip: Duration) {
        if round_trip.is_zero() || round_trip > Coordinate::DISTANCE_MAX {
            self.refused += 1;
            return;
        }
        let observed = self.peers.observe(peer, stated, round_trip);
        let (measured, estimate) = (observed.round_trip(), self.place.round_trip_to(&observed.place));
        if self.errors.len() >= ESTIMATES_KEPT {
            self.errors.pop_front();
        }
        self.errors.push_back((estimate - measured).abs() / measured);
        let direction = self.direction();
        let springs = self.peers.iter().map(|(_, peer)| Spring {
            place: peer.place,
            error: peer.error,
            round_trip: peer.round_trip(),
        });
        let springs: Vec<Spring> = springs.collect();
        fit(&mut self.place, &springs, &direction);
    }

    /// A peer states another coordinate, or none any more. Nothing happens if no round trip to the
    /// peer is known. The next observation of any peer takes it into account.
    pub fn restate(&mut self, peer: &NodeId, stated: Option<&Coordinate>) {
        self.peers.restate(peer, stated);
    }

    /// Drops what is known of a peer: it is no member any more.
    pub fn forget(&mut self, peer: &NodeId) {
        self.peers.remove(peer);
    }

    /// The peers with a known round trip, in the order of their names.
    pub fn peers(&self) -> impl Iterator<Item = &NodeId> {
        self.peers.iter().map(|(id, _)| id)
    }

    /// Where this member is now. Its error is the median of the relative errors of the latest 16
    /// estimates, at most 1.5; 1.5 before the first one.
    pub fn coordinate(&self) -> Coordinate {
        let largest = f64::from(Coordinate::ERROR_MAX) / 1_000.0;
        let error = if self.errors.is_empty() { largest } else { median(self.errors.iter().copied()) };
        self.place.coordinate(error.min(largest))
    }

    /// Whether this member should measure others than its neighbours, in a group of so many
    /// members. Then every other observation should be of a random member.
    ///
    /// A place has four dimensions and a height. The round trips to eight neighbours fit to many
    /// places, so that estimates to other members would be wrong without showing it. This is true
    /// until 48 peers are known, or all. It is false on a network whose round trips are below 2 ms,
    /// where no coordinate is stated.
    pub fn lacks_peers(&self, members: usize) -> bool {
        let wanted = PEERS_WANTED.min(members.saturating_sub(1));
        self.peers.len() < wanted && self.usual_round_trip() >= MOVED_MIN
    }

    /// The median of the known round trips; zero before the first one.
    pub fn usual_round_trip(&self) -> Duration {
        let micros = median(self.peers.iter().map(|(_, peer)| peer.round_trip()));
        Duration::from_secs_f64(micros / 1e6)
    }

    /// The counters.
    pub fn stats(&self) -> LocatorStats {
        LocatorStats {
            observations: self.peers.observations(),
            refused: self.refused,
            evicted: self.peers.evicted(),
            peers: self.peers.len(),
        }
    }

    /// Whether this member is part of a network whose round trips are at least `far`: those to two
    /// known peers are, or that to the only one, each measured more than once. Or peers state where
    /// they lie, and that is `far` from the origin, where this member follows them. A single slow
    /// peer on a local network does not suffice.
    pub fn is_far_from_others(&self, far: Duration) -> bool {
        let far = crate::point::micros(far);
        let far_peers = self.peers.iter().filter(|(_, peer)| peer.is_far(far)).count();
        let follows = || {
            let stated = self.peers.iter().any(|(_, peer)| peer.place != Point::ORIGIN);
            stated && self.place.moved_from(&Point::ORIGIN) >= far
        };
        far_peers >= self.peers.len().clamp(1, 2) || follows()
    }

    /// A random unit vector: members that begin at the same place must move apart in different
    /// directions.
    fn direction(&mut self) -> Vector {
        loop {
            let vector: Vector = std::array::from_fn(|_| self.rng.unit() * 2.0 - 1.0);
            let length = length(&vector);
            // Points of a cube favour its corners, those of the ball in it no direction.
            if (0.1..=1.0).contains(&length) {
                return vector.map(|part| part / length);
            }
        }
    }
}
