//! This member is accused (`Mode::Verified`): which accusations it answers, how often, and when it
//! checks its return first.

use std::time::Duration;

use kinfolk_core::Incarnation;
use kinfolk_core::NodeState::{Alive, Failed, Suspect};

use super::accusations::group;
use super::bench::{Bench, claim, id, proof, status, suspicion};
use super::verified::bench;
use crate::interface::input::Input;
use crate::interface::output::Output;
use crate::wire::message::{Message, Update};

const SECOND: Duration = Duration::from_secs(1);

/// The number of probes among the last outputs: those of a return check.
fn probes(bench: &Bench) -> usize {
    let is_probe = |output: &&Output| matches!(output, Output::Send { message: Message::Ping { .. }, .. });
    bench.outputs.iter().filter(is_probe).count()
}

fn incarnation(bench: &Bench) -> u64 {
    bench.known("me").0
}

#[test]
fn each_accuser_is_answered_once_in_two_seconds() {
    let mut bench = bench(&["a", "b", "c"]);
    let accused_by = |bench: &mut Bench, accuser: &str| {
        let now = incarnation(bench);
        bench.gossip(accuser, vec![suspicion("me", now, accuser)]);
        incarnation(bench)
    };
    assert_eq!(accused_by(&mut bench, "a"), 11);
    for _ in 0..20 {
        assert_eq!(accused_by(&mut bench, "a"), 11, "a flood of accusations");
    }
    assert_eq!(bench.machine.stats().unproved_unanswered, 20);
    assert_eq!(accused_by(&mut bench, "b"), 12, "another accuser");
    bench.now += 2 * SECOND;
    assert_eq!(accused_by(&mut bench, "a"), 13);
    assert_eq!(bench.machine.stats().refutations, 3);
}

#[test]
fn each_sender_of_unproved_claims_is_answered_once() {
    let mut bench = bench(&["a", "b", "c"]);
    for state in [Failed, Suspect] {
        let before = incarnation(&bench);
        for _ in 0..20 {
            let now = incarnation(&bench);
            bench.gossip("a", vec![claim("me", now, state, &["a", "b", "c"])]);
        }
        assert_eq!(incarnation(&bench), before + 1);
        bench.now += 2 * SECOND;
    }
    assert!(!bench.machine.is_declared_failed());
    assert_eq!(bench.machine.stats().return_checks_failed, 0);
}

/// Each neighbour passes the accusation on to this member. They must not raise its incarnation and
/// its local health once each.
#[test]
fn copies_of_a_refuted_accusation_raise_nothing() {
    let mut bench = bench(&["a", "b", "c", "d"]);
    for from in ["a", "b", "c", "d"] {
        bench.gossip(from, vec![suspicion("me", 10, "a")]);
    }
    assert_eq!((incarnation(&bench), bench.machine.stats().refutations), (11, 1));
    assert_eq!(bench.machine.stats().local_health, 1);
    // A sender that has not heard the refutation gets it again.
    while !bench.machine.queue().is_empty() {
        bench.machine.queue().take(0, 4_096, 1, 1);
    }
    bench.now += 2 * SECOND;
    bench.gossip("a", vec![suspicion("me", 10, "a")]);
    assert!(bench.machine.queue().is_waiting(&id("me")));
    assert_eq!(incarnation(&bench), 11);
}

/// Each answer goes to all neighbours.
#[test]
fn refuted_claim_is_answered_once_in_two_seconds() {
    let mut bench = bench(&["a", "b", "c"]);
    bench.gossip("a", vec![claim("me", 10, Suspect, &[])]);
    assert_eq!(incarnation(&bench), 11);
    let answers = |bench: &mut Bench| {
        let mut answers = 0;
        for _ in 0..20 {
            while !bench.machine.queue().is_empty() {
                bench.machine.queue().take(0, 4_096, 1, 1);
            }
            bench.gossip("a", vec![claim("me", 10, Failed, &[])]);
            answers += usize::from(bench.machine.queue().is_waiting(&id("me")));
        }
        answers
    };
    assert_eq!(answers(&mut bench), 0, "it was answered a moment ago");
    bench.now += 2 * SECOND;
    assert_eq!(answers(&mut bench), 1);
    assert_eq!(incarnation(&bench), 11);
}

/// So many unproved claims by this member, each after the refutation of the one before, make it
/// distrusted; `None` if 100 do not. `accusers` stand in the claim.
fn claims_until_distrusted(from: &str, accusers: &[&str]) -> Option<usize> {
    let mut bench = bench(&["a", "b", "c"]);
    let is_distrusted = |_: &usize| {
        let now = incarnation(&bench);
        bench.gossip(from, vec![claim("me", now, Failed, accusers)]);
        assert_eq!(incarnation(&bench), now + 1);
        bench.now += 2 * SECOND;
        let stats = bench.machine.stats();
        assert!(stats.distrusted == 0 || !bench.machine.explain(&id(from)).is_empty());
        stats.distrusted > 0
    };
    (1..=100).find(is_distrusted)
}

#[test]
fn member_that_claims_without_proof_again_and_again_is_distrusted() {
    for accusers in [&[][..], &["a"], &["b", "c"], &["a", "b", "c"]] {
        let claims = claims_until_distrusted("a", accusers).unwrap();
        assert!((5..=6).contains(&claims), "{claims} claims by {accusers:?}");
    }
    assert_eq!(claims_until_distrusted("a", &["b"]), None, "it passes on what an exchange told it");
}

