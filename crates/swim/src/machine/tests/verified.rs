//! Tests of `Mode::Verified`, step by step: watching, witnesses, accusation, the last check, closed
//! ports, pauses of this process.

use std::time::Duration;

use kinfolk_core::NodeState;

use super::bench::{Bench, claim, id, quiet, suspicion};
use crate::detection::peek;
use crate::interface::config::SwimConfig;
use crate::interface::input::{CheckId, Input, NoReply};
use crate::interface::output::Output;
use crate::wire::message::Message;

const SECOND: Duration = Duration::from_secs(1);

pub(super) fn bench(others: &[&str]) -> Bench {
    let mut bench = Bench::new(quiet(&SwimConfig::verified()), others);
    while bench.machine.poll_output().is_some() {}
    bench
}

/// Runs until something is sent. Returns the outputs.
pub(super) fn until_sent(bench: &mut Bench) -> String {
    loop {
        let text = bench.tick();
        if !text.is_empty() {
            return text;
        }
    }
}

pub(super) fn requests_to(bench: &Bench, node: &str) -> Vec<u64> {
    let request = |output: &Output| match output {
        Output::Send { to, request: Some(request), .. } if *to == id(node) => Some(request.0),
        _ => None,
    };
    bench.outputs.iter().filter_map(request).collect()
}

/// Runs until `a` is probed. Other members that are probed before answer.
pub(super) fn until_probed(bench: &mut Bench) {
    while !until_sent(bench).contains("-> a #") {
        let asked: Vec<_> = bench.outputs.clone();
        for output in asked {
            if let Output::Send { to, request: Some(request), .. } = output {
                bench.ack(request.0, to.as_str());
            }
        }
    }
}

/// `a` does not answer until its probe's time-out. Returns the outputs.
pub(super) fn silent(bench: &mut Bench) -> String {
    until_probed(bench);
    let (failed, mut told) = (bench.machine.stats().probes_failed, String::new());
    loop {
        told += &bench.tick();
        if bench.machine.stats().probes_failed > failed {
            return told;
        }
        // Other members that are probed in the meantime answer. The port check has no answer yet.
        for output in bench.outputs.clone() {
            if let Output::Send { to, request: Some(request), .. } = output
                && to != id("a")
            {
                bench.ack(request.0, to.as_str());
            }
        }
    }
}

pub(super) fn nack(closed: bool) -> Message {
    Message::Nack { closed, lossy: false, accusation: None }
}

/// `a` does not answer this member, and the witnesses report that it did not answer them either.
pub(super) fn accused(bench: &mut Bench) {
    silent(bench);
    let asked = bench.outputs.clone();
    for output in asked {
        if let Output::Send { to, message: Message::PingReq { .. }, request: Some(request), .. } = output {
            bench.reply(request.0, to.as_str(), nack(false));
        }
    }
    assert_eq!(bench.known("a"), (1, NodeState::Suspect));
}

#[test]
fn silence_starts_port_check_and_asks_witnesses() {
    let mut bench = bench(&["a", "b", "c"]);
    let text = silent(&mut bench);
    assert!(text.starts_with("check the port of a\n"), "{text}");
    assert!(text.contains("PingReq(a, 500 ms, nack true)[] -> b") && text.contains("-> c"), "{text}");
    assert_eq!(bench.known("a"), (1, NodeState::Alive));
}

#[test]
fn answered_witness_clears_subject_and_raises_local_health() {
    let mut bench = bench(&["a", "b", "c"]);
    silent(&mut bench);
    let [b, c] = [requests_to(&bench, "b")[0], requests_to(&bench, "c")[0]];
    assert_eq!(bench.reply(b, "b", nack(false)), "");
    assert_eq!(bench.ack(c, "c"), "");
    assert_eq!((bench.known("a"), bench.machine.stats().local_health), ((1, NodeState::Alive), 1));
    assert_eq!(bench.machine.explain(&id("a"))[0].finding.to_string(), "path at fault");
}

