//! Tests of the findings about a member, and of what follows from an improbable silence.

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
fn change_of_state_becomes_a_finding() {
    use NodeState::{Alive, Failed, Left, Suspect};
    let mut bench = Bench::new(quiet(&SwimConfig::lifeguard()), &["a", "b"]);
    let mut told = |name: &str, incarnation, state| {
        bench.gossip("b", vec![claim(name, incarnation, state, &["b"])]);
        findings(&bench, name)
    };
    assert_eq!(told("new", 1, Alive), [""; 0]);
    assert_eq!(told("new", 2, Alive), [""; 0]);
    assert_eq!(told("new", 2, Suspect), ["suspect"]);
    assert_eq!(told("new", 3, Suspect), ["suspect"], "the state is the same");
    assert_eq!(told("new", 4, Alive), ["suspect", "alive"]);
    assert_eq!(told("new", 4, Left), ["suspect", "alive", "left"]);
    assert_eq!(told("dead", 1, Failed), ["failed"], "of an unknown member");
    assert_eq!(told("me", 10, Suspect), [""; 0], "this member has no findings about itself");
}

fn phi_crossed(bench: &mut Bench, name: &str) -> String {
    let cause = Cause::by(id("me"), Reason::Phi { phi: 9.0, silence: SECOND * 9 });
    bench.input(Input::Health { id: id(name), claim: None, cause })
}

#[test]
fn improbably_silent_subject_is_probed_at_once() {
    let mut bench = verified(&["a", "b", "c"]);
    assert_ne!(bench.machine.next_timeout(), Some(bench.now));
    assert_eq!(phi_crossed(&mut bench, "a"), "");
    assert_eq!(bench.machine.next_timeout(), Some(bench.now));
    assert!(bench.tick().contains("Ping[] -> a"));
    assert_eq!(phi_crossed(&mut bench, "a"), "", "a probe is in progress");
    assert_ne!(bench.machine.next_timeout(), Some(bench.now));
    assert_eq!(phi_crossed(&mut bench, "stranger"), "");
    assert_eq!(bench.known("a").1, NodeState::Alive, "no member is accused");
}

#[test]
fn phi_crossing_asks_witnesses_about_a_silent_subject() {
    let mut bench = verified(&["a", "b", "c"]);
    // Neither the subject nor a witness answers until the round is over.
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
    assert_eq!(phi_crossed(&mut bench, "a"), "", "that round is in progress");
    let phi = |finding: &str| {
        let evidence = bench.machine.explain(&id("a"));
        evidence.iter().rfind(|evidence| evidence.finding.to_string() == finding).and_then(|found| found.phi)
    };
    assert_eq!(phi("unheard"), None, "the finding is older than the crossing");
}
