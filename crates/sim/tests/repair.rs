//! Two groups meet: what each holds of the other's members is old, and nobody is reported failed who is not.

use std::time::Duration;

use kinfolk_core::Instant;
use kinfolk_sim::{Fault, NodeIndex, Scenario, Seen, What, World};
use kinfolk_swim::SwimConfig;

const CUT: Duration = Duration::from_secs(10);
const HEALED: Duration = Duration::from_secs(90);
const END: Duration = Duration::from_mins(3);

/// What `nodes` members were told from the repair on, after they were cut in two halves for longer than the grace.
fn told_after_the_repair(nodes: usize, seed: u64) -> (World, Vec<Seen>) {
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
        "each declared the other half failed"
    );
    world.run_until(Instant::ORIGIN + END);
    let seen = world.take_seen();
    (world, seen)
}

#[test]
fn when_a_cut_is_mended_nobody_is_told_that_a_member_of_its_own_side_failed() {
    for (nodes, seed) in [(6, 1), (15, 2), (15, 3), (64, 4)] {
        let (world, seen) = told_after_the_repair(nodes, seed);
        let wrong: Vec<_> = seen.iter().filter(|seen| matches!(seen.what, What::Failed(_))).collect();
        assert!(
            wrong.is_empty(),
            "{nodes} members, seed {seed}: {} reports, the first {:?}",
            wrong.len(),
            wrong[0]
        );
        for node in (0..nodes).map(NodeIndex) {
            assert_eq!(world.registry(node).unwrap().member_count(), nodes, "{node} sees all again");
        }
    }
}
