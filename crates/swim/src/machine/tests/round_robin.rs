//! Tests of the round-robin modes: which answers count in a probe, and how a partition is reported.

use std::time::Duration;

use kinfolk_core::NodeState;
use kinfolk_detector::SuspicionRule;

use super::bench::{Bench, claim, id, quiet};
use crate::interface::config::SwimConfig;
use crate::interface::input::NoReply;
use crate::interface::output::Output;

const SECOND: Duration = Duration::from_secs(1);

/// A member that has just sent its first probe, and the name of the target.
fn probing(others: &[&str]) -> (Bench, String) {
    let mut bench = Bench::new(quiet(&SwimConfig::lifeguard()), others);
    bench.tick();
    let target = receivers(&bench)[0].1.clone();
    (bench, target)
}

/// The requests among the last outputs: their numbers and their receivers.
fn receivers(bench: &Bench) -> Vec<(u64, String)> {
    let request = |output: &Output| match output {
        Output::Send { to, request: Some(request), .. } => Some((request.0, to.to_string())),
        _ => None,
    };
    bench.outputs.iter().filter_map(request).collect()
}

#[test]
fn answer_of_another_member_does_not_count() {
    let (mut bench, target) = probing(&["a", "b"]);
    let other = if target == "a" { "b" } else { "a" };
    bench.ack(0, other);
    assert_eq!(bench.machine.stats().acks, 0);
}

#[test]
fn probe_counts_only_its_first_answer() {
    let counted = |bench: &Bench| {
        let stats = bench.machine.stats();
        (stats.acks, stats.indirect_acks, stats.probes_void)
    };
    let (mut bench, target) = probing(&["a", "b", "c", "d"]);
    bench.tick();
    let helpers = receivers(&bench);
    bench.ack(helpers[0].0, &helpers[0].1);
    bench.ack(helpers[1].0, &helpers[1].1);
    assert_eq!(counted(&bench), (0, 1, 0));
    bench.ack(0, &target);
    assert_eq!(counted(&bench), (0, 1, 0));

    let (mut bench, target) = probing(&["a", "b", "c", "d"]);
    bench.tick();
    let helpers = receivers(&bench);
    bench.ack(0, &target);
    bench.ack(helpers[0].0, &helpers[0].1);
    assert_eq!(counted(&bench), (1, 0, 0));

    let (mut bench, _) = probing(&["a", "b", "c", "d"]);
    bench.tick();
    let helpers = receivers(&bench);
    bench.ack(helpers[0].0, &helpers[0].1);
    assert_eq!(bench.no_reply(0, NoReply::Local), "");
    assert_eq!(counted(&bench), (0, 1, 0));
}

#[test]
fn unsent_request_to_a_helper_owes_no_nack() {
    let (mut bench, _) = probing(&["a", "b", "c", "d"]);
    bench.tick();
    let helpers = receivers(&bench);
    assert_eq!(helpers.len(), 3);
    bench.no_reply(helpers[0].0, NoReply::Local);
    bench.no_reply(helpers[1].0, NoReply::Silent);
    assert!(bench.tick().contains("2 indirect ones"));
    assert_eq!(bench.machine.stats().local_health, 2);
}

#[test]
fn suspect_member_is_no_helper() {
    let (mut bench, target) = probing(&["a", "b", "c"]);
    let others: Vec<_> = ["a", "b", "c"].into_iter().filter(|name| *name != target).collect();
    bench.gossip(&target, vec![claim(others[0], 1, NodeState::Suspect, &["x"])]);
    bench.tick();
    assert_eq!(receivers(&bench), [(1, others[1].to_owned())]);
}

/// Lets time pass. Every request is answered.
fn pass_well(bench: &mut Bench, time: Duration) -> String {
    let (end, mut told) = (bench.now + time, String::new());
    while bench.machine.next_timeout().is_some_and(|at| at <= end) {
        told += &bench.tick();
        for (request, to) in receivers(bench) {
            told += &bench.ack(request, &to);
        }
    }
    bench.now = end;
    told
}

#[test]
fn round_robin_reports_partition_and_its_end() {
    let suspicion = SuspicionRule { alpha: 1_000.0, ..SuspicionRule::lifeguard() };
    let config = SwimConfig { suspicion, ..quiet(&SwimConfig::lifeguard()) };
    let mut bench = Bench::new(config, &["a", "b", "c"]);
    let told = |name, incarnation, state| claim(name, incarnation, state, &["c"]);
    bench.gossip("c", vec![told("a", 1, NodeState::Suspect), told("b", 1, NodeState::Suspect)]);
    let text = pass_well(&mut bench, SECOND * 5);
    assert!(!text.contains("Partition"), "{text}");
    let text = pass_well(&mut bench, SECOND * 2);
    assert_eq!(text.matches("PartitionDetected { minority: false, live: 2, known: 4 }").count(), 1, "{text}");
    assert!(bench.machine.partition().partitioned);
    bench.gossip("c", vec![told("a", 2, NodeState::Alive), told("b", 2, NodeState::Alive)]);
    let text = pass_well(&mut bench, SECOND * 2);
    assert_eq!(text.matches("PartitionHealed { live: 4, known: 4").count(), 1, "{text}");
    assert!(!bench.machine.partition().partitioned);
    assert_eq!(bench.known("a"), (2, NodeState::Alive));
    assert!(bench.machine.owners.detection.accusers_of(&id("a")).is_empty());
}
