//! Tests of the store of accusations.

use kinfolk_core::NodeAddr;
use kinfolk_core::Tags;
use kinfolk_core::signed::Proof;

use super::*;

const NOW: Instant = Instant::ORIGIN;
/// From this silence on a charge is grave.
const PAUSE: Duration = Duration::from_secs(5);

fn id(name: &str) -> NodeId {
    NodeId::new(name).unwrap()
}

fn at(incarnation: u64) -> Incarnation {
    Incarnation::new(incarnation)
}

fn silent(for_ms: u32) -> Charge {
    Charge::Silent { for_ms }
}

fn accusation(subject: &str, incarnation: u64, accuser: &str, charge: Charge) -> Accusation {
    Accusation {
        subject: id(subject),
        incarnation: at(incarnation),
        accuser: id(accuser),
        accuser_incarnation: at(1),
        charge,
        proof: Proof::default(),
    }
}

/// Keeps an accusation of the present statement of its subject.
fn add(known: &mut Accusations, accusation: &Accusation) -> bool {
    known.add(NOW, accusation, Some(accusation.incarnation))
}

/// Weighs the accusations of a statement. These accusers are entitled.
fn weigh(known: &mut Accusations, subject: &str, incarnation: u64, entitled: &[&str]) {
    known.entitled((&id(subject), at(incarnation)), 0, |accuser| entitled.contains(&accuser.as_str()));
}

/// Each of these members accuses `s` at incarnation 1.
fn accused_by(accusers: &[(&str, Charge)]) -> Accusations {
    let mut known = Accusations::new(PAUSE);
    for (accuser, charge) in accusers {
        assert!(add(&mut known, &accusation("s", 1, accuser, *charge)));
    }
    known
}

/// What the accusations of `s` at incarnation 1 prove if all accusers are entitled.
fn proves(known: &Accusations, needed: usize) -> Proved {
    known.prove((NOW, &id("s"), at(1)), |_| true, needed)
}

/// Accuses `subject` by `accuser`, and lets the subject refute it, so many times.
fn refute(known: &mut Accusations, accuser: &str, times: u64) -> Vec<NodeId> {
    let mut distrusted = Vec::new();
    for incarnation in 1..=times {
        assert!(add(known, &accusation("victim", incarnation, accuser, silent(0))));
        weigh(known, "victim", incarnation, &[accuser]);
        distrusted.extend(known.refuted(NOW, &id("victim"), at(incarnation + 1)).distrusted);
    }
    distrusted
}

#[test]
fn each_accuser_has_one_accusation_of_a_subject() {
    let mut known = accused_by(&[("a", silent(1_000)), ("b", silent(1_000))]);
    assert!(!add(&mut known, &accusation("s", 1, "a", silent(1_000))), "known already");
    assert!(add(&mut known, &accusation("s", 2, "a", silent(0))), "of a higher incarnation");
    assert!(!add(&mut known, &accusation("s", 1, "a", Charge::PortClosed)), "of an earlier one");
    assert_eq!(known.accusers(&id("s"), at(1)), [id("b")]);
    assert_eq!(known.accusers(&id("s"), at(2)), [id("a")]);
    let made = |name| known.record(&id(name)).unwrap().made;
    assert_eq!((made("a"), made("b")), (2, 1), "it counts statements");
}

#[test]
fn only_a_graver_charge_replaces_the_known_one() {
    let table = [
        (silent(0), silent(2_499), false),
        (silent(2_499), silent(2_500), true),
        (silent(2_500), silent(4_999), false),
        (silent(4_999), silent(5_000), true),
        (silent(5_000), silent(u32::MAX), false),
        (silent(2_499), Charge::Lossy, true),
        (Charge::Lossy, silent(2_500), true),
        (Charge::Lossy, Charge::PortClosed, true),
        (Charge::Lossy, Charge::Lossy, false),
        (Charge::PortClosed, Charge::Lossy, false),
        (silent(2_500), Charge::Lossy, false),
    ];
    for (before, now, replaces) in table {
        let mut known = accused_by(&[("a", before)]);
        assert_eq!(add(&mut known, &accusation("s", 1, "a", now)), replaces, "{before:?} and {now:?}");
        assert_eq!(known.record(&id("a")).unwrap().made, 1, "it is about the same statement");
    }
}

