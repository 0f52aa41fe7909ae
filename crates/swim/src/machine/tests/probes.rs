//! Probes: direct, indirect, for others; and what they do to local health.

use std::time::Duration;

use expect_test::expect;

use super::bench::{Bench, claim, id, quiet};
use crate::interface::config::SwimConfig;
use crate::interface::input::NoReply;
use crate::wire::message::Message;
use kinfolk_core::NodeState;

fn lifeguard(others: &[&str]) -> Bench {
    Bench::new(quiet(&SwimConfig::lifeguard()), others)
}

#[test]
fn an_answered_probe_is_the_end_of_it() {
    let mut bench = lifeguard(&["a"]);
    expect![[r"
        Ping[] -> a #0
    "]]
    .assert_eq(&bench.tick());
    assert_eq!(bench.ack(0, "a"), "");
    assert_eq!(bench.tick(), "", "the probe's time-out asks nobody");
    expect![[r"
        Ping[] -> a #1
    "]]
    .assert_eq(&bench.tick());
    assert_eq!((bench.machine.stats().acks, bench.machine.stats().probes_failed), (1, 0));
}

#[test]
fn a_silent_target_is_asked_through_three_helpers_and_then_suspected() {
    let mut bench = lifeguard(&["a", "b", "c", "d", "e"]);
    expect![[r"
        Ping[] -> e #0
    "]]
    .assert_eq(&bench.tick());
    expect![[r"
        PingReq(e, 500 ms, nack true)[] -> b #1
        PingReq(e, 500 ms, nack true)[] -> d #2
        PingReq(e, 500 ms, nack true)[] -> c #3
    "]]
    .assert_eq(&bench.tick());
    for (request, helper) in [(1, "b"), (2, "d"), (3, "c")] {
        assert_eq!(bench.reply(request, helper, Message::Nack { closed: false, lossy: false }), "");
    }
    expect![[r"
        event suspected e: answered neither our probe nor 3 indirect ones (3 nacks); accused by me
        Ping[e i1 suspect by [me]] -> c #4
    "]]
    .assert_eq(&bench.tick());
    assert_eq!(bench.machine.stats().local_health, 0, "the helpers' nacks say that we are well");
}

#[test]
fn an_answer_through_one_helper_clears_the_target() {
    let mut bench = lifeguard(&["a", "b", "c"]);
    bench.tick();
    bench.tick();
    bench.ack(1, "a");
    bench.reply(2, "c", Message::Nack { closed: false, lossy: false });
    let next = bench.tick();
    assert!(!next.contains("suspected"), "{next}");
    assert_eq!(bench.machine.stats().indirect_acks, 1);
}

#[test]
fn a_late_direct_answer_still_counts_within_the_period() {
    let mut bench = lifeguard(&["a", "b"]);
    bench.tick();
    let target = bench.outputs[0].clone();
    let crate::interface::output::Output::Send { to, .. } = target else { panic!("no probe: {target:?}") };
    bench.tick();
    bench.ack(0, to.as_str());
    assert!(!bench.tick().contains("suspected"));
    assert_eq!((bench.machine.stats().acks, bench.machine.stats().probes_failed), (1, 0));
}

#[test]
fn an_answer_after_the_period_is_late_and_changes_no_verdict() {
    let mut bench = lifeguard(&["a"]);
    bench.pass(Duration::from_secs(3));
    assert_eq!(bench.known("a").1, NodeState::Suspect);
    bench.ack(0, "a");
    assert_eq!(bench.known("a").1, NodeState::Suspect, "only the suspect's own word clears it");
    assert_eq!(bench.machine.stats().late_replies, 1);
}

#[test]
fn a_failed_request_asks_the_helpers_at_once_and_only_once() {
    let mut bench = lifeguard(&["a", "b"]);
    bench.tick();
    let asked = bench.no_reply(0, NoReply::Silent);
    assert!(asked.starts_with("PingReq"), "{asked}");
    assert_eq!(bench.tick(), "", "the time-out finds them asked");
}

#[test]
fn a_limit_of_our_own_accuses_nobody() {
    let mut bench = lifeguard(&["a", "b"]);
    bench.tick();
    assert_eq!(bench.no_reply(0, NoReply::Local), "");
    bench.tick();
    assert!(!bench.tick().contains("suspected"));
    assert_eq!((bench.machine.stats().probes_void, bench.machine.stats().suspicions), (1, 0));
}

#[test]
fn missing_nacks_lower_local_health_and_slow_us_down() {
    let mut bench = lifeguard(&["a", "b", "c", "d"]);
    for _the_probe_its_timeout_and_its_end in 0..3 {
        bench.tick();
    }
    assert_eq!(bench.machine.stats().local_health, 3, "three helpers owed a nack");
    bench.pass(Duration::from_millis(3_999));
    assert_eq!(bench.machine.stats().probes, 2, "the second period is four times as long");
    bench.pass(Duration::from_millis(1));
    assert_eq!(bench.machine.stats().probes, 3);
}

#[test]
fn plain_swim_has_no_nacks_and_no_local_health() {
    let mut bench = Bench::new(quiet(&SwimConfig::swim()), &["a", "b", "c", "d"]);
    bench.tick();
    let asked = bench.tick();
    assert!(asked.contains("nack false"), "{asked}");
    bench.tick();
    assert_eq!((bench.machine.stats().local_health, bench.machine.stats().suspicions), (0, 1));
}

#[test]
fn a_suspect_is_told_with_the_probe_that_it_is_suspected() {
    let mut bench = lifeguard(&["a"]);
    bench.gossip("a", vec![claim("a", 1, NodeState::Suspect, &["x"])]);
    while bench.machine.queue().take(0, 4_096, 1, 1).pop().is_some() {}
    expect![[r"
        Ping[a i1 suspect by [x]] -> a #0
    "]]
    .assert_eq(&bench.tick());
}

#[test]
fn what_a_suspect_is_told_first_does_not_come_twice_where_it_waits_as_well() {
    let mut bench = lifeguard(&["a"]);
    bench.gossip("a", vec![claim("x", 1, NodeState::Alive, &[]), claim("a", 1, NodeState::Suspect, &["x"])]);
    assert_eq!(bench.machine.queue().len(), 2);
    bench.message("a", Message::Ping { digest: 0, gossip: Vec::new() });
    let answer = bench.message("a", Message::Ping { digest: 0, gossip: Vec::new() });
    assert_eq!(answer, "Ack[a i1 suspect by [x]; x i1 alive] -> reply 7\n");
}

fn ping_req(target: &str) -> Message {
    Message::PingReq { target: id(target), within_ms: 500, nack: true, check_port: false, gossip: Vec::new() }
}

#[test]
fn a_helper_whose_probe_ends_says_whether_the_target_lives() {
    for (why, answer) in [
        (NoReply::Late, "Ack[] -> reply 7\n"),
        (NoReply::Silent, "Nack -> reply 7\n"),
        (NoReply::Refused, "Nack -> reply 7\n"),
        (NoReply::Local, "Nack -> reply 7\n"),
    ] {
        let mut bench = lifeguard(&["a", "b"]);
        bench.message("a", ping_req("b"));
        assert_eq!(bench.no_reply(0, why), answer, "{why:?}");
        assert!(!bench.pass(Duration::from_millis(400)).contains("Nack"), "once");
    }
    let mut bench = lifeguard(&["a", "b"]);
    let plain = Message::PingReq {
        target: id("b"),
        within_ms: 500,
        nack: false,
        check_port: false,
        gossip: Vec::new(),
    };
    bench.message("a", plain);
    assert_eq!(bench.no_reply(0, NoReply::Silent), "", "who wants no nack gets none");
}

#[test]
fn a_helper_passes_the_answer_on() {
    let mut bench = lifeguard(&["a", "b"]);
    expect![[r"
        Ping[] -> b #0
    "]]
    .assert_eq(&bench.message("a", ping_req("b")));
    expect![[r"
        Ack[b i1 alive] -> reply 7
    "]]
    .assert_eq(&bench.ack(0, "b"));
}

#[test]
fn a_helper_says_in_good_time_that_there_was_no_answer() {
    let mut bench = lifeguard(&["a", "b"]);
    bench.now += Duration::from_hours(1);
    bench.input(crate::Input::Timeout);
    bench.message("a", ping_req("b"));
    let before = bench.pass(Duration::from_millis(399));
    assert!(!before.contains("Nack"), "{before}");
    assert!(bench.pass(Duration::from_millis(1)).contains("Nack -> reply 7"));
}

#[test]
fn a_helper_that_does_not_know_the_target_or_is_it_answers_at_once() {
    let mut bench = lifeguard(&["a"]);
    assert_eq!(bench.message("a", ping_req("stranger")), "Nack -> reply 7\n");
    assert_eq!(bench.message("a", ping_req("me")), "Ack[] -> reply 7\n");
}

#[test]
fn the_last_relay_is_taken_and_one_more_is_declined() {
    let mut bench = lifeguard(&["a", "b"]);
    for _ in 0..crate::purpose::RELAYS_MAX {
        assert!(bench.message("a", ping_req("b")).starts_with("Ping"));
    }
    assert_eq!(bench.message("a", ping_req("b")), "Nack -> reply 7\n");
    assert_eq!(bench.machine.stats().relays_refused, 1);
}
