//! Accusations of others (`Mode::Verified`): which of them count, what they prove, and how they
//! spread. `accused.rs` tests the accused member, and `testimonies.rs` the witnesses.

use std::time::Duration;

use kinfolk_core::NodeState::{Alive, Failed, Suspect};
use kinfolk_core::signed::Charge;

use super::bench::{Bench, accusation, claim, id, proof, quiet, suspicion};
use super::verified::bench;
use crate::interface::config::SwimConfig;
use crate::wire::buckets::Buckets;
use crate::wire::message::{Message, Update};

const CHARGES: [Charge; 3] = [Charge::Silent { for_ms: u32::MAX }, Charge::PortClosed, Charge::Lossy];

pub(super) fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("n{number:02}")).collect()
}

/// A member of a group with so many others: `n00`, `n01`, and so on.
pub(super) fn group(others: usize) -> Bench {
    group_with(others, &SwimConfig::verified())
}

fn group_with(others: usize, config: &SwimConfig) -> Bench {
    let names = names(others);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut bench = Bench::new(quiet(config), &names);
    while bench.machine.poll_output().is_some() {}
    bench
}

/// The members that may watch `n00`, and those that may not.
fn watchers_and_others(bench: &Bench) -> (Vec<String>, Vec<String>) {
    let entitled = bench.entitled("n00");
    let others = bench.machine.cx.roster.ids().iter().filter(|other| other.as_str() != "n00");
    let (watchers, others): (Vec<_>, Vec<_>) = others.partition(|other| entitled.contains(*other));
    let names = |ids: Vec<_>| ids.into_iter().map(ToString::to_string).collect();
    (names(watchers), names(others))
}

/// The accusers of the accusations that wait to be sent. There is nothing else that waits.
fn passed_on(bench: &mut Bench) -> Vec<String> {
    let waiting = bench.machine.queue().take(0, 8_192, 40, 9);
    let accuser = |update| match update {
        Update::Accusation(accusation) => accusation.accuser.to_string(),
        other => panic!("unexpected: {other:?}"),
    };
    waiting.into_iter().map(accuser).collect()
}

/// It may have watched the subject, and tell any number of members anything.
#[test]
fn one_liar_cannot_make_others_believe_a_failure() {
    for others in [2, 3, 4, 5, 6, 12, 40] {
        for charge in CHARGES {
            let mut bench = group(others);
            let liar = watchers_and_others(&bench).0.remove(0);
            for incarnation in [1, 2, 1_000, 80_000_000, u64::MAX] {
                let accuses = accusation("n00", incarnation, &liar, charge);
                let gossip = vec![
                    Update::Accusation(accuses.clone()),
                    Update::Accusation(accuses),
                    claim("n00", 1, Failed, &[&liar]),
                    claim("n00", 1, Suspect, &[&liar]),
                ];
                let told = bench.gossip(&liar, gossip.clone()) + &bench.gossip("n01", gossip);
                assert!(!told.contains("failed"), "{told}");
                let nodes = vec![super::bench::status("n00", 1, Failed).into()];
                bench.message(&liar, Message::Sync { nodes, after: None, want: true, only: Buckets::ALL });
            }
            assert_eq!(bench.known("n00"), (1, Suspect), "{others} others, {charge:?}");
            bench.gossip("n00", vec![claim("n00", 2, Alive, &[])]);
            assert_eq!(bench.known("n00"), (2, Alive), "{others} others, {charge:?}");
        }
    }
}

#[test]
fn two_accusers_that_may_watch_prove_a_failure() {
    for others in [3, 4, 5, 6, 12, 40] {
        for charge in [Charge::Silent { for_ms: 5_000 }, Charge::PortClosed] {
            let mut bench = group(others);
            let accusers = watchers_and_others(&bench).0;
            let accuses = |at: usize| Update::Accusation(accusation("n00", 1, &accusers[at], charge));
            let told = bench.gossip("n01", vec![accuses(0)]);
            assert!(told.contains("event suspected n00: reported; accused by "), "{told}");
            let told = bench.gossip("n01", vec![accuses(1)]);
            assert!(told.contains("event failed n00: reported; accused by "), "{told}");
            assert_eq!(bench.known("n00"), (1, Failed), "{others} others, {charge:?}");
            assert_eq!(bench.machine.stats().accusations, 2);
        }
    }
}

