//! Too little processor time: who is late judges nobody and says so, and who does not answer but acknowledges lives.

use std::time::Duration;

use kinfolk_core::NodeState;

use super::bench::{Bench, claim, id};
use super::verified::{accused, all_but_a_answer, bench, pass_in_silence, requests_to, until_probed};
use crate::interface::dial::Dial;
use crate::interface::input::{Input, NoReply};
use crate::interface::output::Output;
use crate::wire::message::Message;

const LATE: Input = Input::Late { by: Duration::from_millis(400) };
const SECOND: Duration = Duration::from_secs(1);

/// Stays late for so long, while all but `a` answer.
fn late_for(bench: &mut Bench, time: Duration) -> String {
    let (end, mut told) = (bench.now + time, String::new());
    while bench.now < end {
        bench.input(LATE);
        told += &pass_in_silence(bench, SECOND / 5);
        bench.now = bench.now.max(end.min(bench.now + SECOND / 5));
    }
    told
}

#[test]
fn who_is_late_accuses_nobody_and_does_so_once_it_is_late_no_more() {
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
fn who_is_late_holds_the_verdict_on_one_that_it_accused_before() {
    let mut bench = bench(&["a", "b", "c"]);
    accused(&mut bench);
    late_for(&mut bench, SECOND * 20);
    assert_eq!(bench.known("a").1, NodeState::Suspect);
    assert!(bench.machine.stats().verdicts_held > 0);
    pass_in_silence(&mut bench, SECOND * 9);
    assert_eq!(bench.known("a").1, NodeState::Failed);
}

#[test]
fn an_ack_says_how_late_its_sender_is_and_gets_longer_patience() {
    let mut bench = bench(&["a", "b", "c"]);
    bench.input(LATE);
    bench.message("a", Message::Ping { digest: 0, gossip: Vec::new() });
    let late = bench.outputs.iter().find_map(|output| match output {
        Output::Reply { message: Message::Ack { late_ms, .. }, .. } => Some(*late_ms),
        _ => None,
    });
    assert_eq!(late, Some(400));

    let within = |late_ms: u16| {
        let mut bench = super::verified::bench(&["a", "b", "c"]);
        until_probed(&mut bench);
        let probe = requests_to(&bench, "a")[0];
        let ack = Message::Ack { stranger: false, differs: false, shift_ms: 0, late_ms, gossip: Vec::new() };
        bench.reply(probe, "a", ack);
        until_probed(&mut bench);
        let sent = bench.now;
        let failed = bench.machine.stats().probes_failed;
        while bench.machine.stats().probes_failed == failed {
            bench.tick();
            all_but_a_answer(&mut bench);
        }
        bench.now.since(sent)
    };
    let (usual, longer) = (within(0), within(300));
    let more = longer.saturating_sub(usual);
    assert!((SECOND * 59 / 100..=SECOND * 62 / 100).contains(&more), "{usual:?} {longer:?}");
}

#[test]
fn who_acknowledges_packets_lives_whether_we_ask_or_a_witness_does() {
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
fn the_flood_dials_nobody_and_a_probe_dials_first() {
    let mut bench = bench(&["a", "b", "c"]);
    bench.gossip("b", vec![claim("d", 5, NodeState::Alive, &[])]);
    let mut dials = Vec::new();
    for _ in 0..60 {
        bench.tick();
        for output in &bench.outputs {
            if let Output::Send { message, dial, .. } = output {
                dials.push((matches!(message, Message::Gossip { .. }), *dial));
            }
        }
    }
    assert!(dials.contains(&(true, Dial::Never)) && dials.contains(&(false, Dial::First)), "{dials:?}");
    assert!(!dials.contains(&(true, Dial::First)), "{dials:?}");
}
