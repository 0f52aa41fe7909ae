//! A false claim that a test puts into one member's registry during a run is caught by the
//! invariant that it breaks.

use std::time::Duration;

use kinfolk_core::{Change, Instant, NodeState, NodeStatus, SharedNodeRegistry, Tags};
use kinfolk_sim::hostile;
use kinfolk_sim::{Fault, Kind, NodeIndex, Scenario, Step, Trace, World, checks};
use kinfolk_swim::SwimConfig;

/// Lets a group of five form, and calls `plant` 10 s after the origin with what n0001 knows of
/// n0003. Returns the invariant that is broken by the end.
fn broken_by(change: impl Fn(&World, &NodeStatus)) -> &'static str {
    broken_by_change_at(Duration::from_secs(10), change)
}

fn broken_by_change_at(at: Duration, change: impl Fn(&World, &NodeStatus)) -> &'static str {
    let scenario = Scenario::new(Kind::Join, 5, SwimConfig::lifeguard(), 1);
    let mut world = World::new(&scenario, 1, Trace::off(), checks(&scenario));
    world.run_until(Instant::ORIGIN + at);
    let known = registry(&world, 1).get(&NodeIndex(3).id()).expect("all know each other by now");
    change(&world, &known);
    world.run_until(scenario.end);
    world.finish();
    world.broken().map_or("nothing", |broken| broken.invariant)
}

fn registry(world: &World, node: usize) -> &SharedNodeRegistry {
    world.registry(NodeIndex(node)).expect("every node of this scenario runs")
}

fn plant(world: &World, node: usize, claim: NodeStatus) {
    assert_ne!(registry(world, node).apply(claim), Change::None);
}

#[test]
fn run_without_false_claims_breaks_nothing() {
    assert_eq!(broken_by(|_, _| ()), "nothing");
}

#[test]
fn incarnation_unknown_to_its_owner_is_caught() {
    let found = broken_by(|world, known| {
        let incarnation = known.incarnation.next();
        let claim = NodeStatus { incarnation, ..known.clone() };
        plant(world, 1, claim.signed(&world.key(NodeIndex(3))));
    });
    assert_eq!(found, "an incarnation grows only, and only by its owner");
}

#[test]
fn failure_of_a_running_member_is_caught() {
    let found = broken_by(|world, known| plant(world, 1, known.with_state(NodeState::Failed)));
    assert_eq!(found, "no member that runs is declared failed");
}

#[test]
fn cleared_view_is_caught() {
    let found = broken_by(|world, _| registry(world, 1).clear());
    assert_eq!(found, "precedence never decreases");
}

#[test]
fn failure_after_tolerated_pause_is_caught() {
    let mut scenario = Scenario::new(Kind::Pause, 5, SwimConfig::lifeguard(), 1);
    scenario.tolerated_pause = Some(Duration::from_secs(5));
    // This excuses a failure for the rule about false failures, but not for this rule.
    scenario.excuse = Some(Duration::from_hours(1));
    let paused = scenario.script.steps().iter().find_map(|(at, step)| match step {
        Step::Fault(Fault::Pause(node)) => Some((*at, *node)),
        _ => None,
    });
    let (at, node) = paused.expect("a node pauses in this scenario");
    let mut world = World::new(&scenario, 1, Trace::off(), checks(&scenario));
    world.run_until(at + Duration::from_secs(1));
    let accuser = if node == NodeIndex(1) { 2 } else { 1 };
    let known = registry(&world, accuser).get(&node.id()).expect("all know each other by now");
    plant(&world, accuser, known.with_state(NodeState::Failed));
    world.run_until(scenario.end);
    assert_eq!(
        world.broken().map(|broken| broken.invariant),
        Some("a tolerated pause never ends in a failure")
    );
}

#[test]
fn reaped_member_that_an_old_claim_revives_is_caught() {
    let config = SwimConfig { tombstone_ttl: Duration::from_secs(20), ..SwimConfig::lifeguard() };
    let mut scenario = Scenario::new(Kind::Join, 3, config, 1);
    scenario.script.fault(Duration::from_secs(10), Fault::Crash(NodeIndex(2)));
    scenario.end = Instant::ORIGIN + Duration::from_mins(3);
    let mut world = World::new(&scenario, 1, Trace::off(), checks(&scenario));
    world.run_until(Instant::ORIGIN + Duration::from_secs(9));
    let alive = registry(&world, 1).get(&NodeIndex(2).id()).expect("all know each other by now");
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
fn nonexistent_member_in_all_views_is_caught() {
    let found = broken_by(|world, known| {
        let nonexistent = NodeStatus { id: NodeIndex(99).id(), ..known.with_state(NodeState::Left) };
        let nonexistent = nonexistent.signed(&world.key(NodeIndex(99)));
        (0..5).for_each(|node| plant(world, node, nonexistent.clone()));
    });
    assert_eq!(found, "an incarnation grows only, and only by its owner");
}

#[test]
/// Their owner signed them, as if it contradicted itself. Earlier in the run it corrects them.
fn different_tags_at_the_end_are_caught() {
    let change = |world: &World, known: &NodeStatus| {
        // The hash of these tags outranks the hash of none, so the claim is taken.
        let tags = Tags::new([("a", "untrue")]).unwrap();
        let claim = NodeStatus::alive(known.id.clone(), known.addr, known.incarnation, tags);
        plant(world, 1, claim.signed(&world.key(NodeIndex(3))));
    };
    assert_eq!(broken_by(change), "nothing");
    assert_eq!(broken_by_change_at(Duration::from_secs(70), change), "all views are equal at the end");
}

/// A group of five with the invariants about liars, of which n0000 is one. `plant` changes the view
/// of n0001 after 5 s. Returns the invariant that is broken then.
fn broken_despite_liar(plant: impl Fn(&World, &NodeStatus)) -> &'static str {
    let scenario = Scenario::bare(5, SwimConfig::verified());
    let checks = hostile::checks(&scenario.config, &[NodeIndex(0)]);
    let mut world = World::preformed(&scenario, 1, Trace::off(), checks);
    world.run_until(Instant::ORIGIN + Duration::from_secs(5));
    assert_eq!(world.broken(), None);
    let known = registry(&world, 1).get(&NodeIndex(3).id()).expect("all know each other");
    plant(&world, &known);
    world.run_until(Instant::ORIGIN + Duration::from_secs(10));
    world.broken().map_or("nothing", |broken| broken.invariant)
}

#[test]
fn what_a_liar_must_not_cause_is_caught() {
    let removed = broken_despite_liar(|world, known| plant(world, 1, known.with_state(NodeState::Failed)));
    assert_eq!(removed, "fewer liars than the quorum remove no honest member");
    let of_liar = broken_despite_liar(|world, known| plant(world, 0, known.with_state(NodeState::Failed)));
    assert_eq!(of_liar, "nothing", "a liar may believe what it wants");
    let forged = broken_despite_liar(|world, known| {
        let tags = Tags::new([("a", "forged")]).expect("short tags");
        let claim = NodeStatus::alive(known.id.clone(), known.addr, known.incarnation.next(), tags);
        plant(world, 1, claim.signed(&world.key(NodeIndex(3))));
    });
    assert_eq!(forged, "no forged field is visible");
    let invented = broken_despite_liar(|world, known| {
        let nobody = NodeStatus { id: NodeIndex(99).id(), ..known.clone() };
        plant(world, 1, nobody.signed(&world.key(NodeIndex(99))));
    });
    assert_eq!(invented, "no view holds an invented member");
}