/// Otherwise each crash would cause a suspicion that lasts for no time.
#[test]
fn accusations_of_one_message_are_weighed_together() {
    let mut bench = bench(&["a", "b", "c"]);
    let told = bench.gossip("b", proof("a", 1, &["b", "c"]));
    assert!(told.contains("event failed a") && !told.contains("suspected"), "{told}");
    let told = bench.gossip("b", [proof("b", 1, &["c"]), vec![claim("b", 2, Alive, &[])]].concat());
    assert!(!told.contains("event"), "it was refuted in the same message: {told}");
}

#[test]
fn short_silences_prove_a_suspicion_only() {
    let mut bench = group(40);
    let grave = u32::try_from(bench.machine.config().tolerated_pause.as_millis()).unwrap() / 2;
    let accusers = watchers_and_others(&bench).0;
    let mut told = |accuser: &str, for_ms| {
        let accuses = accusation("n00", 1, accuser, Charge::Silent { for_ms });
        bench.gossip("n01", vec![Update::Accusation(accuses)]);
        bench.known("n00").1
    };
    let states = accusers.iter().take(4).map(|accuser| told(accuser, grave - 1)).collect::<Vec<_>>();
    assert_eq!(states, [Suspect; 4]);
    assert_eq!(told(&accusers[0], grave), Suspect);
    assert_eq!(told(&accusers[1], grave), Suspect, "nobody waited for the whole time");
    assert_eq!(told(&accusers[4], 2 * grave), Failed);
}

#[test]
fn accuser_that_may_not_watch_changes_nothing() {
    let mut bench = group(40);
    let (watchers, others) = watchers_and_others(&bench);
    let others: Vec<&str> = others.iter().map(String::as_str).collect();
    let before = bench.machine.registry().get(&id("n00"));
    let told = bench.gossip(others[0], proof("n00", 1, &others[..5]));
    assert_eq!(told, "");
    assert_eq!(bench.machine.registry().get(&id("n00")), before);
    assert_eq!(passed_on(&mut bench), [""; 0]);

    bench.gossip(others[0], proof("n00", 1, &[&watchers[0]]));
    assert_eq!(bench.known("n00").1, Suspect);
    assert_eq!(passed_on(&mut bench), watchers[..1]);
}

#[test]
fn only_accusations_spread_and_not_the_verdict() {
    let mut bench = group(40);
    let (watchers, _) = watchers_and_others(&bench);
    let accusers: Vec<&str> = watchers.iter().map(String::as_str).collect();
    bench.gossip(accusers[0], proof("n00", 1, &accusers[..6]));
    assert_eq!(bench.known("n00").1, Failed);
    let mut spread = passed_on(&mut bench);
    spread.sort_unstable();
    let mut first = watchers[..4].to_vec();
    first.sort_unstable();
    assert_eq!(spread, first, "four are enough for any quorum");
    bench.gossip(accusers[1], proof("n00", 1, &accusers[..6]));
    assert_eq!(passed_on(&mut bench).len(), 4, "nothing new waits");
}

#[test]
fn claim_without_accusations_brings_only_the_statement() {
    let mut bench = bench(&["a", "b", "c"]);
    for state in [Suspect, Failed] {
        let told = bench.gossip("b", vec![claim("a", 1, state, &["b", "c"])]);
        assert!(!told.contains("event"), "{told}");
        assert_eq!(bench.known("a"), (1, Alive));
    }
    assert_eq!(bench.machine.stats().claims_unproved, 2);
    bench.gossip("b", vec![claim("a", 3, Failed, &["b", "c"])]);
    assert_eq!(bench.known("a"), (3, Alive));
    let told = bench.gossip("b", vec![claim("new", 1, Suspect, &["b"]), claim("old", 1, Failed, &["b"])]);
    assert!(told.contains("event joined new") && !told.contains("old"), "{told}");
}

