//! Tests of suspicions that are confirmed, refuted or expire, of tombstones, and of claims about
//! this member itself.

use std::sync::Arc;
use std::time::Duration;

use expect_test::expect;
use kinfolk_core::{Incarnation, NodeState};
use kinfolk_detector::SuspicionRule;

use super::bench::{Bench, claim, id, quiet, status};
use crate::detection::peek;
use crate::fact::Spread;
use crate::interface::config::SwimConfig;
use crate::interface::input::Input;
use crate::machine::Machine;
use crate::wire::message::Message;

/// A configuration without probes for the duration of these tests.
fn without_probes(config: &SwimConfig) -> SwimConfig {
    let suspicion = SuspicionRule { alpha: 0.004, ..config.suspicion };
    SwimConfig { probe_interval: Duration::from_hours(1_000), suspicion, ..quiet(config) }
}

/// A suspicion lasts 24 hours with one accuser, and 4 hours with four.
fn bench(others: &[&str]) -> Bench {
    Bench::new(without_probes(&SwimConfig::lifeguard()), others)
}

#[test]
fn accusation_is_passed_on_with_its_accuser() {
    let mut bench = bench(&["a", "b"]);
    expect![[r"
        event suspected a: reported; accused by b
    "]]
    .assert_eq(&bench.gossip("b", vec![claim("a", 1, NodeState::Suspect, &["b"])]));
    assert_eq!(bench.machine.queue().take(0, 4_096, 3, 3), [claim("a", 1, NodeState::Suspect, &["b"])]);
}

#[test]
fn only_a_new_accuser_is_passed_on() {
    let mut bench = bench(&["a", "b", "c", "d", "e", "f"]);
    bench.gossip("b", vec![claim("a", 1, NodeState::Suspect, &["b"])]);
    bench.machine.queue().take(0, 4_096, 1, 1);
    bench.gossip("b", vec![claim("a", 1, NodeState::Suspect, &["b"])]);
    assert!(!bench.machine.queue().has_fresh(1));
    bench.gossip("c", vec![claim("a", 1, NodeState::Suspect, &["c"])]);
    assert!(bench.machine.queue().has_fresh(1));
    assert_eq!(bench.machine.owners.detection.accusers_of(&id("a")), [id("b"), id("c")]);
}

#[test]
fn more_accusers_shorten_the_suspicion() {
    let expires_after = |accusers: &[&str]| {
        let mut bench = bench(&["a", "b", "c", "d", "e", "f"]);
        let started = bench.now;
        bench.gossip("b", vec![claim("a", 1, NodeState::Suspect, accusers)]);
        while bench.known("a").1 == NodeState::Suspect {
            bench.tick();
        }
        bench.now.since(started)
    };
    let alone = expires_after(&["b"]);
    let two = expires_after(&["b", "c"]);
    let four = expires_after(&["b", "c", "d", "e"]);
    assert!(alone > two && two > four, "{alone:?} {two:?} {four:?}");
    assert_eq!((alone, four), (Duration::from_hours(24), Duration::from_hours(4)));
}

#[test]
fn only_new_later_accusers_shorten_the_suspicion() {
    let expires_after = |later: &[&str]| {
        let mut bench = bench(&["a", "b", "c", "d", "e", "f"]);
        let started = bench.now;
        bench.gossip("b", vec![claim("a", 1, NodeState::Suspect, &["b"])]);
        bench.now += Duration::from_hours(1);
        for accuser in later {
            bench.gossip("b", vec![claim("a", 1, NodeState::Suspect, &[accuser])]);
        }
        bench.pass(Duration::from_hours(25)).matches("event failed a").count() == 1
            && bench.machine.explain(&id("a")).last().is_some_and(|last| {
                let hours = last.at.since(started).as_secs() / 3_600;
                hours == if later.len() == 3 { 4 } else { 24 }
            })
    };
    assert!(expires_after(&["b"]) && expires_after(&["c", "d", "e"]));
}

#[test]
fn suspicion_times_out_to_failed() {
    let mut bench = bench(&["a", "b"]);
    bench.gossip("b", vec![claim("a", 1, NodeState::Suspect, &["b"])]);
    let text = bench.pass(Duration::from_hours(25));
    assert!(text.contains("event failed a: suspected for"), "{text}");
    assert_eq!(text.matches("event failed a").count(), 1, "{text}");
    assert_eq!(bench.known("a"), (1, NodeState::Failed));
    assert_eq!(bench.machine.stats().failures, 1);
}

#[test]
fn refutation_in_time_ends_the_suspicion() {
    let mut bench = bench(&["a", "b"]);
    bench.gossip("b", vec![claim("a", 1, NodeState::Suspect, &["b"])]);
    assert_eq!(
        bench.gossip("b", vec![claim("a", 1, NodeState::Alive, &[])]),
        "",
        "the same incarnation refutes nothing"
    );
    assert_eq!(bench.gossip("b", vec![claim("a", 2, NodeState::Alive, &[])]), "event recovered a\n");
    assert!(peek::suspected(&bench.machine.owners.detection) == 0);
    assert_eq!(bench.gossip("b", vec![claim("a", 1, NodeState::Suspect, &["b"])]), "", "an old accusation");
}

#[test]
fn failed_nodes_are_reaped() {
    let ttl = Duration::from_hours(24);
    let mut bench = bench(&["a", "b"]);
    bench.gossip("b", vec![claim("a", 1, NodeState::Failed, &["b"])]);
    let before = bench.pass(ttl.saturating_sub(Duration::from_nanos(1)));
    assert!(!before.contains("reaped"), "{before}");
    assert!(bench.pass(Duration::from_nanos(1)).contains("event reaped a"));
    assert!(
        bench.machine.registry().get(&id("a")).is_none() && bench.machine.owners.members.tombstones() == 0
    );
}

#[test]
fn returned_member_is_not_reaped() {
    let mut bench = bench(&["a", "b"]);
    bench.gossip("b", vec![claim("a", 1, NodeState::Failed, &["b"])]);
    assert_eq!(bench.gossip("b", vec![claim("a", 2, NodeState::Alive, &[])]), "event joined a\n");
    let text = bench.pass(Duration::from_hours(48));
    assert!(!text.contains("reaped a"), "{text}");
}

#[test]
fn suspected_node_refutes() {
    let mut bench = bench(&["a", "b"]);
    for state in [NodeState::Suspect, NodeState::Failed, NodeState::Left] {
        let (before, _) = bench.known("me");
        bench.gossip("b", vec![claim("me", before, state, &["b"])]);
        assert_eq!(bench.known("me"), (before + 1, NodeState::Alive), "against {state}");
        let refutation = bench.machine.queue().take(0, 4_096, 1, 1);
        assert_eq!(refutation, [claim("me", before + 1, NodeState::Alive, &[])]);
    }
    assert_eq!(bench.machine.stats().refutations, 3);
    assert_eq!(bench.machine.stats().local_health, 3);
}

#[test]
fn claim_about_a_former_instance_is_outranked() {
    let mut bench = bench(&["b"]);
    bench.gossip("b", vec![claim("me", 500, NodeState::Alive, &[])]);
    assert_eq!(bench.known("me"), (501, NodeState::Alive));
    bench.gossip("b", vec![claim("me", 400, NodeState::Failed, &["b"])]);
    assert_eq!(bench.known("me"), (501, NodeState::Alive), "an older claim needs no answer");
}

#[test]
fn claim_far_ahead_is_refused_and_counted() {
    let mut bench = bench(&["b"]);
    let day = 24 * 60 * 60 * 1_000;
    bench.gossip("b", vec![claim("me", 10 + day + 1, NodeState::Suspect, &["b"])]);
    assert_eq!((bench.known("me").0, bench.machine.stats().claims_refused), (10, 1));
    bench.gossip("b", vec![claim("me", 10 + day, NodeState::Suspect, &["b"])]);
    assert_eq!((bench.known("me").0, bench.machine.stats().claims_refused), (10 + day + 1, 1));
}

#[test]
fn only_the_subject_raises_its_incarnation() {
    let mut bench = bench(&["a", "b", "c"]);
    bench.gossip(
        "b",
        vec![claim("a", 1, NodeState::Suspect, &["b"]), claim("a", 1, NodeState::Suspect, &["c"])],
    );
    bench.pass(Duration::from_hours(25));
    assert_eq!(bench.machine.registry().get(&id("a")).unwrap().incarnation, Incarnation::new(1));
}

#[test]
fn only_an_accusation_confirms_a_suspicion() {
    let mut bench = bench(&["a", "b", "c"]);
    bench.gossip("b", vec![claim("a", 1, NodeState::Suspect, &["b"])]);
    let alive = Arc::new(status("a", 1, NodeState::Alive));
    let Machine { cx, owners, .. } = &mut bench.machine;
    owners.claimed(cx, &alive, vec![id("c")], Spread::Nobody);
    assert_eq!(owners.detection.accusers_of(&id("a")), [id("b")]);
    let suspect = Arc::new(status("a", 1, NodeState::Suspect));
    owners.claimed(cx, &suspect, vec![id("c")], Spread::Nobody);
    assert_eq!(owners.detection.accusers_of(&id("a")), [id("b"), id("c")]);
}

#[test]
fn health_verdict_starts_a_suspicion() {
    let mut bench = bench(&["a", "b"]);
    let node = bench.machine.registry().get(&id("a")).unwrap();
    let claim = Some(Arc::new(node.with_state(NodeState::Suspect)));
    let reason = kinfolk_core::Reason::Phi { phi: 9.0, silence: Duration::from_secs(9) };
    let cause = kinfolk_core::Cause::by(id("me"), reason);
    expect![[r"
        event suspected a: silent for 9.0 s (phi 9.0); accused by me
    "]]
    .assert_eq(&bench.input(Input::Health { id: id("a"), claim, cause }));
    assert_eq!(bench.machine.owners.detection.accusers_of(&id("a")), [id("me")]);
}

#[test]
fn refutation_is_repeated_to_a_late_accuser() {
    let mut bench = bench(&["a", "b"]);
    bench.gossip("b", vec![claim("me", 10, NodeState::Suspect, &["b"])]);
    while !bench.machine.queue().is_empty() {
        bench.machine.queue().take(0, 4_096, 1, 1);
    }
    let old = Message::Ping { digest: 0, gossip: vec![claim("me", 10, NodeState::Suspect, &["b"])] };
    assert_eq!(bench.message("b", old), "Ack[me i11 alive] -> reply 7\n");
    assert_eq!(bench.known("me"), (11, NodeState::Alive), "repeating it needs no new incarnation");
}

#[test]
fn suspicion_of_a_newer_incarnation_starts_again() {
    let mut bench = bench(&["a", "b", "c"]);
    bench.gossip("b", vec![claim("a", 1, NodeState::Suspect, &["b"])]);
    bench.pass(Duration::from_hours(12));
    bench.gossip("c", vec![claim("a", 2, NodeState::Suspect, &["c"])]);
    assert_eq!(bench.machine.owners.detection.accusers_of(&id("a")), [id("c")]);
    bench.pass(Duration::from_hours(23));
    assert_eq!(bench.known("a"), (2, NodeState::Suspect));
    bench.pass(Duration::from_hours(2));
    assert_eq!(bench.known("a"), (2, NodeState::Failed));
}

/// In a group of 105 the suspicion lasts twice as long as in one of ten: about 48 hours.
#[test]
fn suspicion_lasts_longer_in_a_grown_group() {
    let mut bench = bench(&["a", "b"]);
    bench.gossip("b", vec![claim("a", 1, NodeState::Suspect, &["b"])]);
    bench.gossip("b", (0..102).map(|n| claim(&format!("n{n}"), 1, NodeState::Alive, &[])).collect());
    bench.pass(Duration::from_hours(47));
    assert_eq!(bench.known("a"), (1, NodeState::Suspect));
    bench.pass(Duration::from_hours(3));
    assert_eq!(bench.known("a"), (1, NodeState::Failed));
}

/// Another holder of the registry may have changed it.
#[test]
fn suspect_that_changed_elsewhere_is_not_judged() {
    for elsewhere in [status("a", 2, NodeState::Suspect), status("a", 1, NodeState::Left)] {
        let mut bench = bench(&["a", "b"]);
        bench.gossip("b", vec![claim("a", 1, NodeState::Suspect, &["b"])]);
        let _ = bench.machine.owners.members.apply(elsewhere.clone());
        bench.pass(Duration::from_hours(25));
        assert_eq!(bench.known("a"), (elsewhere.incarnation.get(), elsewhere.state));
        assert_eq!(bench.machine.stats().failures, 0);
    }
}
