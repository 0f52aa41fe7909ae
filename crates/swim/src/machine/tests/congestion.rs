//! Back-pressure: what waits while the driver can take no more messages, and what goes on.

use std::time::Duration;

use kinfolk_core::NodeState;

use super::bench::{Bench, claim, quiet};
use crate::interface::config::SwimConfig;
use crate::interface::input::{Input, NoReply};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn while_congested_no_round_begins_or_ends_and_afterwards_each_is_made_up_for_once() {
    let mut bench =
        Bench::new(SwimConfig { heal_interval: None, ..SwimConfig::swim() }, &["a", "b", "c", "d"]);
    while !bench.tick().contains("Ping[") {}
    assert_eq!(bench.input(Input::Congested), "");
    assert_eq!(bench.machine.next_timeout(), None, "nobody is woken for what waits");
    bench.now += SECOND * 100;
    assert_eq!((bench.input(Input::Timeout), bench.input(Input::Congested)), (String::new(), String::new()));
    let text = bench.input(Input::Clear);
    let count = |what: &str| text.matches(what).count();
    assert_eq!((count("PingReq("), count("event suspected"), count("Ping[")), (3, 1, 1), "{text}");
    assert!(bench.machine.next_timeout().is_some_and(|at| at > bench.now));
    assert_eq!((bench.input(Input::Clear), bench.machine.stats().congestions), (String::new(), 1));
}

#[test]
fn the_clock_of_a_suspicion_runs_while_congested() {
    let mut bench = Bench::new(quiet(&SwimConfig::swim()), &["a", "b"]);
    bench.gossip("b", vec![claim("a", 1, NodeState::Suspect, &["b"])]);
    bench.input(Input::Congested);
    let text = bench.pass(SECOND * 60);
    assert!(text.starts_with("event failed a:") && !text.contains(" -> "), "{text}");
}

#[test]
fn in_verified_mode_who_could_not_ask_has_judged_nobody_and_probes_its_subjects_one_after_another() {
    let mut bench = Bench::new(quiet(&SwimConfig::verified()), &["a", "b", "c"]);
    let mut sent = 0;
    // Everybody is silent, so that all are about to be asked about.
    while sent < 3 {
        sent += bench.tick().matches("Ping[").count();
    }
    bench.input(Input::Congested);
    bench.now += SECOND * 60;
    assert_eq!(bench.input(Input::Timeout), "");
    for request in 0..3 {
        bench.no_reply(request, NoReply::Local);
    }
    let text = bench.input(Input::Clear);
    assert!(!text.contains("Ping[") && !text.contains("failed"), "{text}");
    assert_eq!((bench.machine.stats().pauses, bench.machine.stats().failures), (1, 0));
    let probes = bench.machine.stats().probes;
    bench.pass(SECOND * 4);
    assert!(bench.machine.stats().probes >= probes + 3);
}