#[test]
fn member_without_any_answer_accuses_no_member() {
    let mut bench = bench(&["a", "b", "c"]);
    silent(&mut bench);
    bench.pass(SECOND * 3);
    assert_eq!(bench.known("a"), (1, NodeState::Alive));
    assert!(bench.machine.stats().isolated > 0 && bench.machine.stats().local_health > 0);
}

/// This holds with any local health.
#[test]
fn isolated_member_declares_all_failed_in_the_end() {
    for late in [Duration::ZERO, Duration::from_millis(1)] {
        let mut bench = bench(&["a", "b", "c"]);
        bench.machine.cx.health.raise(2);
        // No request is answered. A request ends at its time-out: at the very moment of the next
        // probe, or right after it.
        let mut ends = Vec::new();
        let end = bench.now + SECOND * 120;
        while let Some(due) = bench.machine.next_timeout().filter(|due| *due <= end) {
            ends.sort_unstable_by_key(|(at, request)| std::cmp::Reverse((*at, *request)));
            match ends.last().copied() {
                Some((at, request)) if at <= due => {
                    ends.pop();
                    bench.now = at;
                    bench.no_reply(request, NoReply::Silent);
                }
                _ => drop(bench.tick()),
            }
            for output in std::mem::take(&mut bench.outputs) {
                match output {
                    Output::Send { request: Some(request), delivery, .. } => {
                        ends.push((bench.now + delivery.within + late, request.0));
                    }
                    Output::CheckPort { check, .. } => {
                        bench.input(Input::PortChecked { check, closed: false });
                    }
                    _ => {}
                }
            }
        }
        let states = ["a", "b", "c"].map(|name| bench.known(name).1);
        assert_eq!(states, [NodeState::Failed; 3], "{late:?}");
    }
}

/// Lets time pass. `a` and its port do not answer, and the witnesses report so.
pub(super) fn pass_in_silence(bench: &mut Bench, time: Duration) -> String {
    let (end, mut told) = (bench.now + time, String::new());
    while bench.machine.next_timeout().is_some_and(|at| at <= end) {
        told += &bench.tick();
        told += &all_but_a_answer(bench);
    }
    told
}

/// All members except `a` answer the last outputs.
pub(super) fn all_but_a_answer(bench: &mut Bench) -> String {
    let mut told = String::new();
    for output in std::mem::take(&mut bench.outputs) {
        told += &match output {
            Output::Send { to, message: Message::PingReq { .. }, request: Some(request), .. } => {
                bench.reply(request.0, to.as_str(), nack(false))
            }
            Output::Send { to, request: Some(request), .. } if to != id("a") => {
                bench.ack(request.0, to.as_str())
            }
            Output::CheckPort { check, .. } => bench.input(Input::PortChecked { check, closed: false }),
            _ => String::new(),
        };
    }
    told
}

#[test]
fn only_the_last_check_makes_a_suspect_failed() {
    let mut bench = bench(&["a", "b", "c"]);
    accused(&mut bench);
    // The probe was sent half a second before its silence was noticed.
    pass_in_silence(&mut bench, Duration::from_millis(4_400));
    assert_eq!(bench.known("a"), (1, NodeState::Suspect));
    let told = pass_in_silence(&mut bench, SECOND);
    assert!(told.contains("event failed a: silent for 5.0 s; 2 of 2 witnesses could not reach it"), "{told}");
    assert_eq!(bench.known("a"), (1, NodeState::Failed));
}

#[test]
fn late_answer_stops_the_suspicion_clock() {
    let mut bench = bench(&["a", "b", "c"]);
    accused(&mut bench);
    pass_in_silence(&mut bench, SECOND * 4);
    let sent = bench.machine.stats().probes;
    assert!(sent > 4, "a silent subject is probed each interval");
    // An earlier probe is answered now.
    let late = (0..200).find(|request| {
        bench.ack(*request, "a");
        !peek::is_silent(&mut bench.machine.owners.detection, &id("a"))
    });
    assert!(late.is_some());
    pass_in_silence(&mut bench, Duration::from_millis(4_500));
    assert_ne!(bench.known("a").1, NodeState::Failed);
}

