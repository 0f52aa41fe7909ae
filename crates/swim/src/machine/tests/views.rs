//! Tests of joining and of the exchange of views.

use std::sync::Arc;
use std::time::Duration;

use expect_test::expect;
use kinfolk_core::{Incarnation, NodeState};

use super::bench::{Bench, claim, id, quiet, status};
use crate::interface::config::SwimConfig;
use crate::interface::input::{Command, NoReply};
use crate::interface::output::Output;
use crate::wire::codec;
use crate::wire::message::Message;
use crate::wire::message::Reception;

fn joining() -> Bench {
    let mut bench = Bench::new(quiet(&SwimConfig::lifeguard()), &[]);
    let addr = status("seed", 1, NodeState::Alive).addr;
    expect![[r"
        Join -> seed #0
    "]]
    .assert_eq(&bench.command(Command::Join { id: id("seed"), addr }));
    bench
}

/// A member that its seed has welcomed.
fn welcomed(mut bench: Bench) -> Bench {
    expect![[r"
        Sync(1 nodes, after None, want true) -> seed #1
    "]]
    .assert_eq(&bench.reply(0, "seed", welcome(10, Reception::Seen)));
    bench
}

fn welcome(clock: u64, reception: Reception) -> Message {
    Message::Welcome { clock: Incarnation::new(clock), reception }
}

fn page(names: &[&str], more: bool) -> Message {
    let nodes = names.iter().map(|name| Arc::new(status(name, 1, NodeState::Alive))).collect();
    Message::Page { nodes, more }
}

#[test]
fn join_requests_pages_until_the_last() {
    let mut bench = welcomed(joining());
    expect![[r"
        event joined a
        event joined b
        Sync(0 nodes, after Some(b), want true) -> seed #2
    "]]
    .assert_eq(&bench.reply(1, "seed", page(&["a", "b"], true)));
    expect![[r"
        event joined seed
        done Joined { members: 4 }
    "]]
    .assert_eq(&bench.reply(2, "seed", page(&["seed"], false)));
    let told = bench.machine.queue().take(0, 4_096, 4, 3);
    assert_eq!(
        told,
        [claim("me", 10, NodeState::Alive, &[])],
        "the group does not know this member yet, but it knows all others"
    );
}

#[test]
fn group_passes_on_what_a_join_brings() {
    let mut bench = Bench::new(quiet(&SwimConfig::lifeguard()), &["friend"]);
    let addr = status("seed", 1, NodeState::Alive).addr;
    bench.command(Command::Join { id: id("seed"), addr });
    let mut bench = bench;
    bench.reply(0, "seed", welcome(10, Reception::Seen));
    bench.reply(1, "seed", page(&["a", "seed"], false));
    let told = bench.machine.queue().take(0, 4_096, 4, 3);
    let learned = ["a", "seed"].map(|name| claim(name, 1, NodeState::Alive, &[]));
    assert!(learned.iter().all(|claim| told.contains(claim)), "{told:?}");
}

#[test]
fn join_without_answer_reports_the_reason() {
    for why in [NoReply::Silent, NoReply::Refused, NoReply::Local] {
        let failed = format!("done JoinFailed {{ why: NoAnswer({why:?}) }}\n");
        assert_eq!(joining().no_reply(0, why), failed);
        assert_eq!(welcomed(joining()).no_reply(1, why), failed);
    }
}

#[test]
fn refused_join_reports_the_reason() {
    let refused = |reception| joining().reply(0, "seed", welcome(10, reception));
    assert_eq!(refused(Reception::FarAhead), "done JoinFailed { why: FarAhead }\n");
    assert_eq!(refused(Reception::Full), "done JoinFailed { why: Full }\n");
    assert_eq!(refused(Reception::Leaving), "done JoinFailed { why: Leaving }\n");
}

/// 24 hours are allowed; a millisecond more is refused.
#[test]
fn join_is_refused_if_clocks_differ_too_much() {
    let day = 24 * 60 * 60 * 1_000;
    let join = |clock, from: &str| Message::Join {
        clock: Incarnation::new(clock),
        me: Arc::new(status(from, 1, NodeState::Alive)),
    };
    // The peer's side.
    let mut bench = Bench::new(quiet(&SwimConfig::lifeguard()), &["b"]);
    assert_eq!(
        bench.message("x", join(10 + day + 1, "x")),
        "refused the join of x\nWelcome(ClocksDiffer) -> reply 7\n"
    );
    assert!(bench.machine.registry().get(&id("x")).is_none());
    assert_eq!(
        bench.message("x", join(10 + day + 1, "x")),
        "Welcome(ClocksDiffer) -> reply 7\n",
        "reported once a minute"
    );
    assert_eq!(bench.message("x", join(10 + day, "x")), "event joined x\nWelcome(Seen) -> reply 7\n");
    // The joining side.
    let mut welcomed = joining();
    assert_eq!(
        welcomed.reply(0, "seed", welcome(10 + day, Reception::Seen)),
        "Sync(1 nodes, after None, want true) -> seed #1\n"
    );
    for reception in [Reception::Seen, Reception::ClocksDiffer] {
        let failed = joining().reply(0, "seed", welcome(10 + day + 1, reception));
        assert_eq!(failed, "done JoinFailed { why: ClocksDiffer { ours: i10, theirs: i86400011 } }\n");
    }
}

#[test]
fn member_joins_only_in_its_own_name() {
    let mut bench = Bench::new(quiet(&SwimConfig::lifeguard()), &["b"]);
    let me = Arc::new(status("y", 1, NodeState::Alive));
    assert_eq!(bench.message("x", Message::Join { clock: Incarnation::new(10), me }), "decline 7\n");
    assert!(bench.machine.registry().get(&id("y")).is_none());
    assert_eq!(bench.machine.stats().unexpected, 1);
}

#[test]
fn pages_without_progress_end_the_exchange() {
    let mut bench = welcomed(joining());
    bench.reply(1, "seed", page(&["b"], true));
    assert!(bench.reply(2, "seed", page(&["a"], true)).contains("done Joined"));
    let mut bench = welcomed(joining());
    assert!(bench.reply(1, "seed", page(&[], true)).contains("done Joined"));
}

#[test]
fn join_over_the_bound_fails() {
    let mut bench = Bench::new(quiet(&SwimConfig::lifeguard()), &[]);
    let mut join = || {
        let addr = status("seed", 1, NodeState::Alive).addr;
        bench.command(Command::Join { id: id("seed"), addr })
    };
    assert!((0..crate::purpose::JOINS_MAX).all(|_| join().starts_with("Join")));
    assert_eq!(join(), "done JoinFailed { why: NoAnswer(Local) }\n");
}

/// The receiver also takes in the nodes that the `Sync` carries.
#[test]
fn sync_is_answered_with_the_requested_page() {
    let mut bench = Bench::new(quiet(&SwimConfig::lifeguard()), &["a", "b"]);
    let sync = |nodes: &[&str], after: Option<&str>, want| Message::Sync {
        nodes: nodes.iter().map(|name| Arc::new(status(name, 1, NodeState::Alive))).collect(),
        after: after.map(id),
        want,
        only: crate::wire::buckets::Buckets::ALL,
    };
    expect![[r"
        event joined x
        Page(4 nodes, more false) -> reply 7
    "]]
    .assert_eq(&bench.message("x", sync(&["x"], None, true)));
    assert_eq!(bench.message("x", sync(&[], Some("b"), true)), "Page(2 nodes, more false) -> reply 7\n");
    assert_eq!(bench.message("x", sync(&[], None, false)), "Page(0 nodes, more false) -> reply 7\n");
    assert_eq!(bench.machine.queue().len(), 1, "the claim about the new member is passed on");
}

#[test]
fn large_view_is_exchanged_in_limited_pages() {
    let quiet = quiet(&SwimConfig::lifeguard());
    let many = |bench: &mut Bench, prefix: &str| {
        for number in 0..2_000 {
            let node = status(&format!("{prefix}{number}"), 1, NodeState::Alive);
            let _ = bench.machine.owners.members.apply(node);
        }
    };
    let (mut one, mut other) = (Bench::new(quiet.clone(), &[]), Bench::new(quiet, &[]));
    many(&mut one, "a");
    many(&mut other, "b");
    let addr = status("other", 1, NodeState::Alive).addr;
    one.command(Command::Join { id: id("other"), addr });
    one.reply(0, "other", welcome(10, Reception::Seen));
    let mut pages = 0;
    while let Some(Output::Send { message, request: Some(request), .. }) = last_send(&one) {
        assert!(codec::encode(&message).unwrap().len() <= codec::PAGE_BYTES_MAX + 1_024);
        other.message("one", message);
        let Some(Output::Reply { message, .. }) = other.outputs.last().cloned() else { panic!("no page") };
        assert!(codec::encode(&message).unwrap().len() <= codec::PAGE_BYTES_MAX + 1_024);
        one.reply(request.0, "other", message);
        pages += 1;
    }
    assert!(pages > 2, "one page held it all");
    assert_eq!(one.machine.registry().len(), 4_001);
    assert_eq!(one.machine.registry().snapshot().nodes(), other.machine.registry().snapshot().nodes());
}

fn last_send(bench: &Bench) -> Option<Output> {
    bench.outputs.iter().rfind(|output| matches!(output, Output::Send { .. })).cloned()
}

#[test]
fn views_are_exchanged_with_random_members_each_interval() {
    let config = SwimConfig {
        probe_interval: Duration::from_hours(1),
        sync_interval: Duration::from_secs(30),
        ..quiet(&SwimConfig::lifeguard())
    };
    let mut bench = Bench::new(config, &["a", "b"]);
    let text = bench.pass(Duration::from_mins(5));
    assert_eq!(text.matches("Sync(3 nodes, after None, want true)").count(), 10, "{text}");
    assert_eq!(bench.machine.owners.requests.len(), 1, "the next exchange replaces an unanswered one");
}

#[test]
fn sender_of_suspicion_in_page_is_no_accuser() {
    let mut bench = Bench::new(quiet(&SwimConfig::lifeguard()), &["a", "b", "c", "d"]);
    let suspect = || vec![status("a", 1, NodeState::Suspect).into()];
    for from in ["b", "c", "d"] {
        let only = crate::wire::buckets::Buckets::ALL;
        bench.message(from, Message::Sync { nodes: suspect(), after: None, want: false, only });
    }
    assert_eq!(bench.known("a"), (1, NodeState::Suspect));
    assert!(bench.machine.owners.detection.accusers_of(&id("a")).is_empty());
    bench.gossip("b", vec![claim("a", 1, NodeState::Suspect, &["d"])]);
    assert_eq!(bench.machine.owners.detection.accusers_of(&id("a")), [id("d")]);
}

/// A bench in which `a` has failed and `c` has left. Only contacts of failed members happen by
/// themselves.
fn with_failed_member() -> Bench {
    let heal_interval = Some(Duration::from_secs(10));
    let probe_interval = Duration::from_hours(1_000);
    let config = SwimConfig { probe_interval, heal_interval, ..quiet(&SwimConfig::lifeguard()) };
    let mut bench = Bench::new(config, &["a", "b", "c"]);
    bench.gossip("b", vec![claim("a", 1, NodeState::Failed, &["b"])]);
    bench.gossip("b", vec![claim("c", 1, NodeState::Left, &[])]);
    bench
}

#[test]
fn failed_member_is_contacted_and_left_member_not() {
    let mut bench = with_failed_member();
    let text = bench.pass(Duration::from_mins(1));
    let contacts = text.lines().filter(|line| line.starts_with("Sync") && line.contains("-> a")).count();
    assert!((4..=12).contains(&contacts), "{text}");
    assert!(!text.contains("-> c"), "{text}");
}

#[test]
fn no_member_is_contacted_while_none_has_failed() {
    let mut bench = with_failed_member();
    bench.gossip("b", vec![claim("a", 2, NodeState::Alive, &[])]);
    assert_eq!(bench.pass(Duration::from_mins(1)), "");
}

#[test]
fn one_contact_heals_a_mutual_failure() {
    let mut one = with_failed_member();
    let mut other = Bench::new(quiet(&SwimConfig::lifeguard()), &["a", "b"]);
    one.gossip("b", vec![claim("me", 9, NodeState::Alive, &[])]);
    while !one.outputs.iter().any(|output| matches!(output, Output::Send { .. })) {
        one.tick();
    }
    // The other member is `a`. `one` holds `a` for failed, and `a` holds `me` for failed.
    other.machine.cx.me = id("a");
    other.gossip("b", vec![claim("me", 10, NodeState::Failed, &["b"])]);
    let Some(Output::Send { message, request: Some(request), .. }) = last_send(&one) else {
        panic!("no contact")
    };
    other.message("me", message);
    let Some(Output::Reply { message, .. }) = other.outputs.last().cloned() else { panic!("no page") };
    one.reply(request.0, "a", message);
    assert_eq!(one.known("a"), (2, NodeState::Alive), "the other member has refuted");
    assert_eq!(one.known("me"), (11, NodeState::Alive), "this member has refuted too");
    assert!(one.machine.queue().is_waiting(&id("me")), "the other member will receive the refutation");
}
