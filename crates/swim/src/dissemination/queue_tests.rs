//! The queue against its rules: order, bounds, how often, and a model under arbitrary use.

use std::collections::BTreeMap as Map;
use std::sync::Arc;

use kinfolk_core::{NodeAddr, NodeState, NodeStatus, Tags};
use proptest::prelude::*;

use super::*;
use crate::wire::codec::GOSSIP_BYTES_MAX;
use crate::wire::message::UserMessage;

fn claim(name: &str, incarnation: u64, state: NodeState) -> Update {
    let addr = NodeAddr::new(([10, 0, 0, 1], 1).into());
    let id = NodeId::new(name).unwrap();
    let status = NodeStatus::alive(id, addr, Incarnation::new(incarnation), Tags::empty()).with_state(state);
    Update::Node { status: Arc::new(status), accusers: Vec::new() }
}

fn user(number: u64, len: usize) -> Update {
    let origin = NodeId::new("origin").unwrap();
    Update::User(UserMessage { origin, life: Incarnation::new(1), number, payload: vec![0; len].into() })
}

fn names(updates: &[Update]) -> Vec<String> {
    let name = |update: &Update| match update {
        Update::Node { status, .. } => status.id.to_string(),
        Update::User(user) => format!("user-{}", user.number),
        Update::Forget { id, .. } => format!("forget-{id}"),
    };
    updates.iter().map(name).collect()
}

#[test]
fn higher_priorities_go_first_then_the_least_sent_then_the_newest() {
    let mut queue = GossipQueue::new();
    queue.push(user(0, 1), Priority::Low);
    queue.push(claim("new", 1, NodeState::Alive), Priority::Medium);
    queue.push(claim("suspect", 1, NodeState::Suspect), Priority::High);
    queue.push(claim("failed", 1, NodeState::Failed), Priority::Critical);
    assert_eq!(names(&queue.take(0, 4_096, 8, 3)), ["failed", "suspect", "new", "user-0"]);
    queue.push(claim("newer", 1, NodeState::Alive), Priority::Medium);
    queue.push(claim("newest", 1, NodeState::Alive), Priority::Medium);
    assert_eq!(names(&queue.take(0, 4_096, 8, 3)), ["failed", "suspect", "newest", "newer", "new", "user-0"]);
}

#[test]
fn an_update_is_sent_exactly_as_often_as_the_limit_says() {
    let mut queue = GossipQueue::new();
    queue.push(claim("a", 1, NodeState::Alive), Priority::Medium);
    let sent = (0..100).filter(|_| !queue.take(0, 4_096, 7, 3).is_empty()).count();
    assert_eq!((sent, queue.len()), (9, 0), "3 * ceil(log2(8)) = 9");
}

#[test]
fn the_transmit_limit_follows_its_formula() {
    for (members, expected) in
        [(0, 1), (1, 3), (2, 6), (3, 6), (4, 9), (7, 9), (8, 12), (1_000, 30), (10_000, 42)]
    {
        assert_eq!(transmit_limit(members, 3), expected, "N = {members}");
    }
}

#[test]
fn at_most_20_updates_and_the_byte_budget_fit_into_one_message() {
    let mut queue = GossipQueue::new();
    for number in 0..50 {
        queue.push(claim(&format!("n{number}"), 1, NodeState::Alive), Priority::Medium);
    }
    assert_eq!(queue.take(0, GOSSIP_BYTES_MAX, 8, 3).len(), 20);
    assert_eq!(queue.take(1, GOSSIP_BYTES_MAX, 8, 3).len(), 19);
    let mut large = GossipQueue::new();
    for number in 0..8 {
        large.push(user(number, 1_000), Priority::Low);
    }
    let taken = large.take(0, GOSSIP_BYTES_MAX, 8, 3);
    assert_eq!(taken.len(), 4);
    assert!(taken.iter().map(codec::encoded_len).sum::<usize>() <= GOSSIP_BYTES_MAX);
}