/// With any times a member that stays silent can be declared failed: a witness's earlier testimony
/// does not stand in the way of its verdict.
#[test]
fn verdict_counts_after_any_earlier_charge() {
    for tolerated_ms in [200, 600, 1_000, 5_000, 60_000] {
        for earlier_ms in 0..=tolerated_ms {
            let mut known = Accusations::new(Duration::from_millis(tolerated_ms.into()));
            add(&mut known, &accusation("s", 1, "a", silent(earlier_ms)));
            add(&mut known, &accusation("s", 1, "a", silent(tolerated_ms)));
            assert_eq!(proves(&known, 1), Proved::Failure, "after {earlier_ms} of {tolerated_ms} ms");
        }
    }
}

#[test]
fn future_incarnations_push_out_no_other_accusation() {
    let mut known = accused_by(&[("a", Charge::PortClosed), ("b", Charge::PortClosed)]);
    for incarnation in 2..100 {
        assert!(add(&mut known, &accusation("s", incarnation, "liar", Charge::PortClosed)));
    }
    assert_eq!(known.of[&id("s")].accusations.len(), 3);
    assert_eq!(proves(&known, 2), Proved::Failure);
    assert_eq!(proves(&known, 3), Proved::Suspicion);
}

#[test]
fn subject_has_at_most_eight_accusations() {
    let mut known = Accusations::new(PAUSE);
    let name = |number: usize| format!("n{number}");
    for number in 0..PER_SUBJECT_MAX {
        assert!(add(&mut known, &accusation("s", 1, &name(number), silent(0))));
    }
    assert!(!add(&mut known, &accusation("s", 1, &name(PER_SUBJECT_MAX), Charge::PortClosed)));
    assert!(add(&mut known, &accusation("s", 1, &name(0), Charge::PortClosed)), "one that is known");
    assert_eq!(known.accusers(&id("s"), at(1)).len(), PER_SUBJECT_MAX);
    assert_eq!(known.record(&id(&name(PER_SUBJECT_MAX))), None);
}

/// Otherwise eight members could keep out all others, and no other member would learn of a crash.
#[test]
fn accusation_that_may_count_takes_the_place_of_one_that_does_not() {
    let name = |number: usize| format!("n{number}");
    let mut known = Accusations::new(PAUSE);
    for number in 0..PER_SUBJECT_MAX {
        // One is about a later statement.
        let incarnation = if number == 3 { 2 } else { 1 };
        let accusation = accusation("s", incarnation, &name(number), Charge::PortClosed);
        assert!(known.add(NOW, &accusation, Some(at(1))));
    }
    // One may not watch the subject, and one is not trusted.
    let entitled: Vec<String> = (0..PER_SUBJECT_MAX).filter(|number| *number != 5).map(name).collect();
    let entitled: Vec<&str> = entitled.iter().map(String::as_str).collect();
    weigh(&mut known, "s", 1, &entitled);
    refute(&mut known, &name(6), 5);
    let mut add_as = |accuser: &str, incarnation: u64| {
        known.add(NOW, &accusation("s", incarnation, accuser, silent(5_000)), Some(at(1)))
    };
    assert!(!add_as("late", 2), "it is about a later statement itself");
    assert_eq!(["x", "y", "z"].map(|accuser| add_as(accuser, 1)), [true; 3]);
    assert!(!add_as("late", 1), "all others may count");
    let kept = known.accusers(&id("s"), at(1));
    assert_eq!(kept.len(), PER_SUBJECT_MAX);
    assert!(!kept.contains(&id(&name(5))) && !kept.contains(&id(&name(6))), "{kept:?}");
}

