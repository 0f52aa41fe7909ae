//! What a witness holds against a subject (`Mode::Verified`): when its nack carries it, and what
//! follows from it. Also the proofs that follow a page.

use std::time::Duration;

use kinfolk_core::NodeState::{Alive, Failed, Suspect};
use kinfolk_core::signed::{Accusation, Charge};

use super::accusations::group;
use super::bench::{Bench, accusation, claim, id, proof, suspicion};
use super::verified::{bench, nack, pass_in_silence, requests_to, silent, until_probed};
use crate::detection::peek;
use crate::interface::input::{CheckId, Input, NoReply};
use crate::interface::output::Output;
use crate::purpose::RELAYS_OF_EACH_MAX;
use crate::wire::buckets::Buckets;
use crate::wire::message::{Message, Update};

const SECOND: Duration = Duration::from_secs(1);

/// Asks this member to probe `target`. Returns the request, and the port check.
fn asked_to_probe(bench: &mut Bench, target: &str) -> (u64, CheckId) {
    let gossip = Vec::new();
    bench.message(
        "b",
        Message::PingReq { target: id(target), within_ms: 500, nack: true, check_port: true, gossip },
    );
    let request = requests_to(bench, target)[0];
    let check = bench.outputs.iter().find_map(|output| match output {
        Output::CheckPort { check, .. } => Some(*check),
        _ => None,
    });
    (request, check.expect("the port is checked too"))
}

/// The accusation in the nack among the last outputs.
fn testimony(bench: &Bench) -> Option<Accusation> {
    let nack = bench.outputs.iter().find_map(|output| match output {
        Output::Reply { message: Message::Nack { accusation, .. }, .. } => Some(accusation.clone()),
        _ => None,
    });
    nack.expect("a nack is sent")
}

/// The target does not answer the probe for another member.
fn nacks(bench: &mut Bench, target: &str) -> Option<Accusation> {
    let (request, _) = asked_to_probe(bench, target);
    bench.no_reply(request, NoReply::Silent);
    testimony(bench)
}

/// The same, and its port is closed.
fn finds_closed(bench: &mut Bench, target: &str) -> Option<Accusation> {
    let (_, check) = asked_to_probe(bench, target);
    bench.input(Input::PortChecked { check, closed: true });
    testimony(bench)
}

#[test]
fn nack_has_an_accusation_only_if_it_is_grave() {
    let mut bench = bench(&["a", "b", "c"]);
    assert_eq!(nacks(&mut bench, "a"), None, "one probe is no evidence of its own");
    silent(&mut bench);
    assert_eq!(nacks(&mut bench, "a"), None, "the silence is short");
    pass_in_silence(&mut bench, SECOND * 3);
    let found = nacks(&mut bench, "a").unwrap();
    assert_eq!((found.subject.as_str(), found.accuser.as_str()), ("a", "me"));
    assert_eq!((found.incarnation.get(), found.accuser_incarnation.get()), (1, 10));
    assert!(matches!(found.charge, Charge::Silent { for_ms: 2_500..4_500 }), "{found:?}");
    let charge = finds_closed(&mut bench, "a").map(|found| found.charge);
    assert_eq!(charge, Some(Charge::PortClosed));
}

#[test]
fn only_a_watcher_accuses_in_its_nack() {
    let mut bench = group(40);
    let mut watches = |name: &str| peek::watches(&mut bench.machine.owners.detection, &id(name));
    let names = super::accusations::names(40);
    let (subject, other) =
        (names.iter().find(|name| watches(name)), names.iter().find(|name| !watches(name)));
    let charge = finds_closed(&mut bench, subject.unwrap()).map(|found| found.charge);
    assert_eq!(charge, Some(Charge::PortClosed));
    assert_eq!(finds_closed(&mut bench, other.unwrap()), None);
}

/// A nack is evidence against the target, and a member that did not probe it has none. One liar
/// could otherwise fill all places, and then each lost probe of an honest watcher would count.
#[test]
fn witness_without_room_declines() {
    let mut bench = group(40);
    let ask = |bench: &mut Bench, from: &str, target: &str| {
        let (target, gossip) = (id(target), Vec::new());
        let request = Message::PingReq { target, within_ms: 500, nack: true, check_port: true, gossip };
        bench.message(from, request)
    };
    let unknown = ask(&mut bench, "n01", "stranger");
    assert_eq!(unknown, "Nack -> reply 7\n", "an isolated member learns so that others removed it");
    for _ in 0..RELAYS_OF_EACH_MAX {
        assert!(ask(&mut bench, "n01", "n01").starts_with("Ping"));
    }
    assert_eq!(ask(&mut bench, "n01", "n01"), "decline 7\n", "it has used up its share");
    assert!(ask(&mut bench, "n02", "n03").starts_with("Ping"), "the others have theirs");
    assert_eq!(bench.machine.stats().relays_refused, 2);
}

