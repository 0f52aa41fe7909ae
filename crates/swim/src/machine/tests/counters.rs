//! Tests of the counters: each rises by one for each event, up to two.

use std::sync::Arc;
use std::time::Duration;

use kinfolk_core::signed::simulated::assume_verified;
use kinfolk_core::{Cause, Incarnation, NodeState, NodeStatus, Reason, Rng, SharedNodeRegistry};

use super::bench::{Bench, claim, failure, id, quiet, signer, status};
use crate::dissemination::GossipQueue;
use crate::interface::config::SwimConfig;
use crate::interface::input::{CheckId, Command, Input, NoReply};
use crate::interface::output::Output;
use crate::machine::Machine;
use crate::purpose::RELAYS_MAX;
use crate::wire::buckets::Buckets;
use crate::wire::message::{Message, Reception};

const SECOND: Duration = Duration::from_secs(1);

fn lifeguard(others: &[&str]) -> Bench {
    Bench::new(quiet(&SwimConfig::lifeguard()), others)
}

fn verified(others: &[&str]) -> Bench {
    let mut bench = Bench::new(quiet(&SwimConfig::verified()), others);
    while bench.machine.poll_output().is_some() {}
    bench
}

fn last_request(bench: &Bench) -> u64 {
    bench.machine.cx.next_request().0 - 1
}

fn ping_req(target: &str) -> Message {
    Message::PingReq { target: id(target), within_ms: 500, nack: true, check_port: true, gossip: Vec::new() }
}

#[test]
fn relays_and_port_checks_are_counted_and_bounded() {
    let mut bench = lifeguard(&["a", "b"]);
    for number in 1..=RELAYS_MAX {
        let told = bench.message("a", ping_req("b"));
        assert!(told.contains("check the port of b"), "{number}: {told}");
        bench.ack(last_request(&bench), "b");
        let stats = bench.machine.stats();
        assert_eq!((stats.relays, stats.port_checks), (number as u64, number as u64));
    }
    for number in 1..=2 {
        let told = bench.message("a", ping_req("b"));
        assert!(!told.contains("check the port"), "{told}");
        bench.ack(last_request(&bench), "b");
        let stats = bench.machine.stats();
        assert_eq!((stats.port_checks, stats.port_checks_refused), (RELAYS_MAX as u64, number));
        bench.message("a", ping_req("stranger"));
        assert_eq!(bench.machine.stats().relays_refused, number);
    }
    // A port check that ends makes room for one more.
    bench.input(Input::PortChecked { check: CheckId(0), closed: false });
    assert!(bench.message("a", ping_req("b")).contains("check the port of b"));
}

#[test]
fn misplaced_message_is_counted_as_unexpected() {
    let mut bench = lifeguard(&["a", "b"]);
    let mut unexpected = 0;
    let mut is_one_more = |bench: &Bench| {
        unexpected += 1;
        assert_eq!(bench.machine.stats().unexpected, unexpected);
    };
    bench.input(Input::PortChecked { check: CheckId(9), closed: false });
    is_one_more(&bench);
    bench.gossip("a", Vec::new());
    bench.message("a", Message::Nack { closed: false, lossy: false, accusation: None });
    is_one_more(&bench);
    let ping = Message::Ping { digest: 0, gossip: Vec::new() };
    bench.input(Input::Message { from: id("a"), message: assume_verified(ping), reply_to: None });
    is_one_more(&bench);
    let (clock, me) = (Incarnation::new(10), Arc::new(status("b", 1, NodeState::Alive)));
    assert_eq!(
        bench.message("a", Message::Join { clock, me }),
        "decline 7\n",
        "a member speaks only for itself"
    );
    is_one_more(&bench);
    bench.tick();
    bench.reply(0, "a", Message::Page { nodes: Vec::new(), more: false });
    is_one_more(&bench);
}