#[test]
fn subject_that_was_accused_first_makes_room() {
    let mut known = Accusations::new(PAUSE);
    // The names are in another order than the accusations.
    let name = |number: usize| format!("n{}", SUBJECTS_MAX * 2 - number);
    for number in 0..=SUBJECTS_MAX {
        assert!(add(&mut known, &accusation(&name(number), 1, "a", silent(0))));
        assert!(add(&mut known, &accusation(&name(number), 1, "b", silent(0))));
    }
    assert_eq!(known.of.len(), SUBJECTS_MAX);
    let is_known = |number| !known.accusers(&id(&name(number)), at(1)).is_empty();
    assert!(!is_known(0) && is_known(1) && is_known(SUBJECTS_MAX));
}

/// One bad path makes a member lossy for one honest watcher.
#[test]
fn lossy_charges_need_three_accusers() {
    let lossy = |name| (name, Charge::Lossy);
    assert_eq!(proves(&accused_by(&[lossy("a"), lossy("b")]), 2), Proved::Suspicion);
    assert_eq!(proves(&accused_by(&[lossy("a"), ("b", Charge::PortClosed)]), 2), Proved::Suspicion);
    let three = accused_by(&[lossy("a"), lossy("b"), ("c", silent(2_500))]);
    assert_eq!(
        [1, 2, 3, 4].map(|needed| proves(&three, needed) == Proved::Failure),
        [true, true, true, false]
    );
}

#[test]
fn verdict_and_enough_grave_charges_prove_a_failure() {
    for verdict in [silent(5_000), Charge::PortClosed] {
        for other in [silent(2_500), silent(5_000), Charge::PortClosed] {
            let known = accused_by(&[("a", verdict), ("b", other)]);
            let proved = [1, 2, 3].map(|needed| proves(&known, needed));
            assert_eq!(proved, [Proved::Failure, Proved::Failure, Proved::Suspicion]);
        }
        let known = accused_by(&[("a", verdict), ("b", silent(2_499))]);
        let proved = [1, 2].map(|needed| proves(&known, needed));
        assert_eq!(proved, [Proved::Failure, Proved::Suspicion], "a short silence is not grave");
    }
    assert_eq!(proves(&accused_by(&[("a", silent(0))]), 1), Proved::Suspicion);
    assert_eq!(proves(&Accusations::new(PAUSE), 1), Proved::Nothing);
}

/// A stall that is shorter than the tolerated pause is no failure, however many witnesses noticed.
#[test]
fn witnesses_without_a_verdict_prove_a_suspicion_only() {
    let known = accused_by(&["a", "b", "c", "d"].map(|accuser| (accuser, silent(4_999))));
    assert_eq!([1, 2, 3, 4].map(|needed| proves(&known, needed)), [Proved::Suspicion; 4]);
}

#[test]
fn only_entitled_accusers_of_this_statement_count() {
    let accusers = ["a", "b", "c"].map(|name| (name, Charge::PortClosed));
    let mut known = accused_by(&accusers);
    let prove = |known: &Accusations, incarnation, entitled: &[&str]| {
        let is_entitled = |accuser: &NodeId| entitled.contains(&accuser.as_str());
        known.prove((NOW, &id("s"), at(incarnation)), is_entitled, 2)
    };
    assert_eq!(prove(&known, 1, &["a", "c"]), Proved::Failure);
    assert_eq!(prove(&known, 1, &["a", "x"]), Proved::Suspicion);
    assert_eq!(prove(&known, 1, &[]), Proved::Nothing);
    assert_eq!(prove(&known, 2, &["a", "b", "c"]), Proved::Nothing, "a later statement");
    add(&mut known, &accusation("s", 2, "a", Charge::PortClosed));
    assert_eq!(prove(&known, 1, &["a", "b"]), Proved::Suspicion, "`a` accuses the later one");
}

