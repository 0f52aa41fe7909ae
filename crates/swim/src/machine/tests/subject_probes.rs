//! Tests of probes of subjects in `Mode::Verified`: when they are sent, how long they last, and
//! when a port is checked.

use std::collections::BTreeSet;
use std::time::Duration;

use kinfolk_core::NodeState;

use super::bench::{Bench, claim, id, suspicion};
use super::verified::{bench, requests_to, until_probed, until_sent};
use crate::interface::input::{CheckId, Input, NoReply};
use crate::interface::output::Output;
use crate::wire::message::Message;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn port_of_a_new_subject_is_checked_early() {
    let mut bench = bench(&["a", "b", "c"]);
    until_probed(&mut bench);
    let sent = bench.now;
    assert_eq!(until_sent(&mut bench), "check the port of a\n");
    assert_eq!(bench.now.since(sent), bench.machine.config().probe_timeout_min);
    let told = bench.input(Input::PortChecked { check: CheckId(0), closed: true });
    assert!(told.contains("PingReq(a"), "a closed port gives no answer, so witnesses are asked: {told}");
    assert_eq!(bench.machine.stats().probes_failed, 1);
}

#[test]
fn answer_shifts_next_probe_by_an_eighth_cycle() {
    for (shift_ms, least, most) in [(30_000, 3_374, 3_376), (-30_000, 2_624, 2_626), (100, 3_099, 3_101)] {
        let mut bench = bench(&["a", "b", "c"]);
        // Until the subject is no longer new.
        for _ in 0..6 {
            until_probed(&mut bench);
            let request = requests_to(&bench, "a")[0];
            bench.ack(request, "a");
        }
        until_probed(&mut bench);
        let (sent, request) = (bench.now, requests_to(&bench, "a")[0]);
        let ack = Message::Ack { stranger: false, differs: false, shift_ms, late_ms: 0, gossip: Vec::new() };
        bench.reply(request, "a", ack);
        until_probed(&mut bench);
        let after = bench.now.since(sent).as_millis();
        assert!((least..=most).contains(&after), "{shift_ms}: {after}");
    }
}

#[test]
fn probe_on_a_closed_connection_is_repeated_once() {
    let mut bench = bench(&["a", "b", "c"]);
    until_probed(&mut bench);
    let first = requests_to(&bench, "a")[0];
    let text = bench.no_reply(first, NoReply::Silent);
    assert!(text.contains("Ping[] -> a #"), "{text}");
    let second = requests_to(&bench, "a")[0];
    assert!(bench.no_reply(second, NoReply::Silent).contains("check the port of a"));
    assert!(!bench.no_reply(first, NoReply::Silent).contains("check the port"));
}

#[test]
fn running_probe_is_not_replaced_by_the_next() {
    let mut bench = bench(&["a", "b", "c"]);
    // A suspect is probed each interval.
    bench.gossip("b", vec![suspicion("a", 1, "b")]);
    bench.tick();
    let (first, sent) = (requests_to(&bench, "a")[0], bench.now);
    bench.now += Duration::from_millis(50);
    // With local health raised, the probe may take a whole interval: longer than until the next
    // probe is due.
    bench.machine.cx.health.raise(1);
    let again = bench.no_reply(first, NoReply::Silent);
    assert!(again.contains("-> a #"), "{again}");
    while bench.machine.next_timeout().is_some_and(|at| at <= sent + SECOND) {
        let told = bench.tick();
        assert!(!told.contains("-> a #"), "{told}");
    }
    assert_eq!(bench.machine.stats().probes_failed, 0);
    bench.now = sent + SECOND;
    let told = bench.pass(Duration::from_millis(50));
    assert!(told.contains("-> a #"), "the time-out of the probe has passed: {told}");
}

/// The times, in milliseconds, at which `a` is probed within `time`. Every probe is answered after
/// `trip`.
fn probes_of_a(bench: &mut Bench, time: Duration, trip: Duration) -> Vec<u64> {
    let (begin, end, mut sent) = (bench.now, bench.now + time, Vec::new());
    while bench.machine.next_timeout().is_some_and(|at| at <= end) {
        bench.tick();
        let asked = std::mem::take(&mut bench.outputs);
        sent.extend(asked.iter().filter_map(|output| match output {
            Output::Send { to, message: Message::Ping { .. }, .. } if *to == id("a") => {
                Some(u64::try_from(bench.now.since(begin).as_millis()).unwrap())
            }
            _ => None,
        }));
        bench.now += trip;
        for output in asked {
            if let Output::Send { to, request: Some(request), .. } = output {
                bench.ack(request.0, to.as_str());
            }
        }
    }
    sent
}

/// A new subject is probed at each interval up to four times, and then once a cycle.
#[test]
fn new_subject_is_probed_fast_at_first() {
    let mut early = BTreeSet::new();
    for seed in 0..20 {
        let mut bench = bench(&["b", "c", "d", "e"]);
        for _ in 0..seed {
            bench.machine.cx.rng.unit();
        }
        bench.gossip("b", vec![claim("a", 1, NodeState::Alive, &[])]);
        let sent = probes_of_a(&mut bench, SECOND * 20, Duration::from_millis(1));
        let gaps: Vec<u64> = sent.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let each_interval = gaps.iter().take_while(|gap| **gap < 1_100).count();
        assert!(sent[0] <= 1_000, "{sent:?}");
        assert!(gaps[each_interval..].iter().all(|gap| (3_900..4_100).contains(gap)), "{gaps:?}");
        early.insert(each_interval);
    }
    assert_eq!(early, BTreeSet::from([0, 1, 2, 3]), "subjects that start together are spread over the cycle");
}

#[test]
fn fast_path_port_is_checked_after_25_ms() {
    let mut bench = bench(&["a", "b", "c", "d", "e"]);
    probes_of_a(&mut bench, SECOND * 10, Duration::from_millis(1));
    until_probed(&mut bench);
    let sent = bench.now;
    while !bench.outputs.iter().any(|output| matches!(output, Output::CheckPort { .. })) {
        bench.tick();
    }
    assert_eq!(bench.now.since(sent), Duration::from_millis(25));
    assert_eq!(bench.machine.stats().probes_failed, 0, "the probe's time-out has not passed");
}

/// A subject that is suspect or silent is probed at each interval, also if this member could not
/// send the last probe. A cycle of three subjects takes three seconds.
#[test]
fn prevented_probe_of_an_urgent_subject_is_repeated_soon() {
    for (suspect, silent, after) in [(false, false, 3), (true, false, 1), (false, true, 1)] {
        let mut bench = bench(&["a", "b", "c"]);
        // Until the subject is no longer new.
        probes_of_a(&mut bench, SECOND * 20, Duration::ZERO);
        if suspect {
            bench.gossip("b", vec![suspicion("a", 1, "b")]);
        }
        if silent {
            super::verified::silent(&mut bench);
        }
        until_probed(&mut bench);
        let sent = bench.now;
        bench.no_reply(requests_to(&bench, "a")[0], NoReply::Local);
        until_probed(&mut bench);
        assert_eq!(bench.now.since(sent), SECOND * after, "suspect: {suspect}, silent: {silent}");
    }
}
