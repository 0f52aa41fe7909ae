//! A lie planted into one member's registry in the middle of a run is caught by the invariant that it breaks.

use std::time::Duration;

use kinfolk_core::{Change, Instant, NodeState, NodeStatus, SharedNodeRegistry, Tags};
use kinfolk_sim::{Fault, Kind, NodeIndex, Scenario, Step, Trace, World, checks};
use kinfolk_swim::SwimConfig;

/// Lets a group of five form, and 10 s after the origin does what `lie` does, which is given what n0001 knows of n0003.
/// Says which invariant is broken by the end.
fn broken_by(lie: impl Fn(&World, &NodeStatus)) -> &'static str {
    broken_by_one_at(Duration::from_secs(10), lie)
}

fn broken_by_one_at(at: Duration, lie: impl Fn(&World, &NodeStatus)) -> &'static str {
    let scenario = Scenario::new(Kind::Join, 5, SwimConfig::lifeguard(), 1);
    let mut world = World::new(&scenario, 1, Trace::off(), checks(&scenario));
    world.run_until(Instant::ORIGIN + at);
    let known = registry(&world, 1).get(&NodeIndex(3).id()).expect("all know each other by then");
    lie(&world, &known);
    world.run_until(scenario.end);
    world.finish();
    world.broken().map_or("nothing", |broken| broken.invariant)
}

fn registry(world: &World, node: usize) -> &SharedNodeRegistry {
    world.registry(NodeIndex(node)).expect("every node of this scenario runs")
}

fn plant(world: &World, node: usize, lie: NodeStatus) {
    assert_ne!(registry(world, node).apply(lie), Change::None);
}

#[test]
fn the_truth_breaks_nothing() {
    assert_eq!(broken_by(|_, _| ()), "nothing");
}

#[test]
fn an_incarnation_that_its_owner_has_not_had_is_caught() {
    let found = broken_by(|world, known| {
        let incarnation = known.incarnation.next();
        plant(world, 1, NodeStatus { incarnation, ..known.clone() });
    });
    assert_eq!(found, "an incarnation grows only, and only by its owner");
}

#[test]
fn a_failure_of_a_running_member_is_caught() {
    let found = broken_by(|world, known| plant(world, 1, known.with_state(NodeState::Failed)));
    assert_eq!(found, "no member that runs is declared failed");
}

#[test]
fn a_view_that_goes_back_is_caught() {
    let found = broken_by(|world, _| registry(world, 1).clear());
    assert_eq!(found, "precedence never goes back");
}

#[test]
fn a_failure_after_a_pause_that_should_be_tolerated_is_caught() {
    let mut scenario = Scenario::new(Kind::Pause, 5, SwimConfig::lifeguard(), 1);
    scenario.tolerated_pause = Some(Duration::from_secs(5));
    // What excuses a failure for the other rule does not for this one.
    scenario.excuse = Some(Duration::from_hours(1));
    let paused = scenario.script.steps().iter().find_map(|(at, step)| match step {
        Step::Fault(Fault::Pause(node)) => Some((*at, *node)),
        _ => None,
    });
    let (at, node) = paused.expect("somebody pauses in this scenario");
    let mut world = World::new(&scenario, 1, Trace::off(), checks(&scenario));
    world.run_until(at + Duration::from_secs(1));
    let liar = if node == NodeIndex(1) { 2 } else { 1 };
    let known = registry(&world, liar).get(&node.id()).expect("all know each other by then");
    plant(&world, liar, known.with_state(NodeState::Failed));
    world.run_until(scenario.end);
    assert_eq!(
        world.broken().map(|broken| broken.invariant),
        Some("a pause that is tolerated never ends in a failure")
    );
}

#[test]
fn a_reaped_member_that_old_news_brings_back_is_caught() {
    let config = SwimConfig { tombstone_ttl: Duration::from_secs(20), ..SwimConfig::lifeguard() };
    let mut scenario = Scenario::new(Kind::Join, 3, config, 1);
    scenario.script.fault(Duration::from_secs(10), Fault::Crash(NodeIndex(2)));
    scenario.end = Instant::ORIGIN + Duration::from_mins(3);
    let mut world = World::new(&scenario, 1, Trace::off(), checks(&scenario));
    world.run_until(Instant::ORIGIN + Duration::from_secs(9));
    let alive = registry(&world, 1).get(&NodeIndex(2).id()).expect("all know each other by then");
    let mut now = world.now();
    while registry(&world, 1).get(&NodeIndex(2).id()).is_some() && now < scenario.end {
        now += Duration::from_millis(100);
        world.run_until(now);
    }
    assert_eq!(world.broken(), None);
    plant(&world, 1, NodeStatus::clone(&alive));
    world.run_until(scenario.end);
    assert_eq!(
        world.broken().map(|broken| broken.invariant),
        Some("a reaped name comes back only with a new incarnation")
    );
}

#[test]
fn a_member_that_never_was_is_caught_even_if_all_believe_in_it() {
    let found = broken_by(|world, known| {
        let ghost = NodeStatus { id: NodeIndex(99).id(), ..known.with_state(NodeState::Left) };
        (0..5).for_each(|node| plant(world, node, ghost.clone()));
    });
    assert_eq!(found, "an incarnation grows only, and only by its owner");
}

#[test]
fn tags_that_differ_at_the_end_are_caught_and_before_are_put_right_by_their_owner() {
    let lie = |world: &World, known: &NodeStatus| {
        plant(world, 1, NodeStatus { tags: Tags::new([("a", "lie")]).unwrap(), ..known.clone() });
    };
    assert_eq!(broken_by(lie), "nothing");
    assert_eq!(broken_by_one_at(Duration::from_secs(70), lie), "all views are equal at the end");
}