#[test]
fn answer_to_a_finished_request_counts_as_late() {
    let mut bench = lifeguard(&["a"]);
    bench.ack(77, "a");
    assert_eq!(bench.machine.stats().late_replies, 1);
    bench.reply(78, "a", Message::Nack { closed: false, lossy: false, accusation: None });
    assert_eq!(bench.machine.stats().late_replies, 2);
}

/// A round counts if it finds no difference, and if it reaches the last page.
#[test]
fn finished_anti_entropy_round_counts_as_exchange() {
    let mut bench = verified(&["a", "b"]);
    for syncs in 1..=2 {
        bench.machine.compare_with(&id("a"));
        bench.reply(last_request(&bench), "a", Message::Differ { buckets: Buckets::NONE });
        assert_eq!(bench.machine.stats().syncs, syncs);
    }
    for syncs in 3..=4 {
        bench.machine.compare_with(&id("a"));
        bench.reply(last_request(&bench), "a", Message::Differ { buckets: Buckets::ALL });
        let nodes = ["a", "b"].map(|name| Arc::new(status(name, 1, NodeState::Alive))).to_vec();
        assert_eq!(bench.machine.stats().syncs, syncs - 1);
        bench.reply(last_request(&bench), "a", Message::Page { nodes, more: false });
        assert_eq!(bench.machine.stats().syncs, syncs);
    }
}

#[test]
fn claim_beyond_a_full_registry_is_counted() {
    let registry = SharedNodeRegistry::with_nodes_max(2);
    let _ = registry.apply(status("a", 1, NodeState::Alive));
    let mut bench = lifeguard(&[]);
    let me = status("me", 10, NodeState::Alive);
    let (config, rng) = (quiet(&SwimConfig::lifeguard()), Rng::from_seed(1));
    bench.machine = Machine::new(config, me, signer("me"), registry, rng, bench.now);
    bench.gossip("a", vec![claim("x", 1, NodeState::Alive, &[])]);
    assert_eq!(bench.machine.stats().registry_full, 1);
    let (clock, me) = (Incarnation::new(10), Arc::new(status("y", 1, NodeState::Alive)));
    assert_eq!(bench.message("y", Message::Join { clock, me }), "Welcome(Full) -> reply 7\n");
    assert_eq!(bench.machine.stats().registry_full, 2);
}

#[test]
fn lateness_is_counted_once_and_raises_local_health() {
    let mut bench = verified(&["a", "b"]);
    let late = |bench: &mut Bench, millis| bench.input(Input::Late { by: Duration::from_millis(millis) });
    let counted = |bench: &Bench| (bench.machine.stats().times_late, bench.machine.stats().local_health);
    late(&mut bench, 99);
    assert_eq!(counted(&bench), (0, 0));
    late(&mut bench, 100);
    late(&mut bench, 300);
    assert_eq!(counted(&bench), (1, 1));
    assert_eq!(bench.machine.lateness(bench.now), Duration::from_millis(300));
    bench.now += Duration::from_millis(240);
    late(&mut bench, 1);
    assert_eq!(counted(&bench), (1, 1), "the lateness is not over yet");
    bench.pass(SECOND * 3);
    late(&mut bench, 200);
    assert_eq!(bench.machine.stats().times_late, 2);

    let mut swim = Bench::new(quiet(&SwimConfig::swim()), &["a", "b"]);
    late(&mut swim, 500);
    assert_eq!((counted(&swim), swim.machine.lateness(swim.now)), ((0, 0), Duration::ZERO));
}

