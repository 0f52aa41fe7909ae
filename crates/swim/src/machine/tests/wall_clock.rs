//! Claims whose incarnation lies too far ahead of the wall clock. No member believes them, in any
//! kind of message.

use std::sync::Arc;
use std::time::Duration;

use kinfolk_core::signed::Proof;
use kinfolk_core::{Incarnation, NodeState, NodeStatus};

use super::bench::{Bench, claim, id, quiet, status};
use crate::interface::config::SwimConfig;
use crate::interface::input::{Command, Input};
use crate::interface::output::Output;
use crate::wire::buckets::Buckets;
use crate::wire::message::Reception;
use crate::wire::message::{Message, Update, UserMessage};

/// The highest incarnation that a member at incarnation 10 believes when it starts.
const LAST: u64 = 10 + 24 * 60 * 60 * 1_000;

const FALSE_STATES: [NodeState; 4] =
    [NodeState::Alive, NodeState::Suspect, NodeState::Failed, NodeState::Left];

fn bench(others: &[&str]) -> Bench {
    Bench::new(quiet(&SwimConfig::verified()), others)
}

/// The reports of refused claims among the last outputs: the sender, and the count.
fn reports(bench: &Bench) -> Vec<(String, u64)> {
    let reported = bench.outputs.iter().filter_map(|output| match output {
        Output::RefusedClaim(claim) => Some((claim.from.to_string(), claim.refused)),
        _ => None,
    });
    reported.collect()
}

#[test]
fn far_ahead_gossip_about_another_changes_nothing() {
    for incarnation in [LAST + 1, u64::MAX] {
        for state in FALSE_STATES {
            let mut bench = bench(&["a", "liar"]);
            let before = bench.machine.registry().get(&id("a")).unwrap();
            let mut false_claim = status("a", incarnation, state);
            false_claim.addr = status("liar", 1, NodeState::Alive).addr;
            let update = Update::Node { status: false_claim.into(), accusers: vec![id("liar")] };
            let events = bench.gossip("liar", vec![update]);
            assert!(!events.contains("event"), "{events}");
            assert_eq!(bench.machine.registry().get(&id("a")), Some(before), "{state} at {incarnation}");
            assert!(bench.machine.queue().is_empty(), "the claim is not passed on");
            assert_eq!(bench.machine.stats().claims_refused, 1);
        }
    }
}

#[test]
fn claim_a_day_ahead_is_believed() {
    let mut bench = bench(&["a", "b"]);
    bench.gossip("b", vec![claim("a", LAST, NodeState::Left, &[])]);
    assert_eq!(bench.known("a"), (LAST, NodeState::Left));
    assert_eq!(bench.machine.stats().claims_refused, 0);
}

#[test]
fn far_ahead_claims_cannot_climb_step_by_step() {
    let mut bench = bench(&["a", "liar"]);
    bench.gossip("liar", vec![claim("a", LAST, NodeState::Alive, &[])]);
    bench.gossip("liar", vec![claim("a", LAST + 1, NodeState::Alive, &[])]);
    assert_eq!(bench.known("a").0, LAST);
    bench.gossip("liar", vec![claim("me", LAST, NodeState::Failed, &[])]);
    bench.gossip("liar", vec![claim("me", LAST + 2, NodeState::Failed, &[])]);
    assert_eq!(bench.machine.stats().claims_refused, 2);
}

#[test]
fn far_ahead_claims_in_pages_change_nothing() {
    for state in FALSE_STATES {
        let page: Vec<Arc<NodeStatus>> = vec![status("a", u64::MAX, state).into()];
        let mut asked = bench(&["a", "liar"]);
        let sync = Message::Sync { nodes: page.clone(), after: None, want: false, only: Buckets::ALL };
        asked.message("liar", sync);
        assert_eq!(asked.known("a"), (1, NodeState::Alive));
        assert_eq!(
            (asked.machine.owners.repair.pending_verdicts(), asked.machine.stats().claims_refused),
            (0, 1)
        );

        let mut joining = bench(&["a"]);
        let addr = status("liar", 1, NodeState::Alive).addr;
        joining.command(Command::Join { id: id("liar"), addr });
        let clock = Incarnation::new(10);
        joining.reply(0, "liar", Message::Welcome { clock, reception: Reception::Seen });
        joining.reply(1, "liar", Message::Page { nodes: page, more: false });
        assert_eq!(joining.known("a"), (1, NodeState::Alive));
        assert_eq!(joining.machine.stats().claims_refused, 1);
    }
}

#[test]
fn far_ahead_instance_does_not_block_broadcasts() {
    let mut bench = bench(&["a", "liar"]);
    let broadcast = |instance, number| {
        let (origin, instance) = (id("a"), Incarnation::new(instance));
        let (payload, proof) = ("x".into(), Proof::default());
        vec![Update::User(UserMessage { origin, instance, number, payload, proof })]
    };
    assert_eq!(bench.gossip("liar", broadcast(u64::MAX, 0)).matches("Broadcast").count(), 0);
    assert_eq!(bench.gossip("a", broadcast(1, 0)).matches("Broadcast").count(), 1);
}

