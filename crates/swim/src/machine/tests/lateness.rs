//! Too little processor time (`Mode::Verified`): who is late judges nobody meanwhile and says so, and who is known to be late
//! has more time.

use std::time::Duration;

use kinfolk_core::NodeState;

use super::bench::{Bench, id};
use super::verified::{accused, bench, nack, pass_in_silence, requests_to, silent, until_probed};
use crate::interface::input::Input;
use crate::interface::output::Output;
use crate::wire::message::Message;

const SECOND: Duration = Duration::from_secs(1);

fn late(bench: &mut Bench, by: Duration) {
    assert_eq!(bench.input(Input::Late { by }), "");
}

/// `a` answers its probe, and says that it is so late.
fn answer_late(bench: &mut Bench, late_ms: u16) {
    until_probed(bench);
    let request = requests_to(bench, "a")[0];
    let ack = Message::Ack { stranger: false, differs: false, shift_ms: 0, late_ms, gossip: Vec::new() };
    bench.reply(request, "a", ack);
}

/// For how long an answer of `a` to the probe among the last outputs is worth waiting for.
fn waits_for(bench: &Bench) -> Option<Duration> {
    bench.outputs.iter().find_map(|output| match output {
        Output::Send { to, message: Message::Ping { .. }, within, .. } if *to == id("a") => Some(*within),
        _ => None,
    })
}

/// All that were probed last answer, but `a`.
fn others_answer(bench: &mut Bench) {
    for output in bench.outputs.clone() {
        if let Output::Send { to, message: Message::Ping { .. }, request: Some(request), .. } = output
            && to != id("a")
        {
            bench.ack(request.0, to.as_str());
        }
    }
}

#[test]
fn a_subject_that_says_that_it_is_late_has_twice_as_much_more_time_for_its_answer() {
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
fn a_subject_that_says_that_it_is_late_is_judged_so_much_later() {
    for (late_ms, silent_for) in [(0, "5.0 s"), (400, "5.4 s")] {
        let mut bench = bench(&["a", "b", "c"]);
        answer_late(&mut bench, late_ms);
        accused(&mut bench);
        let told = pass_in_silence(&mut bench, SECOND * 7);
        assert!(told.contains(&format!("event failed a: silent for {silent_for};")), "{told}");
    }
}

#[test]
fn who_is_late_says_so_with_its_answers() {
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
fn the_probe_of_one_who_is_late_is_void_where_it_is_not_answered_in_time() {
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
    assert!(again, "it is probed again, and the answer may come as late as it may stall");
}

#[test]
fn what_witnesses_say_to_one_who_is_late_is_held_back() {
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
fn one_who_is_late_believes_a_closed_port_all_the_same() {
    let mut bench = bench(&["a", "b", "c"]);
    silent(&mut bench);
    let b = requests_to(&bench, "b")[0];
    late(&mut bench, SECOND);
    bench.input(Input::PortChecked { check: crate::CheckId(0), closed: true });
    bench.reply(b, "b", nack(true));
    assert_eq!(bench.known("a"), (1, NodeState::Failed));
}