#[test]
fn accusation_waits_for_the_statement_that_it_is_about() {
    let mut bench = bench(&["a", "b", "c"]);
    assert_eq!(bench.gossip("b", proof("a", 5, &["b", "c"])), "");
    assert_eq!(bench.gossip("b", proof("new", 7, &["b", "c"])), "");
    let told = bench.gossip("c", vec![claim("a", 5, Alive, &[])]);
    assert!(told.contains("event failed a: reported; accused by b, c"), "{told}");
    let told = bench.gossip("c", vec![claim("new", 7, Alive, &[])]);
    assert!(told.contains("event failed new"), "{told}");
    assert_eq!((bench.known("a"), bench.known("new")), ((5, Failed), (7, Failed)));
}

#[test]
fn accusation_waits_until_its_accuser_is_known() {
    let mut bench = bench(&["a", "s"]);
    assert_eq!(bench.gossip("a", proof("s", 1, &["p", "q"])), "");
    assert_eq!(bench.known("s").1, Alive);
    bench.gossip("p", vec![claim("p", 1, Alive, &[])]);
    assert_eq!(bench.known("s").1, Suspect);
    bench.gossip("q", vec![claim("q", 1, Alive, &[])]);
    assert_eq!(bench.known("s").1, Failed);
}

#[test]
fn accusation_waits_until_its_accuser_may_watch() {
    let mut bench = group(40);
    let (_, others) = watchers_and_others(&bench);
    let accusers: Vec<&str> = others.iter().take(2).map(String::as_str).collect();
    bench.gossip(accusers[0], proof("n00", 1, &accusers));
    assert_eq!(bench.known("n00").1, Alive);
    // All others leave, so at last these two watch the subject.
    for name in names(40).iter().filter(|name| *name != "n00" && !accusers.contains(&name.as_str())) {
        bench.gossip(name, vec![claim(name, 1, kinfolk_core::NodeState::Left, &[])]);
    }
    assert_eq!(bench.known("n00").1, Failed);
}

#[test]
fn refuted_accusation_is_worthless_when_it_is_replayed() {
    let mut bench = bench(&["a", "b", "c"]);
    bench.gossip("b", proof("a", 1, &["b", "c"]));
    let told = bench.gossip("a", vec![claim("a", 2, Alive, &[])]);
    assert!(told.contains("event joined a"), "{told}");
    for from in ["b", "c"] {
        assert_eq!(bench.gossip(from, proof("a", 1, &["b", "c"])), "");
    }
    assert_eq!(bench.known("a"), (2, Alive));
    let stats = bench.machine.stats();
    assert_eq!((stats.accusations, stats.accusations_refuted), (2, 2));
}

#[test]
fn quorum_follows_the_configuration() {
    for accusers_required in 1..=4 {
        for accusers in 1..=4 {
            let mut bench = group_with(40, &SwimConfig { accusers_required, ..SwimConfig::verified() });
            let watchers = watchers_and_others(&bench).0;
            let watchers: Vec<&str> = watchers.iter().take(accusers).map(String::as_str).collect();
            bench.gossip("n01", proof("n00", 1, &watchers));
            let expected = if accusers >= accusers_required { Failed } else { Suspect };
            assert_eq!(bench.known("n00").1, expected, "{accusers} of {accusers_required}");
        }
    }
}

