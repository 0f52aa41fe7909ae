//! Too little CPU time in `Mode::Verified`. A late member says so and judges no other member. A
//! member that is known to be late gets more time.

use std::time::Duration;

use kinfolk_core::NodeState;

use super::bench::{Bench, claim, id};
use super::verified::{
    accused, all_but_a_answer, bench, nack, pass_in_silence, requests_to, silent, until_probed,
};
use crate::interface::delivery::Dial;
use crate::interface::input::{Input, NoReply};
use crate::interface::output::Output;
use crate::wire::message::Message;

const SECOND: Duration = Duration::from_secs(1);

fn late(bench: &mut Bench, by: Duration) {
    assert_eq!(bench.input(Input::Late { by }), "");
}

/// `a` answers its probe, and says that it is late by `late_ms`.
fn answer_late(bench: &mut Bench, late_ms: u16) {
    until_probed(bench);
    let request = requests_to(bench, "a")[0];
    let ack = Message::Ack { stranger: false, differs: false, shift_ms: 0, late_ms, gossip: Vec::new() };
    bench.reply(request, "a", ack);
}

/// For how long this member waits for an answer of `a` to the probe among the last outputs.
fn waits_for(bench: &Bench) -> Option<Duration> {
    bench.outputs.iter().find_map(|output| match output {
        Output::Send { to, message: Message::Ping { .. }, delivery, .. } if *to == id("a") => {
            Some(delivery.within)
        }
        _ => None,
    })
}

/// All members that were probed last answer, except `a`.
fn others_answer(bench: &mut Bench) {
    for output in bench.outputs.clone() {
        if let Output::Send { to, message: Message::Ping { .. }, request: Some(request), .. } = output
            && to != id("a")
        {
            bench.ack(request.0, to.as_str());
        }
    }
}

/// It gets twice the time by which it says that it is late.
#[test]
fn late_subject_gets_more_time_to_answer() {
    for (late_ms, noticed, worth) in [(0, 100, 1), (100, 300, 5), (400, 900, 5)] {
        let mut bench = bench(&["a", "b", "c"]);
        answer_late(&mut bench, late_ms);
        until_probed(&mut bench);
        let sent = bench.now;
        assert_eq!(waits_for(&bench), Some(SECOND * worth), "{late_ms} ms late");
        let asked = (0..50).find_map(|_| {
            let told = bench.tick();
            others_answer(&mut bench);
            told.contains("PingReq(a").then_some(bench.now)
        });
        let after = asked.map(|at| at.since(sent).as_millis());
        assert_eq!(after, Some(noticed), "{late_ms} ms late");
    }
}

#[test]
fn late_subject_is_judged_later_by_its_lateness() {
    for (late_ms, silent_for) in [(0, "5.0 s"), (400, "5.4 s")] {
        let mut bench = bench(&["a", "b", "c"]);
        answer_late(&mut bench, late_ms);
        accused(&mut bench);
        let told = pass_in_silence(&mut bench, SECOND * 7);
        assert!(told.contains(&format!("event failed a: silent for {silent_for};")), "{told}");
    }
}

#[test]
fn late_member_says_so_in_its_answers() {
    let mut bench = bench(&["a", "b", "c"]);
    late(&mut bench, Duration::from_millis(300));
    bench.message("a", Message::Ping { digest: 0, gossip: Vec::new() });
    let said = bench.outputs.iter().find_map(|output| match output {
        Output::Reply { message: Message::Ack { late_ms, .. }, .. } => Some(*late_ms),
        _ => None,
    });
    assert_eq!(said, Some(300));
}

#[test]
fn unanswered_probe_of_a_late_member_is_void() {
    let mut bench = bench(&["a", "b", "c"]);
    until_probed(&mut bench);
    let sent = bench.now;
    for _ in 0..50 {
        late(&mut bench, SECOND);
        let told = bench.tick();
        assert!(!told.contains("PingReq("), "{told}");
        others_answer(&mut bench);
        if bench.machine.stats().probes_void > 0 {
            break;
        }
    }
    let stats = bench.machine.stats();
    assert_eq!((stats.probes_void, stats.probes_failed), (1, 0));
    assert!(bench.now.since(sent) <= SECOND * 3);
    let again = (0..50).any(|_| {
        late(&mut bench, SECOND);
        bench.tick();
        let worth = waits_for(&bench);
        others_answer(&mut bench);
        worth == Some(SECOND * 5)
    });
    assert!(again, "the subject is probed again, and the answer may take as long as a pause may");
}