#[test]
fn late_witness_accuses_no_member() {
    let mut bench = bench(&["a", "b", "c"]);
    let (_, check) = asked_to_probe(&mut bench, "a");
    bench.input(Input::Late { by: SECOND });
    bench.input(Input::PortChecked { check, closed: true });
    assert_eq!(testimony(&bench), None);
}

/// Otherwise a liar could keep the accusation, and complete a proof with it later.
#[test]
fn subject_must_refute_the_accusation_of_a_witness() {
    let answers = |bench: &mut Bench| {
        until_probed(bench);
        let request = requests_to(bench, "a")[0];
        bench.ack(request, "a")
    };
    let notice = "Gossip[me accuses a i1: Silent { for_ms: 0 }] -> a\n";
    let mut told = bench(&["a", "b", "c"]);
    assert!(finds_closed(&mut told, "a").is_some());
    let outputs = answers(&mut told);
    assert!(outputs.contains(notice), "{outputs}");
    let outputs = answers(&mut told);
    assert!(outputs.contains(notice), "the notice may have been lost: {outputs}");
    told.gossip("a", vec![claim("a", 2, Alive, &[])]);
    let outputs = answers(&mut told);
    assert!(!outputs.contains("accuses"), "it has refuted: {outputs}");

    let mut raised = bench(&["a", "b", "c"]);
    assert!(finds_closed(&mut raised, "a").is_some());
    raised.gossip("a", vec![claim("a", 2, Alive, &[])]);
    let outputs = answers(&mut raised);
    assert!(!outputs.contains("accuses"), "it has raised its incarnation: {outputs}");

    let mut never = bench(&["a", "b", "c"]);
    assert!(!answers(&mut never).contains("accuses"));
}

/// The accusations that wait to be sent, with their accusers. No other update waits.
fn waiting(bench: &mut Bench) -> Vec<(String, Charge)> {
    let waiting = bench.machine.queue().take(0, 4_096, 9, 9);
    let one = |update| match update {
        Update::Accusation(accusation) => (accusation.accuser.to_string(), accusation.charge),
        other => panic!("unexpected: {other:?}"),
    };
    waiting.into_iter().map(one).collect()
}

/// With both, every other member believes the failure.
#[test]
fn own_verdict_spreads_with_the_testimony_of_its_witness() {
    let mut bench = bench(&["a", "b", "c"]);
    silent(&mut bench);
    let b = requests_to(&bench, "b")[0];
    bench.input(Input::PortChecked { check: CheckId(0), closed: true });
    let accusation = Some(accusation("a", 1, "b", Charge::PortClosed));
    bench.reply(b, "b", Message::Nack { closed: true, lossy: false, accusation });
    assert_eq!(bench.known("a"), (1, Failed));
    let sent = waiting(&mut bench);
    let expected = ["b", "me"].map(|name| (name.to_owned(), Charge::PortClosed));
    assert!(sent.len() == 2 && expected.iter().all(|one| sent.contains(one)), "{sent:?}");
    let mut third = self::bench(&["a", "b", "me"].map(|name| if name == "me" { "c" } else { name }));
    third.gossip("c", proof("a", 1, &["b", "c"]));
    assert_eq!(third.known("a"), (1, Failed));
}

/// A new watcher would otherwise wait for its own verdict, although the same accusations prove the
/// failure to everybody else.
#[test]
fn testimonies_of_two_witnesses_prove_a_failure_to_the_watcher_that_asked() {
    let silent_for = |for_ms| Charge::Silent { for_ms };
    for (first, second, state) in [(5_000, 2_500, Failed), (4_999, 2_500, Suspect)] {
        let mut bench = bench(&["a", "b", "c"]);
        silent(&mut bench);
        let (b, c) = (requests_to(&bench, "b")[0], requests_to(&bench, "c")[0]);
        let testimony = |by, for_ms| {
            let accusation = Some(accusation("a", 1, by, silent_for(for_ms)));
            Message::Nack { closed: false, lossy: false, accusation }
        };
        bench.reply(b, "b", testimony("b", first));
        bench.reply(c, "c", testimony("c", second));
        assert_eq!(bench.known("a"), (1, state), "{first} ms and {second} ms");
    }
}

#[test]
fn own_suspicion_spreads_as_one_accusation() {
    let mut bench = bench(&["a", "b", "c"]);
    silent(&mut bench);
    let b = requests_to(&bench, "b")[0];
    bench.reply(b, "b", nack(false));
    bench.pass(SECOND / 2);
    assert_eq!(bench.known("a"), (1, Suspect));
    let sent = waiting(&mut bench);
    assert!(matches!(&sent[..], [(accuser, Charge::Silent { .. })] if accuser == "me"), "{sent:?}");
}