#[test]
fn a_newer_claim_replaces_the_older_and_starts_from_zero() {
    let mut queue = GossipQueue::new();
    queue.push(claim("a", 1, NodeState::Suspect), Priority::High);
    queue.take(0, 4_096, 8, 3);
    assert!(!queue.has_fresh(1));
    queue.push(claim("a", 2, NodeState::Alive), Priority::Critical);
    assert!(queue.has_fresh(1));
    assert_eq!(queue.take(0, 4_096, 8, 3), [claim("a", 2, NodeState::Alive)]);
    assert_eq!(queue.len(), 1);
}

#[test]
fn the_last_broadcast_that_fits_is_kept_and_one_more_drops_one_and_counts_it() {
    let mut queue = GossipQueue::new();
    for number in 0..GossipQueue::BROADCASTS_MAX as u64 {
        queue.push(user(number, 0), Priority::Low);
    }
    assert_eq!((queue.len(), queue.broadcasts_dropped()), (GossipQueue::BROADCASTS_MAX, 0));
    queue.push(user(9_999, 0), Priority::Low);
    assert_eq!((queue.len(), queue.broadcasts_dropped()), (GossipQueue::BROADCASTS_MAX, 1));
}

#[test]
fn a_claim_with_large_tags_rides_without_them() {
    let addr = NodeAddr::new(([10, 0, 0, 1], 1).into());
    let tags = Tags::new([("k", "v".repeat(2_000))]).unwrap();
    let status = NodeStatus::alive(NodeId::new("a").unwrap(), addr, Incarnation::new(1), tags);
    let mut queue = GossipQueue::new();
    queue.push(Update::Node { status: Arc::new(status), accusers: Vec::new() }, Priority::Medium);
    let Some(Update::Node { status, .. }) = queue.take(0, 4_096, 8, 3).pop() else {
        panic!("it was not sent")
    };
    assert!(status.tags.is_empty() && !status.is_complete());
}

proptest! {
    #[test]
    fn under_arbitrary_use_no_bound_breaks_and_each_claim_is_sent_as_often_as_planned(
        pushes in prop::collection::vec((0..12_u64, 0..3_usize, any::<bool>()), 1..60),
    ) {
        let mut queue = GossipQueue::new();
        let mut sent: Map<String, u32> = Map::new();
        let limit = transmit_limit(5, 2);
        let priorities = [Priority::Critical, Priority::High, Priority::Medium];
        for (round, (who, priority, take)) in pushes.into_iter().enumerate() {
            let name = format!("n{who}");
            queue.push(claim(&name, round as u64 + 1, NodeState::Alive), priorities[priority]);
            sent.insert(name, 0);
            if take {
                for name in names(&queue.take(0, 200, 5, 2)) {
                    *sent.get_mut(&name).unwrap() += 1;
                }
            }
            prop_assert!(queue.len() <= 12);
        }
        while !queue.is_empty() {
            for name in names(&queue.take(0, 200, 5, 2)) {
                *sent.get_mut(&name).unwrap() += 1;
            }
        }
        prop_assert!(sent.values().all(|times| *times == limit), "{:?}", sent);
        prop_assert!(queue.ranks.is_empty());
    }
}

#[test]
fn fresh_updates_fit_into_the_byte_budget_of_one_message() {
    let mut queue = GossipQueue::new();
    (0..9).for_each(|number| queue.push(user(number, 400), Priority::Low));
    let one = codec::encoded_len(&user(0, 400));
    let mut rounds = Vec::new();
    while queue.has_fresh(1) {
        rounds.push(queue.take_fresh(1, 4 * one, 100, 3).len());
    }
    assert_eq!(rounds, [4, 4, 1]);
}

