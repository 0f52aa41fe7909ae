//! Two parts of a group connect again. Their claims about each other are old, and no running member
//! is reported failed.

use std::time::Duration;

use kinfolk_core::Instant;
use kinfolk_sim::{Fault, NodeIndex, Scenario, Seen, What, World};
use kinfolk_swim::SwimConfig;

const CUT: Duration = Duration::from_secs(10);
const HEALED: Duration = Duration::from_secs(90);
const END: Duration = Duration::from_mins(3);

/// The events that `nodes` members reported from the heal on, after they were cut in halves for
/// longer than the grace.
fn events_after_the_heal(nodes: usize, seed: u64) -> (World, Vec<Seen>) {
    let mut scenario = Scenario { phi: true, ..Scenario::bare(nodes, SwimConfig::verified()) };
    let half = (0..nodes / 2).map(NodeIndex).collect();
    scenario.script.fault(CUT, Fault::Partition(half));
    scenario.script.fault(HEALED, Fault::Heal);
    let mut world = World::light_preformed(&scenario, seed);
    world.run_until(Instant::ORIGIN + HEALED);
    let failed = |seen: &&Seen| matches!(seen.what, What::Failed(_));
    let other_half = (nodes / 2) * (nodes - nodes / 2) * 2;
    assert_eq!(
        world.take_seen().iter().filter(failed).count(),
        other_half,
        "each half declared the other failed"
    );
    world.run_until(Instant::ORIGIN + END);
    let seen = world.take_seen();
    (world, seen)
}

#[test]
fn heal_reports_no_failure_within_a_side() {
    for (nodes, seed) in [(6, 1), (15, 2), (15, 3), (64, 4)] {
        let (world, seen) = events_after_the_heal(nodes, seed);
        let wrong: Vec<_> = seen.iter().filter(|seen| matches!(seen.what, What::Failed(_))).collect();
        assert!(
            wrong.is_empty(),
            "{nodes} members, seed {seed}: {} reports, the first {:?}",
            wrong.len(),
            wrong[0]
        );
        for node in (0..nodes).map(NodeIndex) {
            assert_eq!(
                world.registry(node).unwrap().member_count(),
                nodes,
                "{node} has a complete view again"
            );
        }
    }
}