/// With this member there are two others in a group of three. So each finds out by itself.
#[test]
fn all_others_are_the_quorum_of_a_small_group() {
    let config = quiet(&SwimConfig { accusers_required: 4, ..SwimConfig::verified() });
    for (others, accusers, expected) in [
        (&["a", "b"][..], &["b"][..], Suspect),
        (&["a", "b", "c"], &["b", "c"], Suspect),
        (&["a", "b", "c", "d", "e"], &["b", "c", "d"], Suspect),
        (&["a", "b", "c", "d", "e"], &["b", "c", "d", "e"], Failed),
    ] {
        let mut bench = Bench::new(config.clone(), others);
        bench.gossip("b", proof("a", 1, accusers));
        assert_eq!(bench.known("a").1, expected, "{others:?}");
    }
    let mut bench = Bench::new(config, &["a"]);
    bench.gossip("a", proof("me", 10, &["a"]));
    assert!(bench.machine.is_declared_failed(), "the only other one has lost this member");
}

#[test]
fn accuser_with_five_refuted_accusations_counts_for_nothing() {
    let mut bench = bench(&["a", "b", "c", "liar"]);
    let mut told = String::new();
    for incarnation in 1..=5 {
        assert_eq!(bench.machine.stats().distrusted, 0);
        bench.gossip("liar", proof("a", incarnation, &["liar"]));
        assert_eq!(bench.known("a"), (incarnation, Suspect));
        told = bench.gossip("a", vec![claim("a", incarnation + 1, Alive, &[])]);
    }
    assert!(told.contains("event MemberDistrusted { id: liar, refuted: 5, confirmed: 0 }"), "{told}");
    let findings = bench.machine.explain(&id("liar"));
    let last = findings.last().unwrap();
    assert_eq!(last.finding.to_string(), "distrusted");
    assert!(last.cause.to_string().starts_with("5 of its accusations were false, and 0 were true"));
    assert_eq!((bench.machine.stats().distrusted, bench.machine.stats().accusations_refuted), (1, 5));

    assert_eq!(bench.gossip("liar", proof("a", 6, &["liar"])), "");
    bench.gossip("b", proof("b", 1, &["liar", "c"]));
    assert_eq!((bench.known("a").1, bench.known("b").1), (Alive, Suspect));
    bench.now += Duration::from_mins(4);
    bench.gossip("b", proof("b", 1, &["a"]));
    assert_eq!(bench.machine.stats().distrusted, 0, "it is trusted again");
}

/// A liar that kept the refuted accusations of a correct member tells them to one that joins.
#[test]
fn old_accusations_do_not_discredit_their_accuser_with_a_newcomer() {
    let mut bench = bench(&["a", "liar"]);
    let names: Vec<String> = (0..20).map(|number| format!("s{number:02}")).collect();
    for name in &names {
        bench.gossip("liar", proof(name, 1, &["a"]));
        bench.gossip("liar", vec![claim(name, 2, Alive, &[])]);
        assert_eq!(bench.known(name), (2, Alive));
    }
    let stats = bench.machine.stats();
    assert_eq!((stats.accusations_refuted, stats.distrusted), (20, 0));
}

#[test]
fn suspicion_of_another_is_counted_once_for_each_accuser() {
    let mut bench = bench(&["a", "b", "c", "d"]);
    for _ in 0..3 {
        bench.gossip("c", vec![suspicion("a", 1, "b"), suspicion("a", 1, "c")]);
    }
    assert_eq!(bench.machine.stats().accusations, 2);
    assert_eq!(bench.machine.stats().suspicions, 0, "they are not this member's own");
}

#[test]
fn modes_of_the_papers_ignore_accusations() {
    for config in [SwimConfig::swim(), SwimConfig::lifeguard()] {
        let mut bench = Bench::new(quiet(&config), &["a", "b", "c"]);
        let all = [proof("a", 1, &["b", "c"]), proof("me", 10, &["b", "c"])].concat();
        assert_eq!(bench.gossip("b", all), "");
        assert_eq!((bench.known("a"), bench.known("me")), ((1, Alive), (10, Alive)));
        assert_eq!((bench.machine.stats().accusations, bench.machine.queue().len()), (0, 0));
        bench.gossip("b", vec![claim("a", 1, Failed, &["b"])]);
        assert_eq!(bench.known("a").1, Failed, "there a claim is enough");
    }
}
