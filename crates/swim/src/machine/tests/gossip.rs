//! Tests of dissemination: updates that piggyback on messages, pushes, broadcasts, large tags.

use std::time::Duration;

use expect_test::expect;
use kinfolk_core::{NodeState, NodeStatus};

use super::bench::{Bench, claim, id, quiet, status, tagged};
use crate::interface::config::SwimConfig;
use crate::interface::output::Output;
use crate::purpose::DESCRIBES_MAX;
use crate::wire::codec;
use crate::wire::message::{Message, Update};

fn without_probes(config: &SwimConfig) -> SwimConfig {
    SwimConfig {
        probe_interval: Duration::from_hours(1),
        sync_interval: Duration::from_hours(1_000),
        ..config.clone()
    }
}

#[test]
fn ping_answer_carries_waiting_updates() {
    let mut bench = Bench::new(quiet(&SwimConfig::lifeguard()), &["a", "b"]);
    bench.gossip("b", vec![claim("c", 1, NodeState::Alive, &[])]);
    expect![[r"
        Ack[c i1 alive] -> reply 7
    "]]
    .assert_eq(&bench.message("a", Message::Ping { digest: 0, gossip: Vec::new() }));
}

#[test]
fn failed_member_that_sends_receives_the_claim() {
    for config in [SwimConfig::swim(), SwimConfig::lifeguard()] {
        let mut bench = Bench::new(quiet(&config), &["a", "b"]);
        bench.gossip("b", vec![claim("a", 1, NodeState::Failed, &["b"])]);
        while !bench.machine.queue().is_empty() {
            bench.machine.queue().take(0, 4_096, 1, 1);
        }
        let answer = bench.message("a", Message::Ping { digest: 0, gossip: Vec::new() });
        assert_eq!(answer, "Ack[a i1 failed] -> reply 7\n");
    }
}

#[test]
fn fresh_updates_are_pushed_together_after_20_ms() {
    let mut bench = Bench::new(without_probes(&SwimConfig::lifeguard()), &["a", "b", "c", "d"]);
    bench.pass(Duration::from_secs(1));
    bench.gossip("b", vec![claim("x", 1, NodeState::Alive, &[])]);
    bench.now += Duration::from_millis(5);
    bench.gossip("b", vec![claim("y", 1, NodeState::Alive, &[])]);
    assert_eq!(bench.pass(Duration::from_millis(14)), "");
    let pushed = bench.pass(Duration::from_millis(1));
    assert_eq!(pushed.lines().count(), 3, "{pushed}");
    assert!(pushed.lines().all(|line| line.starts_with("Gossip[y i1 alive; x i1 alive] -> ")), "{pushed}");
}

#[test]
fn message_limits_hold_with_50_waiting_updates() {
    let mut bench = Bench::new(without_probes(&SwimConfig::lifeguard()), &["a", "b", "c"]);
    for number in 0..50 {
        let node = tagged(&format!("n{number}"), 1, NodeState::Alive, &[("k", &"v".repeat(100))]);
        bench.gossip("b", vec![Update::Node { status: node.into(), accusers: Vec::new() }]);
    }
    bench.gossip("b", vec![claim("a", 1, NodeState::Suspect, &["b"])]);
    let mut messages = Vec::new();
    for _ in 0..100 {
        bench.message("a", Message::Ping { digest: 0, gossip: Vec::new() });
        messages.append(&mut bench.outputs);
        bench.tick();
        messages.append(&mut bench.outputs);
    }
    let gossip: Vec<_> = messages
        .iter()
        .filter_map(|output| match output {
            Output::Send { message, .. } | Output::Reply { message, .. } => {
                Some(codec::encode(message).unwrap().len())
            }
            _ => None,
        })
        .collect();
    assert!(gossip.iter().all(|bytes| *bytes <= codec::GOSSIP_BYTES_MAX));
    assert!(
        gossip.iter().any(|bytes| *bytes > codec::GOSSIP_BYTES_MAX - 300),
        "no message came close to the limit"
    );
}

#[test]
fn broadcast_is_reported_once_and_passed_on() {
    let mut sender = Bench::new(quiet(&SwimConfig::lifeguard()), &["a"]);
    let sent = sender.command(crate::Command::Broadcast("hello".into()));
    assert_eq!(sent, "done Broadcast(Ok(()))\n");
    let update = sender.machine.queue().take(0, 4_096, 2, 3);

    let mut receiver = Bench::new(quiet(&SwimConfig::lifeguard()), &["a"]);
    let Update::User(mut user) = update[0].clone() else { panic!("no broadcast: {update:?}") };
    user.origin = id("a");
    let told = receiver.gossip("a", vec![Update::User(user.clone())]);
    assert_eq!(told, "event Broadcast { from: a, payload: b\"hello\" }\n");
    assert_eq!(receiver.machine.queue().len(), 1);
    assert_eq!(receiver.gossip("a", vec![Update::User(user)]), "");
    assert_eq!(sender.gossip("a", update), "", "a member ignores its own broadcast");
}

#[test]
fn broadcast_over_the_limit_is_refused() {
    let mut bench = Bench::new(quiet(&SwimConfig::lifeguard()), &["a"]);
    let mut broadcast = |len: usize| bench.command(crate::Command::Broadcast(vec![0; len].into()));
    assert!(broadcast(codec::USER_PAYLOAD_MAX).contains("Ok(())"));
    assert!(broadcast(codec::USER_PAYLOAD_MAX + 1).contains("TooLarge { len: 1025, max: 1024 }"));
}

#[test]
fn large_tags_are_requested_and_stored() {
    let node = tagged("x", 3, NodeState::Alive, &[("k", &"v".repeat(9_000))]);
    let mut bench = Bench::new(quiet(&SwimConfig::lifeguard()), &["a"]);
    let told = vec![Update::Node { status: node.without_description().into(), accusers: Vec::new() }];
    expect![[r"
        event joined x
        Describe(x) -> a #0
    "]]
    .assert_eq(&bench.gossip("a", told.clone()));
    assert_eq!(bench.gossip("a", told), "", "the description is requested once");
    let page = Message::Page { nodes: vec![node.clone().into()], more: false };
    assert!(bench.reply(0, "a", page).starts_with("event updated x"));
    assert_eq!(*bench.machine.registry().get(&id("x")).unwrap(), node);
}

/// The rest is requested when the members are mentioned again.
#[test]
fn requests_for_descriptions_are_bounded() {
    let mut bench = Bench::new(quiet(&SwimConfig::lifeguard()), &["a"]);
    let told = |number: usize| {
        let status = status(&format!("x{number}"), 3, NodeState::Alive).without_description();
        Update::Node { status: status.into(), accusers: Vec::new() }
    };
    let asked = |text: &str| text.matches("Describe(").count();
    let all: Vec<_> = (0..=DESCRIBES_MAX).map(told).collect();
    assert_eq!(asked(&bench.gossip("a", all.clone())), DESCRIBES_MAX);
    let page = Message::Page { nodes: vec![status("x0", 3, NodeState::Alive).into()], more: false };
    bench.reply(0, "a", page);
    assert_eq!(asked(&bench.gossip("a", all)), 1);
}

#[test]
fn subject_is_asked_if_sender_lacks_tags() {
    let node = status("x", 3, NodeState::Alive);
    let verdict = node.without_description();
    let mut bench = Bench::new(quiet(&SwimConfig::lifeguard()), &["a", "b"]);
    bench.gossip("a", vec![Update::Node { status: verdict.clone().into(), accusers: Vec::new() }]);
    let page = |node: NodeStatus| Message::Page { nodes: vec![node.into()], more: false };
    assert_eq!(bench.reply(0, "a", page(verdict.clone())), "Describe(x) -> x #1\n");
    assert_eq!(bench.no_reply(1, crate::NoReply::Silent), "");
    let again = bench.gossip("b", vec![Update::Node { status: verdict.into(), accusers: Vec::new() }]);
    assert_eq!(again, "Describe(x) -> b #2\n", "the next mention starts from scratch");
    bench.reply(2, "b", page(node.clone()));
    assert_eq!(*bench.machine.registry().get(&id("x")).unwrap(), node);
}

#[test]
fn describe_is_answered_with_a_page() {
    let mut bench = Bench::new(quiet(&SwimConfig::lifeguard()), &["a"]);
    assert_eq!(
        bench.message("a", Message::Describe { id: id("a") }),
        "Page(1 nodes, more false) -> reply 7\n"
    );
    assert_eq!(
        bench.message("a", Message::Describe { id: id("x") }),
        "Page(0 nodes, more false) -> reply 7\n"
    );
}

#[test]
fn ping_with_another_digest_reports_a_difference() {
    let mut bench = Bench::new(quiet(&SwimConfig::verified()), &["a", "b"]);
    let ours = bench.machine.cx.members.digest();
    for (digest, expected) in [(0, false), (ours, false), (ours ^ 1, true)] {
        bench.message("a", Message::Ping { digest, gossip: Vec::new() });
        let answer = bench.outputs.iter().find_map(|output| match output {
            Output::Reply { message: Message::Ack { differs, .. }, .. } => Some(*differs),
            _ => None,
        });
        assert_eq!(answer, Some(expected), "{digest:x}");
    }
}

#[test]
fn only_watchers_are_asked_to_shift_their_probes() {
    let shift = |bench: &mut Bench, from: &str| {
        bench.message(from, Message::Ping { digest: 0, gossip: Vec::new() });
        let answer = bench.outputs.iter().find_map(|output| match output {
            Output::Reply { message: Message::Ack { shift_ms, .. }, .. } => Some(*shift_ms),
            _ => None,
        });
        answer.expect("a ping is answered")
    };
    for (config, expected) in [(SwimConfig::verified(), [0, 375, 0]), (SwimConfig::lifeguard(), [0; 3])] {
        let mut bench = Bench::new(quiet(&config), &["a", "b", "c"]);
        let first = shift(&mut bench, "a");
        // A cycle of three seconds: the second watcher comes three quarters of a second too early.
        bench.now += Duration::from_millis(10);
        assert_eq!([first, shift(&mut bench, "b"), shift(&mut bench, "stranger")], expected);
    }
}

#[test]
fn unrequested_answer_is_counted_and_ignored() {
    let mut bench = Bench::new(quiet(&SwimConfig::lifeguard()), &["a"]);
    let ack = Message::ack(vec![claim("x", 1, NodeState::Alive, &[])]);
    assert_eq!(bench.message("a", ack), "decline 7\n");
    assert!(bench.machine.registry().get(&id("x")).is_none());
    assert_eq!(bench.machine.stats().unexpected, 1);
}

#[test]
fn peer_that_lacks_this_member_receives_its_statement() {
    let mut bench = Bench::new(quiet(&SwimConfig::lifeguard()), &["a"]);
    bench.tick();
    let ack = Message::Ack { stranger: true, differs: false, shift_ms: 0, late_ms: 0, gossip: Vec::new() };
    assert_eq!(bench.reply(0, "a", ack), "Gossip[me i10 alive] -> a\n");
    let asked = bench.message("unknown", Message::Ping { digest: 0, gossip: Vec::new() });
    assert_eq!(asked, "Ack?[] -> reply 7\n", "an unknown sender learns that it is unknown");
}

#[test]
fn described_member_is_not_asked_again() {
    let mut bench = Bench::new(quiet(&SwimConfig::lifeguard()), &["a"]);
    let node = status("x", 3, NodeState::Alive);
    let update = Update::Node { status: node.without_description().into(), accusers: Vec::new() };
    assert_eq!(bench.gossip("a", vec![update]), "event joined x\nDescribe(x) -> a #0\n");
    let page = Message::Page { nodes: vec![node.into()], more: false };
    assert_eq!(bench.reply(0, "a", page), "");
    assert!(bench.machine.registry().get(&id("x")).unwrap().is_complete());
}

/// With a fan-out of one, two rounds reach two members.
#[test]
fn fresh_update_is_pushed_in_two_quick_rounds() {
    let config = SwimConfig { gossip_fanout: 1, ..without_probes(&SwimConfig::lifeguard()) };
    let mut bench = Bench::new(config, &["a", "b", "c", "d"]);
    bench.pass(Duration::from_secs(1));
    bench.gossip("b", vec![claim("x", 1, NodeState::Alive, &[])]);
    let pushes = |text: &str| text.matches("Gossip[x i1 alive]").count();
    assert_eq!(pushes(&bench.pass(Duration::from_millis(20))), 1);
    assert_eq!(pushes(&bench.pass(Duration::from_millis(20))), 1);
    assert_eq!(pushes(&bench.pass(Duration::from_millis(199))), 0);
    assert_eq!(pushes(&bench.pass(Duration::from_millis(1))), 1, "the regular round follows");
}

#[test]
fn waiting_refutation_is_not_queued_again() {
    let mut bench = Bench::new(quiet(&SwimConfig::lifeguard()), &["a", "b"]);
    let suspected = || vec![claim("me", 10, NodeState::Suspect, &["b"])];
    bench.gossip("b", suspected());
    assert_eq!(bench.machine.queue().take(0, 4_096, 3, 3), [claim("me", 11, NodeState::Alive, &[])]);
    bench.gossip("a", suspected());
    assert!(bench.machine.queue().is_waiting(&id("me")) && !bench.machine.queue().has_fresh(1));
}

#[test]
fn old_statement_of_this_member_needs_no_answer() {
    let mut bench = Bench::new(quiet(&SwimConfig::lifeguard()), &["a", "b"]);
    bench.gossip("b", vec![claim("me", 9, NodeState::Alive, &[]), claim("me", 10, NodeState::Alive, &[])]);
    assert!(bench.machine.queue().is_empty());
    assert_eq!(bench.known("me"), (10, NodeState::Alive));
}
