//! Tests of two processes with the same name.

use std::time::Duration;

use kinfolk_core::{NodeAddr, NodeState};

use super::bench::{Bench, quiet, status, tagged};
use crate::interface::config::SwimConfig;
use crate::wire::message::Update;

const SECOND: Duration = Duration::from_secs(1);

fn bench() -> Bench {
    let config = quiet(&SwimConfig::lifeguard());
    Bench::new(SwimConfig { probe_interval: config.gossip_interval, ..config }, &["a", "b"])
}

/// The statement that `name` is alive at this port.
fn at_port(name: &str, incarnation: u64, port: u16) -> Vec<Update> {
    let mut status = status(name, incarnation, NodeState::Alive);
    status.addr = NodeAddr::new(([127, 0, 0, 1], port).into());
    vec![Update::Node { status: status.into(), accusers: Vec::new() }]
}

fn events(outputs: &str) -> Vec<&str> {
    outputs.lines().filter(|line| line.starts_with("event")).collect()
}

#[test]
fn former_instance_is_outranked_at_once() {
    let mut bench = bench();
    for (claimed, stated) in [(20, 21), (30, 31)] {
        let claim = tagged("me", claimed, NodeState::Alive, &[("role", "db")]);
        let gossip = vec![Update::Node { status: claim.into(), accusers: Vec::new() }];
        assert_eq!(bench.gossip("b", gossip), "");
        assert_eq!(bench.known("me"), (stated, NodeState::Alive));
    }
    assert_eq!(bench.machine.stats().name_conflicts, 0);
}

#[test]
fn process_with_our_name_is_outranked_every_10s() {
    let mut bench = bench();
    assert_eq!(bench.gossip("b", at_port("me", 11, 999)), "event conflict of me with 127.0.0.1:999, 1\n");
    assert_eq!(bench.known("me"), (12, NodeState::Alive));
    assert_eq!(bench.gossip("b", at_port("me", 13, 999)), "", "not at once again");
    assert_eq!(bench.known("me"), (12, NodeState::Alive));
    bench.now += 10 * SECOND;
    assert_eq!(bench.gossip("b", at_port("me", 13, 999)), "", "the next event comes after a minute");
    assert_eq!((bench.known("me").0, bench.machine.stats().name_conflicts), (14, 2));
}

#[test]
fn conflict_about_our_name_is_reported_every_minute() {
    let mut bench = bench();
    let mut told = Vec::new();
    for round in 0..19 {
        let text = bench.gossip("b", at_port("me", 11 + 2 * round, 999));
        told.extend(events(&text).into_iter().map(str::to_owned));
        bench.now += 10 * SECOND;
    }
    let expected = [1, 6, 6, 6].map(|count| format!("event conflict of me with 127.0.0.1:999, {count}"));
    assert_eq!(told, expected);
}

#[test]
fn member_that_moved_once_causes_an_update() {
    let mut bench = bench();
    assert_eq!(bench.gossip("b", at_port("a", 2, 998)), "event updated a {}\n");
    assert_eq!(bench.pass(10 * 60 * SECOND).matches("event").count(), 0);
    assert_eq!(bench.gossip("b", at_port("a", 3, 97)), "event updated a {}\n", "the member moved back later");
}

#[test]
fn alternating_address_is_reported_every_minute() {
    let mut bench = bench();
    let mut told = Vec::new();
    for change in 0..36 {
        let port = if change % 2 == 0 { 998 } else { 97 };
        let mut text = bench.gossip("b", at_port("a", 2 + change, port));
        assert_eq!(bench.known("a").0, 2 + change, "the registry is always up to date");
        text += &bench.pass(5 * SECOND);
        told.extend(events(&text).into_iter().map(str::to_owned));
    }
    let conflict = |port: u16, count: u64| format!("event conflict of a with 127.0.0.1:{port}, {count}");
    let expected = ["event updated a {}".to_owned(), conflict(97, 1), conflict(998, 11), conflict(998, 12)];
    assert_eq!(told, expected);
    let after = bench.pass(3 * 60 * SECOND);
    assert_eq!(
        events(&after),
        [conflict(97, 11).as_str(), "event updated a {}"],
        "the end of the conflict is reported"
    );
}
