//! The task that measures: once a second it gives the round trip of one peer to the locator, and
//! states the coordinate that results when the publisher says so.
//!
//! The round trips are those of the requests that go out anyway. Only a member that states a
//! coordinate and knows too few peers asks others too: a random one each second time.

use std::collections::BTreeSet;
use std::time::Duration;

use kinfolk_coordinates::{Locator, Publisher};
use kinfolk_core::{Coordinate, NodeId, Rng};
use tokio::time::{MissedTickBehavior, interval};

use super::CoordinateStats;
use super::turns::Turns;
use crate::cluster::{Cluster, WeakCluster};
use crate::task::BackgroundTask;

/// How often a round trip is taken. A member probes four to seven others, each about once in some
/// seconds, so that each of them has its turn several times a minute.
const INTERVAL: Duration = Duration::from_secs(1);

/// Measures and states until the task is stopped, or the application has dropped the member.
pub(crate) fn start(cluster: WeakCluster, seeds: [u64; 3]) -> BackgroundTask {
    BackgroundTask::start(async move {
        let mut ticks = interval(INTERVAL);
        // After a pause of the process one measurement is enough.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut measuring = None;
        loop {
            ticks.tick().await;
            let Some(cluster) = cluster.upgrade() else { return };
            let measuring = measuring.get_or_insert_with(|| Measuring::new(&cluster, seeds));
            measuring.measure(&cluster);
            measuring.state(&cluster).await;
            measuring.meet(&cluster).await;
            cluster.inner.coordinates.set(measuring.stats());
        }
    })
}

/// The coordinate while it is measured.
struct Measuring {
    locator: Locator,
    publisher: Publisher,
    turns: Turns,
    statements: u64,
    rng: Rng,
    /// Whether a random member is asked this time, if any is.
    meets: bool,
}

impl Measuring {
    fn new(cluster: &Cluster, [place, chance, choice]: [u64; 3]) -> Self {
        let publisher = Publisher::new(cluster.inner.clock.now(), chance);
        let (locator, rng) = (Locator::new(place), Rng::from_seed(choice));
        Self { locator, publisher, turns: Turns::default(), statements: 0, rng, meets: false }
    }

    /// Takes the round trip to the peer whose turn it is.
    fn measure(&mut self, cluster: &Cluster) {
        self.follow_view(cluster);
        let (transport, me) = (&cluster.inner.transport, cluster.id());
        let measured = |peer: &NodeId| transport.take_round_trip(peer);
        let Some((peer, round_trip)) = self.turns.next(|| connected(cluster), measured) else { return };
        let status = cluster.inner.registry.get(&peer).filter(|node| node.state.is_member());
        if let Some(status) = status.filter(|_| peer != *me) {
            self.locator.observe(&peer, status.coordinate().as_ref(), round_trip);
        }
    }

    /// Tells the locator what its peers state now, and which of them are no members any more.
    fn follow_view(&mut self, cluster: &Cluster) {
        let peers: Vec<NodeId> = self.locator.peers().cloned().collect();
        for peer in peers {
            match cluster.inner.registry.get(&peer).filter(|node| node.state.is_member()) {
                Some(node) => self.locator.restate(&peer, node.coordinate().as_ref()),
                None => self.locator.forget(&peer),
            }
        }
    }

    /// States the coordinate, if it is due.
    async fn state(&mut self, cluster: &Cluster) {
        let (now, members) = (cluster.inner.clock.now(), cluster.inner.registry.member_count());
        let Some(coordinate) = self.publisher.due(now, members, &self.locator) else { return };
        if cluster.state_coordinate(coordinate).await {
            self.publisher.published(now, coordinate);
            self.statements += 1;
        }
    }

    /// Asks a random member that the locator does not know, each second time while it knows too
    /// few. The answer shows a round trip. Nothing follows from a missing one.
    async fn meet(&mut self, cluster: &Cluster) {
        self.meets = !self.meets;
        let registry = &cluster.inner.registry;
        if !self.meets || self.statements == 0 || !self.locator.lacks_peers(registry.member_count()) {
            return;
        }
        let known: BTreeSet<&NodeId> = self.locator.peers().collect();
        let is_new = |id: &NodeId| id != cluster.id() && !known.contains(id);
        let members = cluster.members();
        let strangers: Vec<&NodeId> =
            members.members().map(|node| &node.id).filter(|id| is_new(id)).collect();
        if !strangers.is_empty() {
            let stranger = strangers[self.rng.below(strangers.len())].clone();
            let _asked = cluster.inner.protocol.compare(stranger).await;
        }
    }

    fn stats(&self) -> CoordinateStats {
        let stats = self.locator.stats();
        CoordinateStats {
            current: (stats.observations > 0).then(|| self.locator.coordinate()),
            samples: stats.observations,
            refused: stats.refused,
            peers: stats.peers,
            statements: self.statements,
        }
    }
}

/// The peers with a connection, ordered by name.
fn connected(cluster: &Cluster) -> Vec<NodeId> {
    let connections = cluster.inner.transport.pool().stats().connections;
    let peers: BTreeSet<NodeId> = connections.into_iter().map(|connection| connection.peer).collect();
    peers.into_iter().collect()
}

impl Cluster {
    /// States this coordinate to all members. Returns whether it was stated: a member that is in
    /// maintenance, or that has left, states none.
    async fn state_coordinate(&self, coordinate: Coordinate) -> bool {
        let Some((about, revision)) = self.inner.description.move_to(coordinate) else { return false };
        self.inner.protocol.describe(about, revision).await.is_ok()
    }
}
