//! The peers that this member has measured lately: the round trips to each, and the coordinate that
//! it states.

use std::collections::BTreeMap;
use std::time::Duration;

use kinfolk_core::{Coordinate, NodeId};

use crate::point::Point;
use crate::trips::Trips;

/// The number of peers that are kept. A member has about 8 neighbours and measures others now and
/// then. With more peers, each observation would cost more and gain little.
pub(crate) const PEERS_MAX: usize = 64;

/// The measured peers, at most [`PEERS_MAX`].
#[derive(Debug, Clone, Default)]
pub(crate) struct Peers {
    of: BTreeMap<NodeId, Peer>,
    observations: u64,
    evicted: u64,
}

/// What is known of one peer.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    pub(crate) place: Point,
    /// The relative error that it states of itself: 0 to 1.5.
    pub(crate) error: f64,
    trips: Trips,
    /// The number of the observation that measured it last.
    seen: u64,
}

impl Peers {
    /// Adds a round trip to a peer. A new peer replaces the one that was not measured for the
    /// longest time, if there is no room.
    pub(crate) fn observe(
        &mut self,
        id: &NodeId,
        stated: Option<&Coordinate>,
        round_trip: Duration,
    ) -> &Peer {
        if !self.of.contains_key(id) && self.of.len() >= PEERS_MAX {
            let oldest = self.of.iter().min_by_key(|(_, peer)| peer.seen).map(|(id, _)| id.clone());
            self.evicted += u64::from(oldest.and_then(|oldest| self.of.remove(&oldest)).is_some());
        }
        self.observations += 1;
        let peer = self.of.entry(id.clone()).or_insert_with(|| Peer::at(stated));
        peer.states(stated);
        peer.trips.add(round_trip);
        peer.seen = self.observations;
        peer
    }

    /// Takes the coordinate that a peer states now. Other peers are not entered.
    pub(crate) fn restate(&mut self, id: &NodeId, stated: Option<&Coordinate>) {
        if let Some(peer) = self.of.get_mut(id) {
            peer.states(stated);
        }
    }

    pub(crate) fn remove(&mut self, id: &NodeId) {
        self.of.remove(id);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&NodeId, &Peer)> {
        self.of.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.of.len()
    }

    pub(crate) fn observations(&self) -> u64 {
        self.observations
    }

    pub(crate) fn evicted(&self) -> u64 {
        self.evicted
    }
}

impl Peer {
    fn at(stated: Option<&Coordinate>) -> Self {
        let mut peer = Self { place: Point::ORIGIN, error: 0.0, trips: Trips::default(), seen: 0 };
        peer.states(stated);
        peer
    }

    /// A peer without a coordinate has not moved from the origin, but its error is the largest.
    fn states(&mut self, stated: Option<&Coordinate>) {
        self.place = stated.map_or(Point::ORIGIN, Point::from);
        self.error = stated.map_or(f64::from(Coordinate::ERROR_MAX) / 1_000.0, Coordinate::error);
    }

    /// Whether the round trip to it is at least this long, in microseconds, and was measured more
    /// than once.
    pub(crate) fn is_far(&self, far: f64) -> bool {
        self.trips.are_several() && self.round_trip() >= far
    }

    /// The filtered round trip in microseconds.
    pub(crate) fn round_trip(&self) -> f64 {
        self.trips.median().expect("a peer is entered with its first round trip")
    }
}