#[test]
fn port_closed_for_member_and_witness_means_failed() {
    let mut bench = bench(&["a", "b", "c"]);
    silent(&mut bench);
    let b = requests_to(&bench, "b")[0];
    assert_eq!(bench.input(Input::PortChecked { check: CheckId(0), closed: true }), "");
    let text = bench.reply(b, "b", nack(true));
    assert!(
        text.contains("its port is closed, as 2 members found; silent for 500 ms; accused by me, b"),
        "{text}"
    );
    assert_eq!(bench.known("a"), (1, NodeState::Failed));
}

#[test]
fn late_closed_port_asks_witnesses_again() {
    let mut bench = bench(&["a", "b", "c"]);
    accused(&mut bench);
    let told = bench.input(Input::PortChecked { check: CheckId(0), closed: true });
    assert!(told.contains("PingReq(a"), "witnesses are asked before the verdict is due: {told}");
    let asked = bench.outputs.clone();
    for output in asked {
        if let Output::Send { to, message: Message::PingReq { .. }, request: Some(request), .. } = output {
            bench.reply(request.0, to.as_str(), nack(true));
        }
    }
    assert_eq!(bench.known("a"), (1, NodeState::Failed));
}

#[test]
fn closed_port_is_enough_among_two_members() {
    let mut bench = bench(&["a"]);
    silent(&mut bench);
    let text = bench.input(Input::PortChecked { check: CheckId(0), closed: true });
    assert!(text.contains("event failed a"), "{text}");
}

#[test]
fn pause_of_this_process_voids_pending_judgements() {
    let mut bench = bench(&["a", "b", "c"]);
    accused(&mut bench);
    bench.now += SECOND * 60;
    // Waiting messages come first, then due timers. Together they are one pause.
    bench.gossip("b", Vec::new());
    bench.gossip("c", Vec::new());
    bench.input(Input::Timeout);
    all_but_a_answer(&mut bench);
    assert_eq!((bench.known("a").1, bench.machine.stats().pauses), (NodeState::Suspect, 1));
    pass_in_silence(&mut bench, SECOND * 3);
    assert_eq!(bench.known("a").1, NodeState::Suspect, "the pause is not counted as its silence");
    pass_in_silence(&mut bench, SECOND * 4);
    assert_eq!(bench.known("a").1, NodeState::Failed);
}

#[test]
fn old_claim_of_failure_is_refuted_again() {
    let mut bench = bench(&["a", "b", "c"]);
    bench.gossip("b", vec![claim("me", 9, NodeState::Failed, &["b"])]);
    assert!(bench.machine.queue().is_waiting(&id("me")));
    assert_eq!((bench.known("me").0, bench.machine.is_declared_failed()), (10, false));
}

/// A received suspicion alone never becomes a failure.
#[test]
fn received_suspicion_starts_a_probe_at_once() {
    let mut bench = bench(&["a", "b", "c"]);
    bench.gossip("b", vec![suspicion("a", 1, "b")]);
    let told = bench.pass(Duration::from_millis(1));
    assert!(told.contains("Ping[b accuses a i1: Silent { for_ms: 1000 }] -> a"), "{told}");
    let ack = requests_to(&bench, "a").first().copied().unwrap_or_default();
    bench.ack(ack, "a");
    let mut bench = self::bench(&["a", "b", "c"]);
    bench.gossip("b", vec![suspicion("a", 1, "b"), suspicion("a", 1, "c")]);
    peek::watch_nobody(&mut bench.machine.owners.detection, &mut bench.machine.cx);
    bench.pass(SECOND * 100);
    assert_eq!(bench.known("a").1, NodeState::Suspect);
}

