//! Verdicts that arrive in an exchange of views (`Mode::Verified`).

use std::sync::Arc;
use std::time::Duration;

use kinfolk_core::{NodeState, NodeStatus};

use super::bench::{Bench, claim, id, proof, quiet, status};
use crate::detection::peek;
use crate::interface::config::SwimConfig;
use crate::interface::input::NoReply;
use crate::interface::output::Output;
use crate::wire::buckets::Buckets;
use crate::wire::message::Message;

const SECOND: Duration = Duration::from_secs(1);

fn verified(others: &[&str]) -> Bench {
    let mut bench = Bench::new(quiet(&SwimConfig::verified()), others);
    while bench.machine.poll_output().is_some() {}
    bench
}

/// Receives an exchange of views in which `teller` claims that these members failed, at incarnation
/// 1. Returns the outputs.
fn told_failed(bench: &mut Bench, names: &[&str]) -> String {
    let failed = |name: &&str| Arc::new(status(name, 1, NodeState::Failed));
    let nodes: Vec<Arc<NodeStatus>> = names.iter().map(failed).collect();
    bench.message("teller", Message::Sync { nodes, after: None, want: false, only: Buckets::ALL })
}

/// The number of the ping to `name` among the last outputs that asks for a refutation.
fn question(bench: &Bench, name: &str) -> Option<u64> {
    bench.outputs.iter().find_map(|output| match output {
        Output::Send { to, message: Message::Ping { digest: 0, gossip }, request: Some(request), .. }
            if to.as_str() == name && !gossip.is_empty() =>
        {
            Some(request.0)
        }
        _ => None,
    })
}

/// Lets time pass until `name` is asked for a refutation. Probes of other members do not matter.
fn asked(bench: &mut Bench, name: &str) -> u64 {
    let end = bench.now + SECOND;
    while bench.machine.next_timeout().is_some_and(|at| at <= end) {
        bench.tick();
        if let Some(request) = question(bench, name) {
            return request;
        }
    }
    panic!("{name} is not asked within a second");
}

#[test]
fn only_a_failure_of_another_waits_for_refutation() {
    let mut bench = verified(&["teller", "s", "x"]);
    let left = Arc::new(status("s", 1, NodeState::Left));
    let suspect = Arc::new(status("x", 1, NodeState::Suspect));
    let nodes = vec![left, suspect];
    bench.message("teller", Message::Sync { nodes, after: None, want: false, only: Buckets::ALL });
    assert_eq!((bench.known("s").1, bench.known("x").1), (NodeState::Left, NodeState::Alive));
    assert_eq!(bench.machine.stats().claims_unproved, 1, "the suspicion has no proof");
    told_failed(&mut bench, &["me"]);
    assert_eq!(bench.machine.stats().old_verdicts, 0);
}

#[test]
fn subject_is_asked_after_one_second() {
    let mut bench = verified(&["teller", "s", "x"]);
    told_failed(&mut bench, &["s"]);
    let end = bench.now + SECOND - Duration::from_millis(1);
    while bench.machine.next_timeout().is_some_and(|at| at <= end) {
        bench.tick();
        assert_eq!(question(&bench, "s"), None, "at {:?}", bench.now);
    }
}

#[test]
fn exchanged_verdict_is_sent_only_to_its_subject() {
    let mut bench = verified(&["teller", "s", "x"]);
    let outputs = told_failed(&mut bench, &["s"]);
    assert!(outputs.contains("Gossip[s i1 failed by [teller]] -> s\n"), "{outputs}");
    assert!(!outputs.contains("event"), "{outputs}");
    assert_eq!(bench.known("s"), (1, NodeState::Alive));
    assert!(bench.machine.queue().is_empty(), "nothing is passed on");
    assert_eq!(told_failed(&mut bench, &["s"]).matches("-> s\n").count(), 0, "the verdict is sent once");
    assert_eq!(bench.machine.stats().old_verdicts, 1);
}

#[test]
fn subject_that_refutes_in_time_never_fails() {
    let mut bench = verified(&["teller", "s", "x"]);
    told_failed(&mut bench, &["s"]);
    bench.gossip("s", vec![claim("s", 2, NodeState::Alive, &[])]);
    let outputs = bench.pass(2 * SECOND);
    assert!(!outputs.contains("event failed"), "{outputs}");
    assert_eq!(bench.known("s"), (2, NodeState::Alive));
    assert!(bench.machine.owners.repair.pending_verdicts() == 0);
}

#[test]
fn missed_refutation_arrives_with_the_answer() {
    let mut bench = verified(&["teller", "s", "x"]);
    told_failed(&mut bench, &["s"]);
    let request = asked(&mut bench, "s");
    let outputs = bench.reply(request, "s", Message::ack(vec![claim("s", 2, NodeState::Alive, &[])]));
    assert!(!outputs.contains("event failed"), "{outputs}");
    assert_eq!(bench.known("s"), (2, NodeState::Alive));
}

