//! Counts the peers with which each node exchanges messages. A node needs so many connections.

use std::collections::BTreeSet;

use super::{NodeIndex, World};

impl World {
    /// Starts to count peers, from zero.
    pub fn count_peers(&mut self) {
        self.peers = Some(vec![BTreeSet::new(); self.nodes.len()]);
    }

    /// The number of peers with which a node has exchanged messages since
    /// [`count_peers`](Self::count_peers), including lost messages; 0 if the world does not count.
    pub fn peers(&self, node: NodeIndex) -> usize {
        self.peers.as_ref().map_or(0, |peers| peers[node.0].len())
    }

    /// Records a message between two nodes.
    pub(super) fn note_exchange(&mut self, one: NodeIndex, other: NodeIndex) {
        if let Some(peers) = &mut self.peers {
            peers[one.0].insert(other);
            peers[other.0].insert(one);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use kinfolk_core::Instant;
    use kinfolk_swim::SwimConfig;

    use super::*;
    use crate::scenario::Scenario;

    #[test]
    fn peers_are_counted_on_both_sides() {
        let mut world = World::light_preformed(&Scenario::bare(2, SwimConfig::swim()), 1);
        world.run_until(Instant::ORIGIN + Duration::from_secs(5));
        assert_eq!(world.peers(NodeIndex(0)), 0);
        world.count_peers();
        assert_eq!(world.peers(NodeIndex(0)), 0);
        world.run_until(Instant::ORIGIN + Duration::from_secs(10));
        assert_eq!([world.peers(NodeIndex(0)), world.peers(NodeIndex(1))], [1, 1]);
    }
}
