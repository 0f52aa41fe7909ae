//! Who may accuse whom, for groups in which all views are equal. It follows from the names alone.

use kinfolk_core::NodeId;
use kinfolk_swim::entitled_accusers;

use crate::node::NodeIndex;

/// All members whose accusations against `subject` count, in a group of the first `nodes` nodes.
pub fn entitled_of(subject: NodeIndex, nodes: usize) -> Vec<NodeIndex> {
    let members: Vec<NodeId> = (0..nodes).map(|node| NodeIndex(node).id()).collect();
    entitled_accusers(&subject.id(), &members).iter().filter_map(NodeIndex::of).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use kinfolk_core::Instant;
    use kinfolk_swim::SwimConfig;

    use super::*;
    use crate::scenario::Scenario;
    use crate::world::World;

    #[test]
    fn every_real_watcher_is_entitled() {
        for nodes in [5, 6, 40] {
            let scenario = Scenario::bare(nodes, SwimConfig::verified());
            let mut world = World::light_preformed(&scenario, 1);
            world.run_until(Instant::ORIGIN + Duration::from_secs(3));
            for watcher in (0..nodes).map(NodeIndex) {
                let subjects = world.subjects(watcher);
                assert!(!subjects.is_empty());
                for subject in subjects.iter().filter_map(NodeIndex::of) {
                    let entitled = entitled_of(subject, nodes);
                    assert!(entitled.contains(&watcher), "{watcher} watches {subject} of {nodes}");
                }
            }
        }
    }

    #[test]
    fn about_sixteen_members_may_accuse_one_of_many() {
        let entitled_of = |nodes: usize, subject: usize| entitled_of(NodeIndex(subject), nodes).len();
        for subject in 0..20 {
            let found = entitled_of(1_000, subject);
            assert!((14..=16).contains(&found), "{found}");
            assert!((4..=16).contains(&entitled_of(32, subject)));
        }
        assert_eq!(entitled_of(5, 0), 4);
    }
}