#[test]
fn at_most_20_fresh_updates_fit_into_one_message_and_each_goes_to_all_at_once() {
    let mut queue = GossipQueue::new();
    for number in 0..50 {
        queue.push(claim(&format!("n{number}"), 1, NodeState::Alive), Priority::Medium);
    }
    let counts = [0; 4].map(|_| queue.take_fresh(4, 100_000, 8, 3).len());
    assert_eq!(counts, [20, 20, 10, 0]);
    let left = (0..100).map(|_| queue.take(0, GOSSIP_BYTES_MAX, 8, 3).len()).sum::<usize>();
    assert_eq!(left, 50 * (12 - 4), "of twelve sendings four are over");
}

#[test]
fn an_update_waits_and_is_unsent_until_it_is_sent_and_a_word_can_be_taken_back() {
    let id = |name: &str| NodeId::new(name).unwrap();
    let mut queue = GossipQueue::new();
    queue.push(claim("a", 1, NodeState::Alive), Priority::Medium);
    queue.push(Update::Forget { id: id("b"), incarnation: Incarnation::new(1) }, Priority::Medium);
    assert!(queue.is_waiting(&id("a")) && queue.is_unsent(&id("a")));
    assert!(!queue.is_waiting(&id("c")) && !queue.is_unsent(&id("c")));
    queue.take(0, GOSSIP_BYTES_MAX, 8, 3);
    assert!(queue.is_waiting(&id("a")) && !queue.is_unsent(&id("a")));
    queue.withdraw_word(&id("a"));
    queue.withdraw_word(&id("b"));
    assert!(queue.is_waiting(&id("a")) && !queue.is_waiting(&id("b")), "only words are taken back");
    assert_eq!((queue.len(), queue.is_empty()), (1, false));
}

#[test]
fn what_was_never_sent_rides_uncounted_and_the_rest_as_often_as_the_limit_says() {
    let mut queue = GossipQueue::new();
    queue.push(claim("a", 1, NodeState::Alive), Priority::Medium);
    for _ in 0..100 {
        assert_eq!(names(&queue.ride(0, 4_096, (7, 3), false)), ["a"]);
    }
    assert!(queue.is_unsent(&NodeId::new("a").unwrap()));
    assert_eq!(queue.take_fresh(4, 4_096, 7, 3).len(), 1);
    let rides = (0..100).filter(|_| !queue.ride(0, 4_096, (7, 3), false).is_empty()).count();
    assert_eq!((rides, queue.len()), (5, 0), "nine, less the four of the flood");
}

#[test]
fn what_a_view_that_agrees_has_counts_as_sent_and_all_else_still_rides() {
    let mut queue = GossipQueue::new();
    queue.push(claim("fresh", 1, NodeState::Failed), Priority::Critical);
    let word = Update::Forget { id: NodeId::new("gone").unwrap(), incarnation: Incarnation::new(1) };
    queue.push(claim("a", 1, NodeState::Alive), Priority::Medium);
    queue.push(word, Priority::Medium);
    queue.push(user(0, 10), Priority::Low);
    while queue.has_fresh(1) {
        queue.take_fresh(1, 4_096, 7, 3);
    }
    queue.push(claim("fresh", 2, NodeState::Failed), Priority::Critical);
    for _ in 0..8 {
        assert_eq!(names(&queue.ride(0, 4_096, (7, 3), true)), ["forget-gone", "user-0"]);
    }
    assert_eq!(queue.len(), 1, "what was not flooded waits for the flood");
    assert_eq!(names(&queue.ride(0, 4_096, (7, 3), false)), ["fresh"]);
}

#[test]
fn what_rides_stays_within_its_bounds() {
    let mut queue = GossipQueue::new();
    for number in 0..50 {
        queue.push(user(number, 200), Priority::Low);
    }
    let one = codec::encoded_len(&user(0, 200));
    assert_eq!(queue.ride(0, 3 * one, (7, 3), true).len(), 3);
    assert_eq!(queue.ride(UPDATES_MAX - 1, 4_096, (7, 3), true).len(), 1);
    assert_eq!(queue.ride(UPDATES_MAX, 4_096, (7, 3), true), []);
}