/// The verdict has no proof. A subject that answers is alive, whatever others claim.
#[test]
fn silent_subject_of_an_old_verdict_is_watched() {
    let names: Vec<String> = (0..20).map(|number| format!("n{number:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for unanswered in [None, Some(NoReply::Silent), Some(NoReply::Refused), Some(NoReply::Late)] {
        let is_watched = matches!(unanswered, Some(NoReply::Silent | NoReply::Refused));
        let mut bench = verified(&[&["teller"], &names[..]].concat());
        let watches = |bench: &mut Bench, name| peek::watches(&mut bench.machine.owners.detection, &id(name));
        let subject = names.iter().find(|name| !watches(&mut bench, name)).unwrap();
        told_failed(&mut bench, &[subject]);
        let request = asked(&mut bench, subject);
        let outputs = match unanswered {
            None => bench.ack(request, subject),
            Some(why) => bench.no_reply(request, why),
        };
        assert!(!outputs.contains("event"), "{outputs}");
        assert_eq!(bench.known(subject), (1, NodeState::Alive));
        assert_eq!(watches(&mut bench, subject), is_watched, "it finds out by itself: {unanswered:?}");
        assert!(!bench.machine.queue().is_waiting(&id(subject)), "nothing is passed on");
    }
}

/// The accusations of the proof are about the statement in the verdict, which is newer.
#[test]
fn verdict_on_a_newer_statement_brings_the_statement() {
    let mut bench = verified(&["teller", "s", "x"]);
    let nodes = vec![Arc::new(status("s", 3, NodeState::Failed))];
    bench.message("teller", Message::Sync { nodes, after: None, want: false, only: Buckets::ALL });
    assert_eq!((bench.known("s"), bench.machine.stats().old_verdicts), ((3, NodeState::Alive), 1));
    bench.gossip("teller", proof("s", 3, &["teller", "x"]));
    assert_eq!(bench.known("s"), (3, NodeState::Failed));
}

#[test]
fn proof_that_follows_an_old_verdict_counts_at_once() {
    let mut bench = verified(&["teller", "s", "x"]);
    told_failed(&mut bench, &["s"]);
    let outputs = bench.gossip("teller", proof("s", 1, &["teller", "x"]));
    assert!(outputs.contains("event failed s: reported; accused by teller, x"), "{outputs}");
    assert_eq!(bench.known("s"), (1, NodeState::Failed));
}

#[test]
fn locally_prevented_question_decides_nothing() {
    let mut bench = verified(&["teller", "s", "x"]);
    told_failed(&mut bench, &["s"]);
    let request = asked(&mut bench, "s");
    let outputs = bench.no_reply(request, NoReply::Local);
    assert!(!outputs.contains("event failed"), "{outputs}");
    assert_eq!(bench.known("s"), (1, NodeState::Alive));
    assert!(bench.machine.owners.repair.pending_verdicts() == 0);
    assert!(told_failed(&mut bench, &["s"]).contains("-> s\n"), "the next exchange brings the verdict again");
}

/// In the modes of the papers every claim is believed at once, also an exchanged one.
#[test]
fn only_a_proved_failure_is_believed_at_once() {
    let mut bench = verified(&["teller", "s", "x"]);
    bench.gossip("teller", vec![claim("s", 1, NodeState::Failed, &["teller"])]);
    assert_eq!((bench.known("s"), bench.machine.stats().claims_unproved), ((1, NodeState::Alive), 1));
    bench.gossip("teller", proof("s", 1, &["teller", "x"]));
    assert_eq!(bench.known("s"), (1, NodeState::Failed));
    let mut bench = Bench::new(quiet(&SwimConfig::lifeguard()), &["teller", "s", "x"]);
    told_failed(&mut bench, &["s"]);
    assert_eq!(bench.known("s"), (1, NodeState::Failed));
}

#[test]
fn verdicts_beyond_64_are_dropped_and_counted() {
    let names: Vec<String> = (0..70).map(|number| format!("s{number:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut bench = verified(&[&["teller"], &names[..]].concat());
    let outputs = told_failed(&mut bench, &names);
    assert_eq!(outputs.matches("Gossip[s").count(), 64);
    assert_eq!((bench.machine.stats().old_verdicts, bench.machine.stats().old_verdicts_dropped), (64, 6));
    assert_eq!(bench.known("s69"), (1, NodeState::Alive));
}

#[test]
fn verdict_against_newer_statement_is_ignored() {
    let mut bench = verified(&["teller", "s", "x"]);
    bench.gossip("s", vec![claim("s", 2, NodeState::Alive, &[])]);
    let outputs = told_failed(&mut bench, &["s"]);
    assert!(!outputs.contains("-> s"), "{outputs}");
    assert_eq!((bench.known("s"), bench.machine.stats().old_verdicts), ((2, NodeState::Alive), 0));
}

/// The statement in it is the member's own: it came back after it left.
#[test]
fn verdict_about_a_left_member_brings_its_new_statement() {
    let mut bench = verified(&["teller", "s", "x"]);
    bench.gossip("x", vec![claim("s", 1, NodeState::Left, &[])]);
    let nodes = vec![Arc::new(status("s", 2, NodeState::Failed))];
    bench.message("teller", Message::Sync { nodes, after: None, want: false, only: Buckets::ALL });
    assert_eq!((bench.known("s"), bench.machine.stats().old_verdicts), ((2, NodeState::Alive), 0));
}
