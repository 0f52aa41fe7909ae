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
