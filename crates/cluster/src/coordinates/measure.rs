//! The task that measures: once a second it gives the round trip of one peer to the locator, and
//! states the coordinate that results when the publisher says so. It sends nothing else: the round
//! trips are those of the requests that go out anyway.

use std::collections::BTreeSet;
use std::time::Duration;

use kinfolk_coordinates::{Locator, Publisher};
use kinfolk_core::{Coordinate, NodeId};
use tokio::time::{MissedTickBehavior, interval};

use super::CoordinateStats;
use super::turns::Turns;
use crate::cluster::{Cluster, WeakCluster};
use crate::task::BackgroundTask;

/// How often a round trip is taken. A member probes four to seven others, each about once in some
/// seconds, so that each of them has its turn several times a minute.
const INTERVAL: Duration = Duration::from_secs(1);

/// Measures and states until the task is stopped, or the application has dropped the member.
pub(crate) fn start(cluster: WeakCluster, seeds: [u64; 2]) -> BackgroundTask {
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
}

impl Measuring {
    fn new(cluster: &Cluster, [place, chance]: [u64; 2]) -> Self {
        let publisher = Publisher::new(cluster.inner.clock.now(), chance);
        Self { locator: Locator::new(place), publisher, turns: Turns::default(), statements: 0 }
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