#[test]
fn late_member_postpones_rounds_and_contacts() {
    let heal_interval = Some(SECOND * 30);
    let config = SwimConfig { sync_interval: SECOND * 30, heal_interval, ..quiet(&SwimConfig::verified()) };
    let mut bench = Bench::new(config, &["a", "b", "c"]);
    bench.gossip("b", failure("a", 1, &["b", "c"]));
    assert_eq!(bench.known("a").1, NodeState::Failed);
    // This member is alone with the failed one.
    bench.gossip("b", vec![claim("b", 1, NodeState::Left, &[]), claim("c", 1, NodeState::Left, &[])]);
    let mut postponed = 0;
    let end = bench.now + SECOND * 180;
    while bench.machine.next_timeout().is_some_and(|at| at <= end) {
        bench.input(Input::Late { by: SECOND });
        bench.now = bench.machine.next_timeout().unwrap();
        bench.input(Input::Late { by: SECOND });
        let told = bench.input(Input::Timeout);
        assert!(!told.contains("-> a"), "{told}");
        assert!(bench.machine.stats().anti_entropy_postponed >= postponed);
        postponed = bench.machine.stats().anti_entropy_postponed;
    }
    assert!((6..=24).contains(&postponed), "both rounds continue: {postponed}");
    assert_eq!(bench.machine.stats().heals, 0);
    bench.now += SECOND * 60;
    bench.pass(SECOND * 60);
    assert!(bench.machine.stats().heals > 0);
    assert_eq!(bench.machine.stats().anti_entropy_postponed, postponed);
}

#[test]
fn each_back_pressure_of_the_driver_is_counted() {
    let mut bench = lifeguard(&["a"]);
    for times in 1..=2 {
        bench.input(Input::BackPressure);
        bench.input(Input::BackPressureEnded);
        assert_eq!(bench.machine.stats().back_pressures, times);
    }
}

#[test]
fn health_check_suspicion_counts_once_for_its_subject() {
    let mut bench = lifeguard(&["a", "b"]);
    let mut verdict = |about: &str, claim: &str| {
        let claim: Option<Arc<NodeStatus>> = Some(status(claim, 1, NodeState::Suspect).into());
        let cause = Cause::by(id("me"), Reason::Phi { phi: 9.0, silence: SECOND });
        bench.input(Input::Health { id: id(about), claim, cause });
        bench.machine.stats().suspicions
    };
    assert_eq!([verdict("a", "b"), verdict("me", "me")], [0, 0]);
    assert_eq!([verdict("a", "a"), verdict("a", "a"), verdict("b", "b")], [1, 1, 2]);
}

#[test]
fn queued_and_dropped_updates_are_counted() {
    let mut bench = lifeguard(&["a"]);
    assert_eq!(bench.machine.stats().queued, 0);
    bench.gossip("a", vec![claim("x", 1, NodeState::Alive, &[])]);
    assert_eq!(bench.machine.stats().queued, 1);
    for _ in 0..GossipQueue::BROADCASTS_MAX + 2 {
        bench.command(Command::Broadcast("hello".into()));
    }
    let stats = bench.machine.stats();
    assert_eq!((stats.queued, stats.broadcasts_dropped), (1 + GossipQueue::BROADCASTS_MAX, 2));
}

#[test]
fn probe_outcomes_are_counted_in_verified_mode() {
    let mut bench = verified(&["a"]);
    let probe = |bench: &mut Bench| {
        let sent = (0..20).any(|_| bench.tick().contains("Ping["));
        assert!(sent, "it is probed each interval");
        last_request(bench)
    };
    let request = probe(&mut bench);
    bench.ack(request, "a");
    let request = probe(&mut bench);
    bench.no_reply(request, NoReply::Local);
    let request = probe(&mut bench);
    bench.no_reply(request, NoReply::Late);
    let request = probe(&mut bench);
    let before = bench.machine.stats();
    assert_eq!((before.probes, before.acks, before.probes_void, before.probes_late), (4, 1, 2, 1));
    assert_eq!((before.probes_failed, before.late_replies), (0, 0));
    bench.pass(Duration::from_millis(999));
    bench.ack(request, "a");
    let after = bench.machine.stats();
    assert_eq!((after.probes_failed, after.late_replies, after.acks), (1, 1, 1));
}

