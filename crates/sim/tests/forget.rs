//! One member forgets many old names at once: they leave all views, and the forget updates stop.

use std::time::Duration;

use kinfolk_core::Instant;
use kinfolk_sim::{NodeIndex, Scenario, Step, World};
use kinfolk_swim::SwimConfig;

const MEMBERS: usize = 20;

/// One member requests to forget `old` names. Returns the seconds until no view holds them, and the
/// number of members that still hold some ten minutes later. The last two values are the idle bytes
/// a second before and after.
fn forget(old: usize) -> (f64, usize, u64, u64) {
    let mut scenario = Scenario::bare(MEMBERS + old, SwimConfig::verified());
    scenario.config.heal_interval = None;
    let mut world = World::light_among_tombstones(&scenario, MEMBERS, MEMBERS, 1);
    let known = |world: &World, node| world.registry(NodeIndex(node)).map_or(0, |registry| registry.len());
    let bytes_in = |world: &mut World, seconds: u64| {
        let before = world.traffic_of_all();
        world.run_until(world.now() + Duration::from_secs(seconds));
        (world.traffic_of_all() - before).bytes_sent / seconds
    };
    world.run_until(Instant::ORIGIN + Duration::from_secs(10));
    let idle = bytes_in(&mut world, 10);
    let begin = world.now();
    for of in (MEMBERS..MEMBERS + old).map(NodeIndex) {
        world.act(&Step::Forget { node: NodeIndex(3), of });
    }
    while (0..MEMBERS).any(|node| known(&world, node) > MEMBERS)
        && world.now() < begin + Duration::from_mins(1)
    {
        world.run_until(world.now() + Duration::from_millis(10));
    }
    let seconds = world.now().since(begin).as_secs_f64();
    world.run_until(world.now() + Duration::from_mins(10));
    let holding = (0..MEMBERS).filter(|node| known(&world, *node) > MEMBERS).count();
    (seconds, holding, idle, bytes_in(&mut world, 10))
}

#[test]
fn a_thousand_names_are_forgotten_and_traffic_settles() {
    let (seconds, holding, before, after) = forget(1_000);
    assert_eq!(holding, 0);
    assert!(seconds < 10.0, "{seconds} s");
    assert!(after <= before * 11 / 10, "{after} B/s after, {before} B/s before");
}
