//! Tests of direct probes, of indirect probes, of helpers, and of their effect on local health.

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
fn answered_probe_asks_no_helper() {
    let mut bench = lifeguard(&["a"]);
    expect![[r"
        Ping[] -> a #0
    "]]
    .assert_eq(&bench.tick());
    assert_eq!(bench.ack(0, "a"), "");
    assert_eq!(bench.tick(), "", "the probe's time-out asks no helper");
    expect![[r"
        Ping[] -> a #1
    "]]
    .assert_eq(&bench.tick());
    assert_eq!((bench.machine.stats().acks, bench.machine.stats().probes_failed), (1, 0));
}

/// In both ways to probe, a direct answer counts with its time.
#[test]
fn direct_answer_adds_its_round_trip() {
    for config in [SwimConfig::lifeguard(), SwimConfig::verified()] {
        let mut bench = Bench::new(quiet(&config), &["a"]);
        assert_eq!(bench.machine.stats().round_trips.count(), 0);
        let told = bench.tick();
        let request =
            told.lines().find(|line| line.starts_with("Ping")).and_then(|line| line.split('#').nth(1));
        let request = request.unwrap_or_else(|| panic!("no probe in {told}")).trim().parse().unwrap();
        bench.pass(Duration::from_millis(3));
        bench.ack(request, "a");
        let trips = bench.machine.stats().round_trips;
        assert_eq!((trips.count(), trips.sum()), (1, Duration::from_millis(3)), "{:?}", config.mode);
    }
}

#[test]
fn silent_target_is_suspected_after_three_helpers() {
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
        assert_eq!(
            bench.reply(request, helper, Message::Nack { closed: false, lossy: false, accusation: None }),
            ""
        );
    }
    expect![[r"
        event suspected e: answered neither our probe nor 3 indirect ones (3 nacks); accused by me
        Ping[e i1 suspect by [me]] -> c #4
    "]]
    .assert_eq(&bench.tick());
    assert_eq!(bench.machine.stats().local_health, 0, "the helpers' nacks say that this member is healthy");
}

#[test]
fn answer_through_one_helper_clears_the_target() {
    let mut bench = lifeguard(&["a", "b", "c"]);
    bench.tick();
    bench.tick();
    bench.ack(1, "a");
    bench.reply(2, "c", Message::Nack { closed: false, lossy: false, accusation: None });
    let next = bench.tick();
    assert!(!next.contains("suspected"), "{next}");
    assert_eq!(bench.machine.stats().indirect_acks, 1);
}

#[test]
fn late_answer_within_the_period_counts() {
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
fn answer_after_the_period_changes_no_verdict() {
    let mut bench = lifeguard(&["a"]);
    bench.pass(Duration::from_secs(3));
    assert_eq!(bench.known("a").1, NodeState::Suspect);
    bench.ack(0, "a");
    assert_eq!(bench.known("a").1, NodeState::Suspect, "only the suspect's own statement clears it");
    assert_eq!(bench.machine.stats().late_replies, 1);
}

#[test]
fn failed_request_asks_the_helpers_once() {
    let mut bench = lifeguard(&["a", "b"]);
    bench.tick();
    let asked = bench.no_reply(0, NoReply::Silent);
    assert!(asked.starts_with("PingReq"), "{asked}");
    assert_eq!(bench.tick(), "", "the helpers are asked already at the time-out");
}

#[test]
fn local_limit_accuses_no_member() {
    let mut bench = lifeguard(&["a", "b"]);
    bench.tick();
    assert_eq!(bench.no_reply(0, NoReply::Local), "");
    bench.tick();
    assert!(!bench.tick().contains("suspected"));
    assert_eq!((bench.machine.stats().probes_void, bench.machine.stats().suspicions), (1, 0));
}

#[test]
fn missing_nacks_slow_this_member_down() {
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
fn plain_swim_has_no_nacks_or_local_health() {
    let mut bench = Bench::new(quiet(&SwimConfig::swim()), &["a", "b", "c", "d"]);
    bench.tick();
    let asked = bench.tick();
    assert!(asked.contains("nack false"), "{asked}");
    bench.tick();
    assert_eq!((bench.machine.stats().local_health, bench.machine.stats().suspicions), (0, 1));
}

#[test]
fn probe_of_a_suspect_carries_the_suspicion() {
    let mut bench = lifeguard(&["a"]);
    bench.gossip("a", vec![claim("a", 1, NodeState::Suspect, &["x"])]);
    while bench.machine.queue().take(0, 4_096, 1, 1).pop().is_some() {}
    expect![[r"
        Ping[a i1 suspect by [x]] -> a #0
    "]]
    .assert_eq(&bench.tick());
}

#[test]
fn suspicion_is_not_sent_twice_in_one_message() {
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
fn helper_answers_whether_the_target_lives() {
    for (why, answer) in [
        (NoReply::Late, "Ack[] -> reply 7\n"),
        (NoReply::Silent, "Nack -> reply 7\n"),
        (NoReply::Refused, "Nack -> reply 7\n"),
        (NoReply::Local, "Nack -> reply 7\n"),
    ] {
        let mut bench = lifeguard(&["a", "b"]);
        bench.message("a", ping_req("b"));
        assert_eq!(bench.no_reply(0, why), answer, "{why:?}");
        assert!(!bench.pass(Duration::from_millis(400)).contains("Nack"), "the helper answers once");
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
    assert_eq!(bench.no_reply(0, NoReply::Silent), "", "an asker that wants no nack gets none");
}

#[test]
fn helper_passes_the_answer_on() {
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

/// 80 % of the asker's time limit of 500 ms are 400 ms.
#[test]
fn helper_sends_a_nack_at_80_percent() {
    let mut bench = lifeguard(&["a", "b"]);
    bench.now += Duration::from_hours(1);
    bench.input(crate::Input::Timeout);
    bench.message("a", ping_req("b"));
    let before = bench.pass(Duration::from_millis(399));
    assert!(!before.contains("Nack"), "{before}");
    assert!(bench.pass(Duration::from_millis(1)).contains("Nack -> reply 7"));
}

/// A helper needs no probe if it does not know the target, or is the target itself.
#[test]
fn helper_without_a_probe_answers_at_once() {
    let mut bench = lifeguard(&["a"]);
    assert_eq!(bench.message("a", ping_req("stranger")), "Nack -> reply 7\n");
    assert_eq!(bench.message("a", ping_req("me")), "Ack[] -> reply 7\n");
}

#[test]
fn relay_over_the_bound_is_declined() {
    let mut bench = lifeguard(&["a", "b"]);
    let each = crate::purpose::RELAYS_OF_EACH_MAX;
    for _ in 0..each {
        assert!(bench.message("a", ping_req("b")).starts_with("Ping"));
    }
    assert_eq!(bench.message("a", ping_req("b")), "Nack -> reply 7\n", "the share of one requester");
    let requesters: Vec<String> = (1..crate::purpose::RELAYS_MAX / each).map(|n| format!("r{n}")).collect();
    for requester in requesters.iter().flat_map(|name| std::iter::repeat_n(name, each)) {
        assert!(bench.message(requester, ping_req("b")).starts_with("Ping"));
    }
    assert_eq!(bench.message("late", ping_req("b")), "Nack -> reply 7\n", "the bound of all");
    assert_eq!(bench.machine.stats().relays_refused, 2);
}
