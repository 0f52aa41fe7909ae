//! Tests of incarnations that are written down before they are taken (docs/decisions/0009).

use expect_test::expect;
use kinfolk_core::{Incarnation, NodeState, Tags};
use proptest::prelude::*;

use super::arbitrary::{Step, any_step};
use super::bench::{Bench, claim, id, quiet};
use crate::interface::config::SwimConfig;
use crate::interface::input::{Command, Input};

/// A member at incarnation 10 that may raise its incarnation to 11.
fn bench() -> Bench {
    let mut bench = Bench::new(quiet(&SwimConfig::lifeguard()), &["a"]);
    assert_eq!(reserved(&mut bench, 11), "");
    bench
}

fn reserved(bench: &mut Bench, up_to: u64) -> String {
    bench.input(Input::Reserved { up_to: Incarnation::new(up_to) })
}

fn tags(value: &str) -> Tags {
    Tags::new([("tag", value)]).unwrap()
}

#[test]
fn statement_waits_until_its_incarnation_is_reserved() {
    let mut bench = bench();
    bench.command(Command::SetTags(tags("one")));
    assert_eq!(bench.known("me").0, 11, "the highest reserved incarnation");
    expect![[r"
        reserve i12
        done TagsSet(Ok(()))
    "]]
    .assert_eq(&bench.command(Command::SetTags(tags("two"))));
    assert_eq!(bench.known("me").0, 11);
    assert_eq!(reserved(&mut bench, 11), "reserve i12\n", "not enough: the machine asks again");
    expect![[r#"
        event updated me {"tag": "two"}
    "#]]
    .assert_eq(&reserved(&mut bench, 12));
    assert_eq!(bench.known("me").0, 12);
    assert_eq!(reserved(&mut bench, 13), "", "the statement is made once");
}

#[test]
fn waiting_refutation_and_tags_become_one_statement() {
    let mut bench = bench();
    bench.command(Command::SetTags(tags("one")));
    bench.command(Command::SetTags(tags("two")));
    bench.gossip("a", vec![claim("me", 30, NodeState::Suspect, &["a"])]);
    assert_eq!(bench.known("me").0, 11);
    reserved(&mut bench, 1_000);
    let mine = bench.machine.registry().get(&id("me")).unwrap();
    assert_eq!((mine.incarnation.get(), &mine.tags), (31, &tags("two")));
}

#[test]
fn left_member_drops_its_waiting_statement() {
    let mut bench = bench();
    bench.command(Command::SetTags(tags("one")));
    bench.command(Command::SetTags(tags("two")));
    bench.command(Command::Leave);
    assert_eq!(reserved(&mut bench, 1_000), "");
    assert_eq!(bench.known("me"), (11, NodeState::Left));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn no_input_raises_incarnation_above_the_reserve(steps in prop::collection::vec(any_step(), 1..120)) {
        let mut bench = bench();
        let mut highest = 11;
        for (millis, step) in steps {
            let Step::Input(input) = step else { continue };
            bench.now += std::time::Duration::from_millis(millis);
            if let Input::Reserved { up_to } = input {
                highest = highest.max(up_to.get());
            }
            bench.input(input);
            prop_assert!(bench.known("me").0 <= highest);
        }
    }
}
