//! Anti-entropy beyond the neighbours. One test counts the rounds that the whole group starts with
//! random members. The other cuts all links between neighbours of two parts, and measures how soon
//! the parts discover that their views differ.

use std::time::Duration;

use kinfolk_core::{Instant, NodeStatus, SharedNodeRegistry};
use kinfolk_sim::{Fault, NodeIndex, Scenario, Step, World};
use kinfolk_swim::SwimConfig;

const BEGIN: Duration = Duration::from_secs(20);

/// Longer than any of these runs took.
const FOUND_WITHIN: Duration = Duration::from_mins(3);

#[test]
/// The whole group starts about eight rounds with random members each minute, whatever its size.
fn random_rounds_do_not_grow_with_the_group() {
    const MINUTES: u64 = 20;
    for nodes in [32, 128, 512] {
        let mut world = World::light_preformed(&Scenario::bare(nodes, SwimConfig::verified()), 1);
        let rounds = |world: &World| -> u64 {
            (0..nodes).map(|n| world.machine(NodeIndex(n)).unwrap().stats().anti_entropy_random).sum()
        };
        world.run_until(Instant::ORIGIN + BEGIN);
        let before = rounds(&world);
        world.run_until(Instant::ORIGIN + BEGIN + Duration::from_mins(MINUTES));
        let a_minute = (rounds(&world) - before) as f64 / MINUTES as f64;
        assert!((6.0..10.0).contains(&a_minute), "{nodes} members: {a_minute} rounds a minute");
    }
}

fn registry(world: &World, node: usize) -> &SharedNodeRegistry {
    world.registry(NodeIndex(node)).expect("every node runs")
}

/// The directions in which messages are lost.
#[derive(Debug, Clone, Copy)]
enum Cut {
    Both,
    /// From the first part to the second.
    FirstToSecond,
}

/// The first `first` members of 64 and the others have different claims about one member. All links
/// between neighbours of different parts are cut. Returns the time until all know the newer claim.
fn found_after(first: usize, cut: Cut, seed: u64) -> Duration {
    const NODES: usize = 64;
    let mut world = World::light_preformed(&Scenario::bare(NODES, SwimConfig::verified()), seed);
    world.run_until(Instant::ORIGIN + BEGIN);
    let neighbours = |world: &World, one: usize, other: usize| {
        let watches =
            |watcher, subject: usize| world.subjects(NodeIndex(watcher)).contains(&NodeIndex(subject).id());
        watches(one, other) || watches(other, one)
    };
    for one in 0..first {
        for other in (first..NODES).filter(|other| neighbours(&world, one, *other)).collect::<Vec<_>>() {
            let (from, to) = (NodeIndex(one), NodeIndex(other));
            world.act(&Step::Fault(Fault::Cut { from, to }));
            if matches!(cut, Cut::Both) {
                world.act(&Step::Fault(Fault::Cut { from: to, to: from }));
            }
        }
    }
    // No gossip update carries the newer claim: it is only in views, so only anti-entropy can
    // spread it.
    let known = registry(&world, 0).get(&NodeIndex(0).id()).expect("a member knows itself");
    let newer = NodeStatus { incarnation: known.incarnation.next(), ..(*known).clone() };
    let newer = newer.signed(&world.key(NodeIndex(0)));
    for one in 0..first {
        let _ = registry(&world, one).apply(newer.clone());
    }
    let all_know = |world: &World| {
        (0..NODES).all(|node| {
            let known = registry(world, node).get(&newer.id);
            known.is_some_and(|known| known.incarnation >= newer.incarnation)
        })
    };
    let begun = world.now();
    while !all_know(&world) {
        let passed = world.now().since(begun);
        assert!(passed < FOUND_WITHIN, "{first} of {NODES}, {cut:?}, seed {seed}");
        world.run_until(world.now() + Duration::from_millis(500));
    }
    world.now().since(begun)
}

#[test]
/// The median of five seeds is at most one minute.
fn parts_without_common_neighbours_agree_within_three_minutes() {
    for cut in [Cut::Both, Cut::FirstToSecond] {
        for first in [1, 2, 8, 32, 60] {
            let mut times: Vec<Duration> = (1..=5).map(|seed| found_after(first, cut, seed)).collect();
            times.sort_unstable();
            println!("{first} of 64, {cut:?}: {times:?}");
            assert!(times[2] <= Duration::from_mins(1), "{first} of 64, {cut:?}: {times:?}");
        }
    }
}