#[test]
fn member_with_forged_messages_is_distrusted() {
    let mut bench = bench(&["a", "b", "c"]);
    let mut told = String::new();
    for _ in 0..5 {
        assert_eq!((told.as_str(), bench.machine.stats().distrusted), ("", 0));
        told = bench.input(Input::Forged { from: id("b") });
    }
    assert!(told.contains("event MemberDistrusted { id: b, refuted: 5, confirmed: 0 }"), "{told}");
    bench.gossip("b", proof("a", 1, &["b", "c"]));
    assert_eq!(bench.known("a"), (1, Suspect), "its accusation does not count");
}

#[test]
fn only_a_proved_failure_starts_the_return_check() {
    let mut unproved = bench(&["a", "b", "c"]);
    for gossip in [vec![claim("me", 10, Failed, &["a", "b"])], proof("me", 11, &["b"])] {
        unproved.gossip("b", gossip);
        assert_eq!((unproved.machine.is_declared_failed(), probes(&unproved)), (false, 0));
        unproved.now += 2 * SECOND;
    }
    assert_eq!(incarnation(&unproved), 12, "each was refuted as a suspicion is");

    let mut proved = bench(&["a", "b", "c"]);
    proved.gossip("b", proof("me", 10, &["b", "c"]));
    assert_eq!((proved.machine.is_declared_failed(), probes(&proved)), (true, 8));
    assert_eq!(incarnation(&proved), 10, "it checks first that others answer");
}

/// The first one counts a little less when the last one comes.
#[test]
fn liar_that_accuses_this_member_is_distrusted() {
    let mut bench = bench(&["a", "b", "liar"]);
    for number in 0..6 {
        let now = incarnation(&bench);
        assert_eq!(now, 10 + number);
        bench.gossip("liar", proof("me", now, &["liar"]));
        bench.now += 2 * SECOND;
    }
    assert_eq!(bench.machine.stats().distrusted, 1);
    bench.gossip("liar", proof("me", 16, &["liar"]));
    assert_eq!(incarnation(&bench), 16, "it was answered a moment ago");
    // Another member may trust the liar, and would suspect this member for ever.
    bench.now += Duration::from_mins(1);
    bench.gossip("a", proof("me", 16, &["liar"]));
    assert_eq!(incarnation(&bench), 17);
}

#[test]
fn accuser_that_may_not_watch_this_member_is_answered_seldom() {
    let mut bench = group(40);
    let entitled = bench.entitled("me");
    let all = bench.machine.cx.roster.ids().to_vec();
    let stranger = all.iter().find(|other| !entitled.contains(*other)).unwrap().as_str();
    for _ in 0..5 {
        let now = incarnation(&bench);
        bench.gossip("n00", proof("me", now, &[stranger]));
        bench.now += 2 * SECOND;
    }
    assert_eq!((incarnation(&bench), bench.machine.is_declared_failed()), (11, false));
}

/// A former instance had a clock further ahead. Nobody hears of this instance until it outranks it.
#[test]
fn later_statement_of_a_former_instance_is_outranked() {
    for state in [Alive, Suspect, Failed] {
        let mut bench = bench(&["a", "b", "c"]);
        bench.gossip("a", vec![claim("me", 10, Suspect, &[])]);
        assert_eq!(incarnation(&bench), 11);
        bench.gossip("a", vec![claim("me", 1_000, state, &["a"])]);
        assert_eq!(incarnation(&bench), 1_001, "{state}: also just after an answer to the same member");
    }
}

/// It is a claim that this member failed. Anybody can send it.
#[test]
fn forget_update_about_this_member_is_answered_as_a_suspicion() {
    let mut bench = bench(&["a", "b", "c"]);
    let forget = |up_to| {
        let status = status("me", up_to, Failed).without_description().into();
        vec![Update::Forget { status, up_to: Incarnation::new(up_to) }]
    };
    for _ in 0..20 {
        bench.gossip("a", forget(incarnation(&bench)));
    }
    assert_eq!((incarnation(&bench), bench.machine.is_declared_failed()), (11, false));
    bench.gossip("a", forget(1_000));
    assert_eq!((incarnation(&bench), bench.machine.is_declared_failed()), (1_001, false));
}

/// Anybody can sign an accusation of a future statement.
#[test]
fn accusation_of_a_future_statement_raises_nothing() {
    let mut bench = bench(&["a", "b", "c"]);
    bench.gossip("a", proof("me", 1_000, &["a", "b", "c"]));
    assert_eq!((incarnation(&bench), bench.machine.is_declared_failed()), (10, false));
}

#[test]
fn suspect_receives_the_accusations_and_not_the_claim() {
    let mut bench = bench(&["a", "b", "c"]);
    bench.gossip("b", vec![suspicion("a", 1, "b"), suspicion("a", 1, "c")]);
    bench.message("a", Message::Ping { digest: 0, gossip: Vec::new() });
    let Some(Output::Reply { message: Message::Ack { gossip, .. }, .. }) = bench.outputs.first() else {
        panic!("it is answered")
    };
    let is_accusation = |update: &&Update| matches!(update, Update::Accusation(of) if of.subject == id("a"));
    assert_eq!((gossip.len(), gossip.iter().filter(is_accusation).count()), (2, 2), "{gossip:?}");
    // So the suspect can refute at once.
    let mut suspect = Bench::new(super::bench::quiet(&crate::SwimConfig::verified()), &["b", "c"]);
    assert_eq!(incarnation(&suspect), 10);
    suspect.gossip("b", vec![suspicion("me", 10, "b"), suspicion("me", 10, "c")]);
    assert_eq!(incarnation(&suspect), 11);
}