#[test]
fn distrusted_accuser_counts_for_nothing() {
    let mut known = accused_by(&[("a", Charge::PortClosed), ("liar", Charge::PortClosed)]);
    assert_eq!(refute(&mut known, "liar", 4), []);
    assert_eq!((proves(&known, 2), known.distrusted(NOW)), (Proved::Failure, 0));
    let mut distrusted = refute(&mut known, "liar", 0);
    add(&mut known, &accusation("other", 1, "liar", silent(0)));
    weigh(&mut known, "other", 1, &["liar"]);
    distrusted.extend(known.refuted(NOW, &id("other"), at(2)).distrusted);
    assert_eq!(distrusted, [id("liar")]);
    assert_eq!(proves(&known, 2), Proved::Suspicion);
    assert!(known.distrusts(NOW, &id("liar")) && !known.distrusts(NOW, &id("a")));
    assert_eq!(known.distrusted(NOW), 1);
    let fresh = known.take_fresh((NOW, &id("s"), at(1)), |_| true);
    assert_eq!(fresh.iter().map(|one| one.accuser.as_str()).collect::<Vec<_>>(), ["a"]);
    let later = NOW + Duration::from_mins(4);
    assert_eq!(known.prove((later, &id("s"), at(1)), |_| true, 2), Proved::Failure);
}

#[test]
fn refutation_counts_against_the_accuser_of_that_statement() {
    let mut known = accused_by(&[("a", silent(0))]);
    add(&mut known, &accusation("s", 3, "c", silent(0)));
    weigh(&mut known, "s", 1, &["a"]);
    let refuted = known.refuted(NOW, &id("s"), at(2));
    assert_eq!((refuted.count, refuted.distrusted), (1, Vec::new()));
    assert_eq!(known.refuted(NOW, &id("s"), at(2)).count, 0, "the accusation is gone");
    assert_eq!(known.accusers(&id("s"), at(3)), [id("c")], "that of a later statement stands");
    let refuted = |name| known.record(&id(name)).unwrap().refuted;
    assert_eq!((refuted("a"), refuted("c")), (1, 0));
}

/// How many refutations it takes until `a` is distrusted, if it accuses together with these, and
/// these accusers are entitled.
fn refutations_until_distrusted(with: &[&str], entitled: &[&str]) -> u64 {
    let mut known = Accusations::new(PAUSE);
    let is_distrusted = |incarnation: &u64| {
        for accuser in with.iter().chain(&["a"]) {
            assert!(add(&mut known, &accusation("s", *incarnation, accuser, Charge::PortClosed)));
        }
        weigh(&mut known, "s", *incarnation, entitled);
        known.refuted(NOW, &id("s"), at(incarnation + 1)).distrusted.contains(&id("a"))
    };
    (1..=100).find(is_distrusted).unwrap()
}

/// A member that stalls now and then must not discredit all its watchers soon. But some colluders
/// that accuse together must be distrusted in the end.
#[test]
fn accusers_share_what_is_refuted_with_entitled_ones_alone() {
    let all = ["a", "b", "c", "d"];
    let with = |with: &[&str]| refutations_until_distrusted(with, &all);
    assert_eq!([with(&[]), with(&["b"]), with(&["b", "c", "d"])], [5, 10, 20]);
    assert_eq!(refutations_until_distrusted(&["x", "y", "z"], &all), 5, "they prove nothing");
}

/// A member that has just joined may receive old accusations of a correct member from a liar.
#[test]
fn accusation_that_was_never_weighed_says_nothing_about_its_accuser() {
    let mut known = Accusations::new(PAUSE);
    for number in 0..20 {
        let subject = format!("n{number}");
        assert!(known.add(NOW, &accusation(&subject, 1, "a", Charge::PortClosed), None));
        assert_eq!(known.refuted(NOW, &id(&subject), at(2)).count, 1);
    }
    assert_eq!((known.record(&id("a")).unwrap().refuted, known.distrusted(NOW)), (0, 0));
}

