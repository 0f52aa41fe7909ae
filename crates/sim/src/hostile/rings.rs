//! Who may accuse whom, for groups in which all views are equal. It follows from the names alone:
//! the places of `kinfolk-swim`, which are the same in every release.

use std::collections::BTreeSet;

use kinfolk_core::NodeId;

use crate::node::NodeIndex;

const RINGS: usize = 4;
/// How many members may stand between a member and one that accuses it.
const SLACK: usize = 3;

/// All members whose accusations against `subject` count, in a group of the first `nodes` nodes.
pub fn entitled_of(subject: NodeIndex, nodes: usize) -> Vec<NodeIndex> {
    let others = (0..nodes).map(NodeIndex).filter(|node| *node != subject);
    if nodes <= RINGS + 1 {
        return others.collect();
    }
    let to = places(&subject.id());
    let others: Vec<_> = others.map(|node| (node, places(&node.id()))).collect();
    let mut entitled = BTreeSet::new();
    for ring in 0..RINGS {
        let mut order: Vec<_> =
            others.iter().map(|(node, place)| (to[ring].wrapping_sub(place[ring]), *node)).collect();
        order.sort_unstable();
        entitled.extend(order.into_iter().take(SLACK + 1).map(|(_, node)| node));
    }
    entitled.into_iter().collect()
}

/// The place of a name in each ring.
fn places(id: &NodeId) -> [u64; RINGS] {
    let name = id.as_str().bytes().fold(0xCBF2_9CE4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    });
    let mut state = name;
    std::array::from_fn(|_| {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    })
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
    /// The copy of the places here must not differ from those of the machine.
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
