//! With whom each node exchanges messages: so many connections it needs.

use std::collections::BTreeSet;

use super::{NodeIndex, World};

impl World {
    /// From now on it is noted who exchanges messages with whom; what was noted before is forgotten.
    pub fn count_peers(&mut self) {
        self.peers = Some(vec![BTreeSet::new(); self.nodes.len()]);
    }

    /// With how many others a node has exchanged messages since [`count_peers`](Self::count_peers), those that were lost
    /// included; 0 if nothing was noted.
    pub fn peers(&self, node: NodeIndex) -> usize {
        self.peers.as_ref().map_or(0, |peers| peers[node.0].len())
    }

    /// A message goes from one to another.
    pub(super) fn meet(&mut self, one: NodeIndex, other: NodeIndex) {
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
    fn peers_are_counted_on_both_sides_from_when_it_was_asked_for() {
        let mut world = World::light_preformed(&Scenario::bare(2, SwimConfig::swim()), 1);
        world.run_until(Instant::ORIGIN + Duration::from_secs(5));
        assert_eq!(world.peers(NodeIndex(0)), 0);
        world.count_peers();
        assert_eq!(world.peers(NodeIndex(0)), 0);
        world.run_until(Instant::ORIGIN + Duration::from_secs(10));
        assert_eq!([world.peers(NodeIndex(0)), world.peers(NodeIndex(1))], [1, 1]);
    }
}