/// The former instance may have crashed, as its accusers said.
#[test]
fn new_instance_refutes_no_accusation() {
    let instance = u64::try_from(NEW_INSTANCE_AFTER.as_millis()).unwrap();
    for (incarnation, count) in [(2, 1), (1 + instance, 1), (2 + instance, 0), (1 << 40, 0)] {
        let mut known = accused_by(&[("a", Charge::PortClosed)]);
        weigh(&mut known, "s", 1, &["a"]);
        assert_eq!(known.refuted(NOW, &id("s"), at(incarnation)).count, count, "{incarnation}");
        assert_eq!(known.record(&id("a")).unwrap().refuted, count);
        assert_eq!(proves(&known, 1), Proved::Nothing, "the accusation is worthless either way");
    }
}

#[test]
fn failure_confirms_its_accusers() {
    let mut known = accused_by(&[("a", Charge::Lossy)]);
    add(&mut known, &accusation("s", 2, "b", Charge::Lossy));
    known.confirmed(NOW, &id("s"), at(1));
    let confirmed = |name| known.record(&id(name)).unwrap().confirmed;
    assert_eq!((confirmed("a"), confirmed("b")), (1, 0));
}

#[test]
fn one_slight_accusation_is_passed_on() {
    let mut known = accused_by(&[("a", silent(0)), ("b", silent(0)), ("c", silent(2_500))]);
    let take = |known: &mut Accusations, counts: &str| {
        let fresh = known.take_fresh((NOW, &id("s"), at(1)), |accuser| counts.contains(accuser.as_str()));
        fresh.iter().map(|one| one.accuser.to_string()).collect::<String>()
    };
    assert_eq!(take(&mut known, "ab"), "a");
    assert_eq!(take(&mut known, "abc"), "c", "a suspicion needs one, a failure more");
}

