//! Tests of rounds of witnesses in `Mode::Verified`: which answers count, and for how long.

use std::time::Duration;

use kinfolk_core::NodeState;

use super::bench::{Bench, id};
use super::verified::{bench, nack, requests_to, silent, until_probed};
use crate::detection::peek;
use crate::interface::input::Input;
use crate::interface::output::Output;
use crate::wire::message::Message;

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

#[test]
fn answer_to_an_earlier_round_does_not_count() {
    let mut bench = bench(&["a", "b", "c"]);
    silent(&mut bench);
    let [b, c] = [requests_to(&bench, "b")[0], requests_to(&bench, "c")[0]];
    while !bench.tick().contains("PingReq(a") {
        others_answer(&mut bench);
    }
    bench.reply(b, "b", nack(false));
    bench.ack(c, "c");
    assert!(peek::is_silent(&mut bench.machine.owners.detection, &id("a")));
    assert_eq!((bench.machine.stats().indirect_acks, bench.known("a").1), (0, NodeState::Alive));
}

#[test]
fn witness_that_reaches_the_subject_is_counted() {
    let mut bench = bench(&["a", "b", "c"]);
    silent(&mut bench);
    bench.ack(requests_to(&bench, "c")[0], "c");
    assert!(!peek::is_silent(&mut bench.machine.owners.detection, &id("a")));
    assert_eq!(bench.machine.stats().indirect_acks, 1);
}

/// `a` is silent until it is suspect, or so many times longer than its first silence. `liar`
/// answers each request for a probe with an ack, the others with nacks. Returns the number of its
/// acks.
fn acks_until_suspect(others: &[&str], liar: &str, rounds_max: usize) -> usize {
    let mut bench = bench(others);
    let mut acks = 0;
    while bench.known("a").1 == NodeState::Alive && acks < rounds_max {
        bench.tick();
        for output in bench.outputs.clone() {
            let Output::Send { to, message, request: Some(request), .. } = output else { continue };
            match message {
                Message::PingReq { .. } if to == id(liar) => {
                    acks += 1;
                    bench.ack(request.0, liar);
                }
                Message::PingReq { .. } => drop(bench.reply(request.0, to.as_str(), nack(false))),
                _ if to != id("a") => drop(bench.ack(request.0, to.as_str())),
                _ => {}
            }
        }
    }
    acks
}

/// A witness can lie, and so hide a crash. It can do so once for each watcher.
#[test]
fn second_ack_of_a_witness_that_stands_alone_does_not_count_against_nacks() {
    for liar in ["b", "c", "d"] {
        let acks = acks_until_suspect(&["a", "b", "c", "d"], liar, 20);
        assert!((1..=2).contains(&acks), "{liar} acks {acks} times");
    }
    // One against one: the watcher cannot know who lies, and accuses nobody.
    assert_eq!(acks_until_suspect(&["a", "b", "c"], "b", 20), 20);
}

/// The link between this member and `a` is cut for long. All witnesses reach `a`.
#[test]
fn subject_that_all_witnesses_reach_is_never_suspect() {
    let mut bench = bench(&["a", "b", "c", "d"]);
    for _ in 0..2_000 {
        bench.tick();
        for output in bench.outputs.clone() {
            if let Output::Send { to, request: Some(request), .. } = output
                && to != id("a")
            {
                bench.ack(request.0, to.as_str());
            }
        }
        assert_eq!(bench.known("a").1, NodeState::Alive);
    }
    assert!(bench.machine.stats().indirect_acks > 100);
}

#[test]
fn witnesses_get_more_time_from_a_slow_member() {
    let mut bench = bench(&["a", "b", "c"]);
    until_probed(&mut bench);
    let told = loop {
        bench.now = bench.machine.next_timeout().unwrap();
        assert_eq!(bench.input(Input::Late { by: Duration::from_millis(50) }), "");
        let told = bench.input(Input::Timeout);
        if told.contains("PingReq(a") {
            break told;
        }
        others_answer(&mut bench);
    };
    assert!(told.contains("PingReq(a, 550 ms,"), "{told}");
}

#[test]
fn silence_alone_accuses_among_two_members() {
    let mut bench = bench(&["a"]);
    silent(&mut bench);
    bench.pass(Duration::from_millis(500));
    assert_eq!((bench.known("a"), bench.machine.stats().isolated), ((1, NodeState::Suspect), 0));
}