#[test]
fn refusals_are_reported_once_a_minute() {
    let mut bench = bench(&["a", "liar"]);
    let far_ahead = || vec![claim("a", u64::MAX, NodeState::Failed, &[])];
    bench.gossip("liar", far_ahead());
    assert_eq!(reports(&bench), [("liar".to_owned(), 1)]);
    bench.gossip("liar", far_ahead());
    bench.now += Duration::from_secs(59);
    bench.gossip("liar", far_ahead());
    assert_eq!(reports(&bench), []);
    bench.now += Duration::from_secs(1);
    bench.gossip("liar", far_ahead());
    assert_eq!(reports(&bench), [("liar".to_owned(), 3)]);
}

#[test]
fn corrected_wall_clock_counts_at_once() {
    let mut bench = bench(&["b"]);
    let later = LAST + 1;
    bench.input(Input::WallClock { since_epoch: Duration::from_millis(later) });
    bench.gossip("b", vec![claim("me", later, NodeState::Left, &[])]);
    assert_eq!(bench.known("me"), (later + 1, NodeState::Alive));
}

#[test]
fn clock_set_back_replaces_claims_of_wrong_clock() {
    let mut bench = bench(&["a", "b"]);
    let (ahead, right) = (2 * LAST, 20);
    bench.input(Input::WallClock { since_epoch: Duration::from_millis(ahead) });
    bench.gossip("b", vec![claim("a", ahead, NodeState::Alive, &[])]);
    bench.gossip("b", vec![claim("me", ahead, NodeState::Left, &[])]);
    assert_eq!((bench.known("a").0, bench.known("me").0), (ahead, ahead + 1));
    let broadcast = |bench: &mut Bench| {
        bench.command(Command::Broadcast("x".into()));
        let sent = bench.machine.queue().take(0, 4_096, 3, 9);
        sent.into_iter().find_map(|update| match update {
            Update::User(message) => Some(message.instance.get()),
            _ => None,
        })
    };

    bench.input(Input::WallClock { since_epoch: Duration::from_millis(right) });
    assert_eq!(
        bench.known("me"),
        (right, NodeState::Alive),
        "others would refuse the statement from the future"
    );
    assert_eq!(broadcast(&mut bench), Some(right));
    assert_eq!(bench.known("a").0, ahead, "nothing else is known");
    bench.gossip("b", vec![claim("a", ahead + 1, NodeState::Failed, &[])]);
    assert_eq!(bench.known("a").0, ahead);
    bench.gossip("a", vec![claim("a", 21, NodeState::Alive, &[])]);
    assert_eq!(bench.known("a"), (21, NodeState::Alive), "a claim by the right clock counts");
    bench.gossip("b", vec![claim("a", 19, NodeState::Failed, &[])]);
    assert_eq!(bench.known("a"), (21, NodeState::Alive), "from then on the precedence rule applies");
}

#[test]
fn clock_set_back_and_corrected_replaces_nothing() {
    let mut bench = bench(&["a", "b"]);
    let (right, wrong) = (2 * LAST, 20);
    let since_epoch = Duration::from_millis;
    bench.input(Input::WallClock { since_epoch: since_epoch(right) });
    bench.gossip("b", vec![claim("a", right, NodeState::Alive, &[])]);
    bench.input(Input::WallClock { since_epoch: since_epoch(wrong) });
    bench.input(Input::WallClock { since_epoch: since_epoch(right) });
    bench.gossip("b", vec![claim("a", wrong, NodeState::Left, &[])]);
    assert_eq!(bench.known("a"), (right, NodeState::Alive));
}

/// It is so if the clock was wrong only after this member had started.
#[test]
fn plausible_statement_survives_a_clock_set_back() {
    let mut bench = bench(&["a", "b"]);
    bench.input(Input::WallClock { since_epoch: Duration::from_millis(2 * LAST) });
    bench.gossip("b", vec![claim("a", 2 * LAST, NodeState::Alive, &[])]);
    bench.input(Input::WallClock { since_epoch: Duration::from_millis(20) });
    assert_eq!(bench.known("me"), (10, NodeState::Alive));
    assert!(!bench.machine.queue().is_waiting(&id("me")));
}

#[test]
fn left_member_stays_left_after_a_clock_set_back() {
    let mut bench = bench(&["a", "b"]);
    bench.input(Input::WallClock { since_epoch: Duration::from_millis(2 * LAST) });
    bench.gossip("b", vec![claim("me", 2 * LAST, NodeState::Left, &[])]);
    bench.command(Command::Leave);
    bench.input(Input::WallClock { since_epoch: Duration::from_millis(20) });
    assert_eq!(bench.known("me"), (2 * LAST + 1, NodeState::Left));
}
