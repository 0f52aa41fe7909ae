//! Tests of the commands to leave and to change tags.

use std::time::Duration;

use expect_test::expect;
use kinfolk_core::{NodeState, Tags};

use super::bench::{Bench, claim, describe, failure, quiet};
use crate::interface::config::SwimConfig;
use crate::interface::input::{Command, NoReply};
use crate::wire::message::Message;

fn bench(others: &[&str]) -> Bench {
    Bench::new(quiet(&SwimConfig::lifeguard()), others)
}

#[test]
fn new_tags_raise_the_incarnation_and_are_sent() {
    let mut bench = bench(&["a"]);
    let tags = Tags::new([("role", "db")]).unwrap();
    expect![[r#"
        event updated me {"role": "db"}
        done Described(Ok(()))
    "#]]
    .assert_eq(&bench.command(describe(tags.clone())));
    let mine = bench.machine.registry().get(bench.machine.id()).unwrap();
    assert_eq!((mine.incarnation.get(), &mine.tags, mine.is_complete()), (11, &tags, true));
    assert_eq!(bench.machine.queue().len(), 1);
}

#[test]
fn leave_ends_when_all_members_have_answered() {
    let mut bench = bench(&["a", "b"]);
    expect![[r"
        event left me
        Ping[me i10 left] -> b #0
        Ping[me i10 left] -> a #1
    "]]
    .assert_eq(&bench.command(Command::Leave));
    assert_eq!(bench.ack(0, "b"), "");
    assert_eq!(bench.no_reply(1, NoReply::Silent), "done Left { confirmed: 1, notified: 2 }\n");
}

#[test]
fn lone_member_leaves_at_once() {
    assert!(bench(&[]).command(Command::Leave).ends_with("done Left { confirmed: 0, notified: 0 }\n"));
}

#[test]
fn second_leave_returns_the_progress_of_the_first() {
    let mut bench = bench(&["a", "b"]);
    bench.command(Command::Leave);
    bench.ack(0, "b");
    assert_eq!(bench.command(Command::Leave), "done Left { confirmed: 1, notified: 2 }\n");
}

#[test]
fn left_member_only_answers() {
    let mut bench = bench(&["a", "b"]);
    bench.command(Command::Leave);
    let text = bench.pass(Duration::from_mins(1));
    assert!(!text.contains("Ping[") && !text.contains("suspected"), "{text}");
    bench.gossip("a", vec![claim("me", 10, NodeState::Failed, &["a"])]);
    assert_eq!(bench.known("me"), (10, NodeState::Left));
    let answer = bench.message("a", Message::Ping { digest: 0, gossip: Vec::new() });
    assert!(answer.starts_with("Ack"), "{answer}");
    assert!(bench.command(Command::Broadcast("x".into())).contains("Err(Left)"));
    assert!(bench.command(describe(Tags::empty())).contains("Err(Left)"));
}

#[test]
fn leave_during_a_probe_accuses_no_member() {
    let mut bench = bench(&["a", "b"]);
    bench.tick();
    bench.command(Command::Leave);
    let text = bench.pass(Duration::from_mins(1));
    assert!(!text.contains("suspected"), "{text}");
}

#[test]
fn left_member_starts_no_exchange_of_views() {
    for config in [SwimConfig::lifeguard(), SwimConfig::verified()] {
        let mut bench = Bench::new(config, &["a", "b", "c"]);
        bench.gossip("b", failure("a", 1, &["b", "c"]));
        assert_eq!(bench.known("a").1, NodeState::Failed);
        bench.command(Command::Leave);
        let text = bench.pass(Duration::from_mins(5));
        assert!(!text.contains("Sync(") && !text.contains("-> a"), "{text}");
        assert_eq!(bench.machine.stats().heals, 0);
    }
}
