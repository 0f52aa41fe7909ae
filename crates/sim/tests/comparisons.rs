//! Comparisons without new connections: how many questions to random members the whole group asks, and how soon two parts of a group
//! that no two neighbours join find out that their views differ.

use std::time::Duration;

use kinfolk_core::{Instant, NodeStatus, SharedNodeRegistry};
use kinfolk_sim::{Fault, NodeIndex, Scenario, Step, World};
use kinfolk_swim::SwimConfig;

const BEGIN: Duration = Duration::from_secs(20);

/// Beyond the longest that any of these took.
const FOUND_WITHIN: Duration = Duration::from_mins(3);

#[test]
fn the_whole_group_asks_eight_random_members_a_minute_whatever_its_size() {
    const MINUTES: u64 = 20;
    for nodes in [32, 128, 512] {
        let mut world = World::light_preformed(&Scenario::bare(nodes, SwimConfig::verified()), 1);
        let asked = |world: &World| -> u64 {
            (0..nodes).map(|n| world.machine(NodeIndex(n)).unwrap().stats().anti_entropy_random).sum()
        };
        world.run_until(Instant::ORIGIN + BEGIN);
        let before = asked(&world);
        world.run_until(Instant::ORIGIN + BEGIN + Duration::from_mins(MINUTES));
        let a_minute = (asked(&world) - before) as f64 / MINUTES as f64;
        assert!((6.0..10.0).contains(&a_minute), "{nodes} members: {a_minute} in a minute");
    }
}

fn registry(world: &World, node: usize) -> &SharedNodeRegistry {
    world.registry(NodeIndex(node)).expect("every node runs")
}

/// Whether messages are lost in one direction or both.
#[derive(Debug, Clone, Copy)]
enum Way {
    Both,
    /// From the first part to the second.
    There,
}

/// The first `first` members of 64 and the others differ in what they know of one, and no two neighbours of different parts reach each
/// other. Gives the time until all know the newer statement.
fn found_after(first: usize, way: Way, seed: u64) -> Duration {
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
            if matches!(way, Way::Both) {
                world.act(&Step::Fault(Fault::Cut { from: to, to: from }));
            }
        }
    }
    // Nobody has news of it: it is only in their views.
    let known = registry(&world, 0).get(&NodeIndex(0).id()).expect("it knows itself");
    let newer = NodeStatus { incarnation: known.incarnation.next(), ..(*known).clone() };
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
        assert!(passed < FOUND_WITHIN, "{first} of {NODES}, {way:?}, seed {seed}");
        world.run_until(world.now() + Duration::from_millis(500));
    }
    world.now().since(begun)
}

#[test]
fn two_parts_that_no_neighbours_join_find_each_other_within_three_minutes() {
    for way in [Way::Both, Way::There] {
        for first in [1, 2, 8, 32, 60] {
            let mut times: Vec<Duration> = (1..=5).map(|seed| found_after(first, way, seed)).collect();
            times.sort_unstable();
            println!("{first} of 64, {way:?}: {times:?}");
            assert!(times[2] <= Duration::from_mins(1), "{first} of 64, {way:?}: {times:?}");
        }
    }
}