/// It has not passed the checks of gossip. So a witness can only say what it holds against the
/// member that it was asked about, and only for itself.
#[test]
fn only_the_expected_testimony_of_a_witness_is_kept() {
    for (subject, incarnation, accuser, is_kept) in [
        ("a", 1, "b", true),
        ("a", 1, "c", false),
        ("a", 2, "b", false),
        ("a", u64::MAX, "b", false),
        ("d", 1, "b", false),
        ("stranger", 1, "b", false),
    ] {
        let mut bench = bench(&["a", "b", "c", "d"]);
        silent(&mut bench);
        let Some(b) = requests_to(&bench, "b").first().copied() else { panic!("b is asked") };
        let accusation = Some(accusation(subject, incarnation, accuser, Charge::PortClosed));
        bench.reply(b, "b", Message::Nack { closed: true, lossy: false, accusation });
        let is_known = bench.machine.owners.accusations.as_ref().unwrap().record(&id(accuser)).is_some();
        assert_eq!(is_known, is_kept, "{accuser} accuses {subject} at {incarnation}");
        assert_eq!(bench.known("d"), (1, Alive));
    }
}

/// Four members, or eight, accuse each member all the time, and may not watch it. They must not
/// keep this member's verdict from the others.
#[test]
fn own_verdict_spreads_although_others_accused_the_subject_before() {
    for liars in [4, 8] {
        let mut bench = group(40);
        let mut watches = |name: &str| peek::watches(&mut bench.machine.owners.detection, &id(name));
        let names = super::accusations::names(40);
        let subject = names.iter().find(|name| watches(name)).unwrap();
        let entitled = bench.entitled(subject);
        let is_liar = |name: &&String| *name != subject && !entitled.contains(&id(name));
        let liars: Vec<&str> = names.iter().filter(is_liar).take(liars).map(String::as_str).collect();
        bench.gossip(liars[0], proof(subject, 1, &liars));
        assert_eq!(bench.known(subject), (1, Alive));
        bench.input(Input::Health {
            id: id(subject),
            claim: Some(super::bench::status(subject, 1, Suspect).into()),
            cause: kinfolk_core::Cause::by(
                id("me"),
                kinfolk_core::Reason::Phi { phi: 20.0, silence: 10 * SECOND },
            ),
        });
        let sent: Vec<String> = waiting(&mut bench).into_iter().map(|(accuser, _)| accuser).collect();
        assert_eq!(sent, ["me"], "{} liars", liars.len());
    }
}

/// A peer that this member asked has not heard of a failure.
#[test]
fn corrections_of_a_page_are_sent_with_their_proofs() {
    let mut bench = bench(&["a", "b", "c", "x"]);
    bench.gossip("b", proof("a", 1, &["b", "c"]));
    let last = |bench: &Bench| bench.machine.cx.next_request().0 - 1;
    bench.machine.compare_with(&id("x"));
    bench.reply(last(&bench), "x", Message::Differ { buckets: Buckets::ALL });
    let nodes = vec![super::bench::status("a", 1, Alive).into()];
    let told = bench.reply(last(&bench), "x", Message::Page { nodes, more: false });
    assert!(told.contains("Gossip[b accuses a i1: PortClosed; c accuses a i1: PortClosed] -> x"), "{told}");
    assert!(told.contains("Sync(1 nodes"), "{told}");
}

#[test]
fn page_with_verdicts_is_followed_by_their_proofs() {
    let mut bench = bench(&["a", "b", "c", "s", "x"]);
    bench.gossip("b", vec![suspicion("a", 1, "b")]);
    bench.gossip("b", proof("s", 1, &["b", "c"]));
    assert_eq!((bench.known("a").1, bench.known("s").1), (Suspect, Failed));
    // The peer believes that all are alive, so the page has a correction.
    let nodes = vec![super::bench::status("s", 1, Alive).into()];
    let told = bench.message("x", Message::Sync { nodes, after: None, want: true, only: Buckets::ALL });
    let mut peer = self::bench(&["a", "b", "c", "s", "me"].map(|name| if name == "me" { "y" } else { name }));
    let mut followed = String::new();
    for output in bench.outputs.clone() {
        match output {
            Output::Send { to, message: Message::Gossip { gossip }, .. } if to == id("x") => {
                followed += &peer.gossip("y", gossip);
            }
            Output::Reply { message: Message::Page { nodes, .. }, .. } => {
                let sync = Message::Sync { nodes, after: None, want: false, only: Buckets::ALL };
                followed += &peer.message("y", sync);
            }
            _ => {}
        }
    }
    assert!(told.contains("Page("), "{told}");
    assert_eq!((peer.known("a").1, peer.known("s").1), (Suspect, Failed), "{told}\n{followed}");
}