#[test]
fn flood_reaches_every_neighbour_except_the_sender() {
    let mut bench = bench(&["a", "b", "c"]);
    bench.gossip("b", vec![claim("x", 1, NodeState::Alive, &[])]);
    let told = bench.pass(Duration::from_millis(10));
    for (node, told_of) in [("a", true), ("b", false), ("c", true), ("x", true)] {
        assert_eq!(told.contains(&format!("Gossip[x i1 alive] -> {node}\n")), told_of, "{node}: {told}");
    }
}

/// Lets `a` answer one more probe, with `differs`: whether its view differs.
fn answered(bench: &mut Bench, differs: bool) -> String {
    until_probed(bench);
    let request = requests_to(bench, "a")[0];
    bench.reply(
        request,
        "a",
        Message::Ack { stranger: false, differs, shift_ms: 0, late_ms: 0, gossip: Vec::new() },
    )
}

#[test]
fn two_differing_answers_start_an_anti_entropy_round() {
    let mut bench = bench(&["a", "b", "c"]);
    assert_eq!(answered(&mut bench, true), "");
    assert_eq!(answered(&mut bench, false), "");
    assert_eq!(answered(&mut bench, true), "", "a single difference may be a change in transit");
    assert!(answered(&mut bench, true).starts_with("Compare -> a #"));
    let compare = requests_to(&bench, "a")[0];

    // The peer knows all that this member knows, and one more member.
    let mut peer = self::bench(&["a", "b", "c", "x"]);
    let Some(Output::Send { message, .. }) = bench.outputs.pop() else { panic!("the digests are sent") };
    assert_eq!(peer.message("me", message), "Differ(true) -> reply 7\n");
    let Some(Output::Reply { message, .. }) = peer.outputs.pop() else { panic!("it is answered") };
    assert_eq!(bench.reply(compare, "a", message).lines().count(), 1);
    let Some(Output::Send { message: Message::Sync { only, .. }, .. }) = bench.outputs.pop() else {
        panic!("what differs is exchanged")
    };
    assert!(only.hold(&id("x")) && !only.hold(&id("b")));
}

#[test]
fn equal_views_have_nothing_to_exchange() {
    let (one, mut other) = (bench(&["a", "b"]), bench(&["b", "a"]));
    assert_eq!(one.machine.cx.members.digest(), other.machine.cx.members.digest());
    let buckets = one.machine.registry().bucket_digests();
    let mut asker = bench(&["a", "b"]);
    asker.machine.compare_with(&id("a"));
    let Some(Output::Send { message, .. }) = asker.machine.poll_output() else { panic!("it asks") };
    assert_eq!(other.message("me", message), "Differ(false) -> reply 7\n");
    assert_eq!(buckets, other.machine.registry().bucket_digests());
}

/// This holds even if a witness does not answer.
#[test]
fn raised_local_health_does_not_prevent_a_verdict() {
    let mut bench = bench(&["a", "b", "c", "d"]);
    accused(&mut bench);
    bench.machine.cx.health.raise(1);
    let end = bench.now + SECOND * 30;
    while bench.machine.next_timeout().is_some_and(|at| at <= end) && bench.known("a").1 == NodeState::Suspect
    {
        bench.tick();
        for output in std::mem::take(&mut bench.outputs) {
            match output {
                Output::Send { to, message: Message::PingReq { .. }, request: Some(request), .. }
                    if to != id("c") =>
                {
                    bench.reply(request.0, to.as_str(), nack(false));
                }
                Output::Send { to, message: Message::Ping { .. }, request: Some(request), .. }
                    if to != id("a") =>
                {
                    bench.ack(request.0, to.as_str());
                    bench.machine.cx.health.raise(1);
                }
                _ => {}
            }
        }
    }
    assert_eq!(bench.known("a").1, NodeState::Failed);
    assert!(bench.now < end && bench.machine.stats().local_health > 0);
}