/// Otherwise a liar could keep the proofs of a quorum of four from spreading.
#[test]
fn accusation_that_does_not_count_takes_no_place_of_one_that_does() {
    let names = ["slight", "liar", "a", "b", "c", "d"];
    let charge = |name: &'static str| (name, if name == "slight" { silent(0) } else { Charge::PortClosed });
    let mut known = accused_by(&names.map(charge));
    let take = |known: &mut Accusations, counts: &[&str]| {
        let fresh = known.take_fresh((NOW, &id("s"), at(1)), |accuser| counts.contains(&accuser.as_str()));
        fresh.into_iter().map(|one| one.accuser.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(take(&mut known, &["slight", "liar"]), ["slight", "liar"]);
    refute(&mut known, "liar", 5);
    assert_eq!(take(&mut known, &names), ["a", "b", "c", "d"]);
}

#[test]
fn at_most_four_accusations_are_passed_on_once() {
    let names = ["a", "b", "c", "d", "e", "f"];
    let mut known = accused_by(&names.map(|name| (name, silent(2_500))));
    let take = |known: &mut Accusations, counts: &[&str]| {
        let fresh = known.take_fresh((NOW, &id("s"), at(1)), |accuser| counts.contains(&accuser.as_str()));
        fresh.iter().map(|one| one.accuser.to_string()).collect::<String>()
    };
    assert_eq!(take(&mut known, &["b", "f"]), "bf");
    assert_eq!(take(&mut known, &["b", "f"]), "", "they were passed on");
    assert_eq!(take(&mut known, &names), "ac");
    assert_eq!(take(&mut known, &names), "", "four were passed on");
    add(&mut known, &accusation("s", 1, "a", Charge::PortClosed));
    assert_eq!(take(&mut known, &names), "a", "a graver charge takes the place of the former");
    assert!(known.take_fresh((NOW, &id("s"), at(2)), |_| true).is_empty());
    assert!(known.take_fresh((NOW, &id("x"), at(1)), |_| true).is_empty());
}

#[test]
fn proof_has_the_four_gravest_charges() {
    let charges = [
        ("a", silent(10)),
        ("b", Charge::Lossy),
        ("c", silent(3_000)),
        ("d", Charge::PortClosed),
        ("e", silent(5)),
    ];
    let mut known = accused_by(&charges);
    add(&mut known, &accusation("s", 2, "f", Charge::PortClosed));
    let addr = NodeAddr::new(([127, 0, 0, 1], 1).into());
    let status = NodeStatus::alive(id("s"), addr, at(1), Tags::empty());
    let names: String = known.proof_of(&status).iter().map(|one| one.accuser.to_string()).collect();
    assert_eq!(names, "dcba");
    assert!(known.proof_of(&NodeStatus { incarnation: at(3), ..status }).is_empty());
}

#[test]
fn accused_member_that_changes_is_weighed_again() {
    let mut known = Accusations::new(PAUSE);
    known.view_changed(&id("x"));
    assert_eq!(known.next_due(), None);
    let names: Vec<String> = (0..20).map(|number| format!("n{number:02}")).collect();
    for name in &names {
        add(&mut known, &accusation(name, 1, "a", silent(0)));
    }
    let due = |known: &mut Accusations, changed: &str| {
        known.view_changed(&id(changed));
        std::iter::from_fn(|| known.next_due()).map(|id| id.to_string()).collect::<Vec<_>>()
    };
    // A few others take turns: they may have other watchers now.
    let first = due(&mut known, "n19");
    assert_eq!(first, [&names[..8], &names[19..]].concat());
    assert_eq!(due(&mut known, "x"), names[8..16]);
    assert_eq!(due(&mut known, "x"), names[16..]);
    assert_eq!(due(&mut known, "x"), names[..8]);
}

#[test]
fn notice_is_owed_until_the_accused_statement_is_replaced() {
    let mut known = Accusations::new(PAUSE);
    assert!(!known.owes_notice(&id("s"), at(1)));
    known.testified(&id("s"), at(1));
    assert!(!known.owes_notice(&id("x"), at(1)));
    assert!(known.owes_notice(&id("s"), at(1)));
    assert!(known.owes_notice(&id("s"), at(1)), "the notice may be lost");
    assert!(!known.owes_notice(&id("s"), at(2)), "it has raised its incarnation already");
    assert!(!known.owes_notice(&id("s"), at(1)));
    known.testified(&id("s"), at(1));
    known.forget(&id("s"));
    assert!(!known.owes_notice(&id("s"), at(1)), "it has left");
}

/// It may have been on the other side of a partition.
#[test]
fn accusation_from_before_a_failure_of_its_accuser_is_void() {
    let mut known = accused_by(&[("a", Charge::PortClosed)]);
    known.returned(&id("a"), at(1));
    assert_eq!(proves(&known, 1), Proved::Nothing);
    assert!(known.take_fresh((NOW, &id("s"), at(1)), |_| true).is_empty());
    assert!(!add(&mut known, &accusation("s", 1, "a", Charge::PortClosed)), "an old copy");
    let again = Accusation { accuser_incarnation: at(2), ..accusation("s", 1, "a", Charge::PortClosed) };
    assert!(add(&mut known, &again));
    assert_eq!(proves(&known, 1), Proved::Failure);
    assert!(!add(&mut known, &Accusation { accuser_incarnation: at(3), ..again }), "nothing is new in it");
}

/// An accusation and its refutation often come in one message.
#[test]
fn refuted_accusation_that_was_never_weighed_counts_if_its_statement_held() {
    for (present, distrusted) in [(Some(at(1)), true), (None, false)] {
        let mut known = Accusations::new(PAUSE);
        let begins = (1..=5).any(|number| {
            let victim = format!("victim-{number}");
            known.add(NOW, &accusation(&victim, 1, "liar", silent(0)), present);
            !known.refuted(NOW, &id(&victim), at(2)).distrusted.is_empty()
        });
        assert_eq!(begins, distrusted, "{present:?}");
    }
}