#[test]
fn late_member_holds_the_witnesses_verdict_back() {
    let mut bench = bench(&["a", "b", "c"]);
    silent(&mut bench);
    let [b, c] = [requests_to(&bench, "b")[0], requests_to(&bench, "c")[0]];
    late(&mut bench, SECOND);
    bench.reply(b, "b", nack(false));
    bench.reply(c, "c", nack(false));
    assert_eq!((bench.known("a").1, bench.machine.stats().verdicts_held), (NodeState::Alive, 1));
    let explained = bench.machine.explain(&id("a"));
    assert_eq!(explained.last().unwrap().finding.to_string(), "held back");
}

#[test]
fn late_member_still_believes_a_closed_port() {
    let mut bench = bench(&["a", "b", "c"]);
    silent(&mut bench);
    let b = requests_to(&bench, "b")[0];
    late(&mut bench, SECOND);
    bench.input(Input::PortChecked { check: crate::CheckId(0), closed: true });
    bench.reply(b, "b", nack(true));
    assert_eq!(bench.known("a"), (1, NodeState::Failed));
}

/// Stays late for `time`, while all members except `a` answer.
fn late_for(bench: &mut Bench, time: Duration) -> String {
    let (end, mut told) = (bench.now + time, String::new());
    while bench.now < end {
        late(bench, Duration::from_millis(400));
        told += &pass_in_silence(bench, SECOND / 5);
        bench.now = bench.now.max(end.min(bench.now + SECOND / 5));
    }
    told
}

#[test]
fn late_member_accuses_only_after_its_lateness() {
    let mut bench = bench(&["a", "b", "c"]);
    until_probed(&mut bench);
    let told = late_for(&mut bench, SECOND * 10);
    assert!(!told.contains("PingReq(a"), "{told}");
    let stats = bench.machine.stats();
    assert_eq!((bench.known("a"), stats.probes_failed), ((1, NodeState::Alive), 0));
    assert!(stats.probes_void > 0 && stats.times_late > 0, "{stats:?}");
    let told = pass_in_silence(&mut bench, SECOND * 9);
    assert_eq!(bench.known("a").1, NodeState::Failed, "{told}");
}

#[test]
fn late_member_holds_an_earlier_accusation_back() {
    let mut bench = bench(&["a", "b", "c"]);
    accused(&mut bench);
    late_for(&mut bench, SECOND * 20);
    assert_eq!(bench.known("a").1, NodeState::Suspect);
    assert!(bench.machine.stats().verdicts_held > 0);
    pass_in_silence(&mut bench, SECOND * 9);
    assert_eq!(bench.known("a").1, NodeState::Failed);
}

/// This holds if a watcher probes it, and if a witness does.
#[test]
fn subject_that_acknowledges_packets_is_not_failed() {
    let mut watcher = bench(&["a", "b", "c"]);
    accused(&mut watcher);
    let end = watcher.now + SECOND * 30;
    while watcher.now < end {
        watcher.tick();
        let probes = requests_to(&watcher, "a");
        all_but_a_answer(&mut watcher);
        for probe in probes {
            watcher.no_reply(probe, NoReply::Late);
        }
        assert_ne!(watcher.known("a").1, NodeState::Failed);
    }
    assert!(watcher.machine.stats().probes_late > 0);

    let mut witness = bench(&["a", "b", "c"]);
    witness.message(
        "b",
        Message::PingReq {
            target: id("a"),
            within_ms: 500,
            nack: true,
            check_port: false,
            gossip: Vec::new(),
        },
    );
    let relayed = requests_to(&witness, "a")[0];
    let told = witness.no_reply(relayed, NoReply::Late);
    assert!(told.contains("Ack") && !told.contains("Nack"), "{told}");
}

#[test]
fn flood_never_dials_and_probe_dials_first() {
    let mut bench = bench(&["a", "b", "c"]);
    bench.gossip("b", vec![claim("d", 5, NodeState::Alive, &[])]);
    let mut dials = Vec::new();
    for _ in 0..60 {
        bench.tick();
        for output in &bench.outputs {
            if let Output::Send { message, delivery, .. } = output {
                dials.push((matches!(message, Message::Gossip { .. }), delivery.dial));
            }
        }
    }
    assert!(dials.contains(&(true, Dial::Never)) && dials.contains(&(false, Dial::First)), "{dials:?}");
    assert!(!dials.contains(&(true, Dial::First)), "{dials:?}");
}