#[test]
fn probe_outcomes_are_counted_in_round_robin() {
    let mut bench = lifeguard(&["a"]);
    let ends = |bench: &Bench| {
        let stats = bench.machine.stats();
        (stats.probes, stats.acks, stats.probes_failed, stats.probes_void, stats.suspicions)
    };
    let probe = |bench: &mut Bench| {
        let sent = (0..20).any(|_| bench.tick().contains("Ping["));
        assert!(sent, "there is a probe in each period");
        last_request(bench)
    };
    let request = probe(&mut bench);
    bench.ack(request, "a");
    let request = probe(&mut bench);
    bench.no_reply(request, NoReply::Local);
    probe(&mut bench);
    assert_eq!(ends(&bench), (3, 1, 0, 1, 0));
    probe(&mut bench);
    assert_eq!(ends(&bench), (4, 1, 1, 1, 1));
    probe(&mut bench);
    assert_eq!(ends(&bench), (5, 1, 2, 1, 1), "the member is suspected once");
}

#[test]
fn members_beyond_the_introduction_bound_are_counted() {
    let mut bench = verified(&["a"]);
    bench.input(Input::WallClock { since_epoch: Duration::from_hours(25) });
    let nodes = (0..4_098).map(|number| Arc::new(status(&format!("old{number}"), 1, NodeState::Alive)));
    let sync = Message::Sync { nodes: nodes.collect(), after: None, want: false, only: Buckets::ALL };
    bench.message("a", sync);
    assert_eq!(bench.machine.stats().introductions_full, 2);
    assert_eq!(bench.machine.registry().len(), 2, "no old member enters the registry");
}

#[test]
fn each_contact_of_a_failed_member_is_counted() {
    let heal_interval = Some(SECOND * 10);
    let probe_interval = Duration::from_hours(1_000);
    let config = SwimConfig { probe_interval, heal_interval, ..quiet(&SwimConfig::lifeguard()) };
    let mut bench = Bench::new(config, &["a", "b"]);
    bench.gossip("b", vec![claim("a", 1, NodeState::Failed, &["b"])]);
    let told = bench.pass(SECOND * 60);
    let contacts = told.lines().filter(|line| line.starts_with("Sync") && line.contains("-> a")).count();
    assert!(contacts > 1);
    assert_eq!(bench.machine.stats().heals, contacts as u64);
}

#[test]
fn successful_join_counts_as_an_exchange() {
    let mut bench = lifeguard(&[]);
    let addr = status("seed", 1, NodeState::Alive).addr;
    bench.command(Command::Join { id: id("seed"), addr });
    let welcome = Message::Welcome { clock: Incarnation::new(10), reception: Reception::Seen };
    bench.reply(0, "seed", welcome);
    let nodes = vec![Arc::new(status("seed", 1, NodeState::Alive))];
    bench.reply(1, "seed", Message::Page { nodes, more: false });
    assert!(bench.outputs.iter().any(|output| matches!(output, Output::Done { .. })));
    assert_eq!(bench.machine.stats().syncs, 1);
}

/// A late member with one failed member, and what it skips in a minute.
fn skipped(sync_interval: Duration, heal_interval: Option<Duration>) -> u64 {
    let config = SwimConfig { sync_interval, heal_interval, ..quiet(&SwimConfig::verified()) };
    let mut bench = Bench::new(config, &["b"]);
    bench.gossip("b", vec![claim("a", 1, NodeState::Failed, &["b"])]);
    for _ in 0..300 {
        bench.now += SECOND / 5;
        bench.input(Input::Late { by: SECOND });
        bench.input(Input::Timeout);
    }
    bench.machine.stats().anti_entropy_postponed
}

#[test]
fn skipped_rounds_and_skipped_contacts_are_counted() {
    let never = Duration::from_hours(10_000);
    assert_eq!(skipped(never, None), 0);
    assert!((4..=12).contains(&skipped(SECOND * 10, None)));
    assert!((4..=12).contains(&skipped(never, Some(SECOND * 10))));
}
