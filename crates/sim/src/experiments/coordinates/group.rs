//! A group of members that compute and state coordinates: the real [`Locator`] and [`Publisher`] of
//! each, and the peers that a real member probes.

use std::collections::BTreeSet;
use std::time::Duration;

use kinfolk_coordinates::{Locator, Publisher};
use kinfolk_core::{Coordinate, Instant, NodeId, Rng};
use kinfolk_swim::SwimConfig;

use super::lie::Lie;
use super::network::{Near, Network, near};
use crate::node::NodeIndex;
use crate::scenario::Scenario;
use crate::world::World;

/// Every 20th observation is of a random member even if the locator has enough peers.
const RANDOM_EVERY: usize = 20;

/// Which peers a member measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    /// Its neighbours alone.
    Neighbours,
    /// Random members too: every other observation while the locator lacks peers, and then every
    /// 20th.
    Random,
}

impl Who {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Neighbours => "neighbours",
            Self::Random => "random ones too",
        }
    }
}

/// The neighbours of each member of a real group of this size: its subjects and watchers, by the
/// rings of the machine. It has a connection to each, and both ends measure its round trip.
pub(super) fn neighbours(nodes: usize) -> Vec<Vec<usize>> {
    let mut world = World::light_preformed(&Scenario::bare(nodes, SwimConfig::verified()), 1);
    world.run_until(Instant::ORIGIN + Duration::from_secs(1));
    let mut neighbours = vec![BTreeSet::new(); nodes];
    for watcher in 0..nodes {
        let subjects = world.subjects(NodeIndex(watcher)).iter();
        for subject in subjects.filter_map(NodeIndex::of).map(|node| node.0) {
            neighbours[watcher].insert(subject);
            neighbours[subject].insert(watcher);
        }
    }
    neighbours.into_iter().map(|of| of.into_iter().collect()).collect()
}

/// The group. In each second each member makes one observation.
pub(super) struct Group<'a> {
    network: &'a Network,
    neighbours: &'a [Vec<usize>],
    who: Who,
    members: Vec<Member>,
    ids: Vec<NodeId>,
    /// The first member is a liar.
    lie: Option<Lie>,
    second: i32,
    rng: Rng,
}

struct Member {
    locator: Locator,
    publisher: Publisher,
    stated: Option<Coordinate>,
    statements: u32,
}

/// How far the estimates are from the true round trips.
#[derive(Debug, Clone, Default)]
pub(super) struct Errors {
    /// The relative errors of all pairs.
    pub(super) all: Vec<f64>,
    /// Of the pairs in two regions.
    pub(super) far: Vec<f64>,
    /// Of the pairs in two sites of a region, in milliseconds.
    pub(super) in_region: Vec<f64>,
    /// Of the pairs in one site, in milliseconds.
    pub(super) in_site: Vec<f64>,
}

impl Errors {
    /// Adds those of another run.
    pub(super) fn add(&mut self, other: &Self) {
        self.all.extend(&other.all);
        self.far.extend(&other.far);
        self.in_region.extend(&other.in_region);
        self.in_site.extend(&other.in_site);
    }
}

impl<'a> Group<'a> {
    pub(super) fn new(
        network: &'a Network,
        neighbours: &'a [Vec<usize>],
        (who, lie): (Who, Option<Lie>),
        mut rng: Rng,
    ) -> Self {
        let mut member = || Member {
            locator: Locator::new(rng.next_u64()),
            publisher: Publisher::new(Instant::ORIGIN, rng.next_u64()),
            stated: None,
            statements: 0,
        };
        let members = (0..network.nodes()).map(|_| member()).collect();
        let ids = (0..network.nodes()).map(|node| NodeIndex(node).id()).collect();
        Self { network, neighbours, who, members, ids, lie, second: 0, rng }
    }

    /// Lets so many seconds pass.
    pub(super) fn run(&mut self, seconds: usize) {
        for _ in 0..seconds {
            self.second += 1;
            (0..self.members.len()).for_each(|node| self.observe(node));
            (0..self.members.len()).for_each(|node| self.publish(node));
        }
    }

    fn observe(&mut self, node: usize) {
        let (neighbours, nodes) = (&self.neighbours[node], self.members.len());
        let second = usize::try_from(self.second).unwrap_or(0);
        let random_every = match self.who {
            Who::Neighbours => usize::MAX,
            Who::Random if self.members[node].locator.lacks_peers(nodes) => 2,
            Who::Random => RANDOM_EVERY,
        };
        let peer = if second.is_multiple_of(random_every) {
            (node + 1 + self.rng.below(nodes - 1)) % nodes
        } else {
            neighbours[self.rng.below(neighbours.len())]
        };
        let round_trip = self.network.measure(node, peer, &mut self.rng);
        let stated = self.members[peer].stated;
        self.members[node].locator.observe(&self.ids[peer], stated.as_ref(), round_trip);
    }

    /// States the member's coordinate if that is due. All others know it at once.
    fn publish(&mut self, node: usize) {
        let now = Instant::ORIGIN + Duration::from_secs(u64::try_from(self.second).unwrap_or(0));
        let nodes = self.members.len();
        let member = &mut self.members[node];
        let stated = match self.lie {
            Some(lie) if node == 0 => lie.claim(&member.locator.coordinate(), self.second, &mut self.rng),
            _ => {
                let Some(due) = member.publisher.due(now, nodes, &member.locator) else { return };
                member.publisher.published(now, due);
                member.statements += 1;
                due
            }
        };
        member.stated = Some(stated);
        for other in &mut self.members {
            other.locator.restate(&self.ids[node], Some(&stated));
        }
    }

    /// The errors of the estimates between all honest members, from the coordinates that they have
    /// stated.
    pub(super) fn errors(&self) -> Errors {
        let mut errors = Errors::default();
        let (first, nodes) = (usize::from(self.lie.is_some()), self.members.len());
        for one in first..nodes {
            for other in one + 1..nodes {
                let estimate = self.stated(one).round_trip_to(&self.stated(other));
                let (trip, millis) = (self.network.trip(one, other), estimate.as_secs_f64() * 1_000.0);
                let error = (millis - trip).abs();
                errors.all.push(error / trip);
                match near(one, other) {
                    Near::Far => errors.far.push(error / trip),
                    Near::Region => errors.in_region.push(error),
                    Near::Site => errors.in_site.push(error),
                }
            }
        }
        errors
    }

    /// The number of statements of each honest member.
    pub(super) fn statements(&self) -> Vec<f64> {
        let honest = self.members.iter().skip(usize::from(self.lie.is_some()));
        honest.map(|member| f64::from(member.statements)).collect()
    }

    /// How far the mean position of all members is from the origin, in milliseconds.
    pub(super) fn centre(&self) -> f64 {
        let positions: Vec<_> =
            self.members.iter().map(|member| member.locator.coordinate().position()).collect();
        let mean = |at: usize| {
            positions.iter().map(|position| f64::from(position[at])).sum::<f64>() / positions.len() as f64
        };
        (0..Coordinate::DIMENSIONS).map(|at| mean(at).powi(2)).sum::<f64>().sqrt() / 1_000.0
    }

    /// A member that has stated nothing counts as being at the origin.
    fn stated(&self, node: usize) -> Coordinate {
        self.members[node].stated.unwrap_or_else(|| Locator::new(0).coordinate())
    }
}
