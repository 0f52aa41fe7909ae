//! What is noted of a member, and what the finding of another kind leads to: an improbable silence.

use std::time::Duration;

use kinfolk_core::{Cause, NodeState, Reason};

use super::bench::{Bench, claim, id, quiet};
use crate::interface::config::SwimConfig;
use crate::interface::input::Input;
use crate::interface::output::Output;
use crate::wire::message::Message;

const SECOND: Duration = Duration::from_secs(1);

fn verified(others: &[&str]) -> Bench {
    let mut bench = Bench::new(quiet(&SwimConfig::verified()), others);
    while bench.machine.poll_output().is_some() {}
    bench
}

fn findings(bench: &Bench, name: &str) -> Vec<String> {
    bench.machine.explain(&id(name)).iter().map(|evidence| evidence.finding.to_string()).collect()
}

#[test]
fn a_change_of_state_is_noted_and_that_a_member_is_new_or_has_refuted_is_not() {
    use NodeState::{Alive, Failed, Left, Suspect};
    let mut bench = Bench::new(quiet(&SwimConfig::lifeguard()), &["a", "b"]);
    let mut told = |name: &str, incarnation, state| {
        bench.gossip("b", vec![claim(name, incarnation, state, &["b"])]);
        findings(&bench, name)
    };
    assert_eq!(told("new", 1, Alive), [""; 0]);
    assert_eq!(told("new", 2, Alive), [""; 0]);
    assert_eq!(told("new", 2, Suspect), ["suspect"]);
    assert_eq!(told("new", 3, Suspect), ["suspect"], "it is so already");
    assert_eq!(told("new", 4, Alive), ["suspect", "alive"]);
    assert_eq!(told("new", 4, Left), ["suspect", "alive", "left"]);
    assert_eq!(told("dead", 1, Failed), ["failed"], "of whom nothing was known");
    assert_eq!(told("me", 10, Suspect), [""; 0], "of ourselves nothing is noted");
}

fn phi_crossed(bench: &mut Bench, name: &str) -> String {
    let cause = Cause::by(id("me"), Reason::Phi { phi: 9.0, silence: SECOND * 9 });
    bench.input(Input::Health { id: id(name), claim: None, cause })
}

#[test]
fn a_subject_whose_silence_has_become_improbable_is_probed_at_once() {
    let mut bench = verified(&["a", "b", "c"]);
    assert_ne!(bench.machine.next_timeout(), Some(bench.now));
    assert_eq!(phi_crossed(&mut bench, "a"), "");
    assert_eq!(bench.machine.next_timeout(), Some(bench.now));
    assert!(bench.tick().contains("Ping[] -> a"));
    assert_eq!(phi_crossed(&mut bench, "a"), "", "one is under way");
    assert_ne!(bench.machine.next_timeout(), Some(bench.now));
    assert_eq!(phi_crossed(&mut bench, "stranger"), "");
    assert_eq!(bench.known("a").1, NodeState::Alive, "nobody is accused");
}

#[test]
fn a_subject_that_is_silent_and_improbably_so_is_asked_about_again() {
    let mut bench = verified(&["a", "b", "c"]);
    // Neither it nor a witness answers, until the round is over.
    for _ in 0..50 {
        bench.tick();
        for output in bench.outputs.clone() {
            if let Output::Send { to, message: Message::Ping { .. }, request: Some(request), .. } = output
                && to != id("a")
            {
                bench.ack(request.0, to.as_str());
            }
        }
        if !findings(&bench, "a").is_empty() {
            break;
        }
    }
    assert_eq!(findings(&bench, "a"), ["unheard"]);
    let told = phi_crossed(&mut bench, "a");
    assert!(told.contains("PingReq(a"), "{told}");
    assert_eq!(phi_crossed(&mut bench, "a"), "", "that is under way");
    let phi = |finding: &str| {
        let evidence = bench.machine.explain(&id("a"));
        evidence.iter().rfind(|evidence| evidence.finding.to_string() == finding).and_then(|found| found.phi)
    };
    assert_eq!(phi("unheard"), None, "it was found before");
}
