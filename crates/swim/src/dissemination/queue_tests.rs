//! Tests of the queue: order, bounds, number of sends, and a model under arbitrary use.

use std::collections::BTreeMap as Map;
use std::sync::Arc;

use kinfolk_core::signed::{Fingerprint, Proof, Signature};
use kinfolk_core::{NodeAddr, NodeState, NodeStatus, Tags};
use proptest::prelude::*;

use super::*;
use crate::wire::codec::GOSSIP_BYTES_MAX;
use crate::wire::message::UserMessage;

/// A proof of the usual size. The queue does not look at it.
fn proof() -> Proof {
    let signature = Signature::new(&[7; 64]).unwrap();
    Proof { certificate: Fingerprint::of(b"a certificate"), signature }
}

fn status(name: &str, incarnation: u64, tags: Tags) -> NodeStatus {
    let addr = NodeAddr::new(([10, 0, 0, 1], 1).into());
    let alive = NodeStatus::alive(NodeId::new(name).unwrap(), addr, Incarnation::new(incarnation), tags);
    NodeStatus { proof: proof(), ..alive }
}

fn claim(name: &str, incarnation: u64, state: NodeState) -> Update {
    let status = status(name, incarnation, Tags::empty()).with_state(state);
    Update::Node { status: Arc::new(status), accusers: Vec::new() }
}

fn forget(name: &str) -> Update {
    let status = status(name, 1, Tags::empty()).with_state(NodeState::Failed).without_description();
    Update::Forget { up_to: status.incarnation, status: Arc::new(status) }
}

fn user(number: u64, len: usize) -> Update {
    let (origin, instance) = (NodeId::new("origin").unwrap(), Incarnation::new(1));
    let (payload, proof) = (vec![0; len].into(), Proof::default());
    Update::User(UserMessage { origin, instance, number, payload, proof })
}

fn names(updates: &[Update]) -> Vec<String> {
    let name = |update: &Update| match update {
        Update::Node { status, .. } => status.id.to_string(),
        Update::User(user) => format!("user-{}", user.number),
        Update::Forget { status, .. } => format!("forget-{}", status.id),
        Update::Revocation(revocation) => format!("revoked-{}", revocation.node),
        Update::Accusation(accusation) => format!("{}-{}", accusation.accuser, accusation.subject),
    };
    updates.iter().map(name).collect()
}

#[test]
fn order_is_priority_then_fewest_sends_then_newest() {
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
fn update_is_sent_exactly_as_often_as_the_limit() {
    let mut queue = GossipQueue::new();
    queue.push(claim("a", 1, NodeState::Alive), Priority::Medium);
    let sent = (0..100).filter(|_| !queue.take(0, 4_096, 7, 3).is_empty()).count();
    assert_eq!((sent, queue.len()), (9, 0), "3 * ceil(log2(8)) = 9");
}

#[test]
fn transmit_limit_follows_its_formula() {
    for (members, expected) in
        [(0, 1), (1, 3), (2, 6), (3, 6), (4, 9), (7, 9), (8, 12), (1_000, 30), (10_000, 42)]
    {
        assert_eq!(transmit_limit(members, 3), expected, "N = {members}");
    }
}

#[test]
fn message_takes_20_updates_within_the_byte_budget() {
    let mut queue = GossipQueue::new();
    for number in 0..50 {
        queue.push(claim(&format!("n{number}"), 1, NodeState::Alive), Priority::Medium);
    }
    assert_eq!(queue.take(0, GOSSIP_BYTES_MAX, 8, 3).len(), 20);
    assert_eq!(queue.take(1, GOSSIP_BYTES_MAX, 8, 3).len(), 19);
    let mut large = GossipQueue::new();
    for number in 0..8 {
        large.push(user(number, 970), Priority::Low);
    }
    let taken = large.take(0, GOSSIP_BYTES_MAX, 8, 3);
    assert_eq!(taken.len(), 4);
    assert!(taken.iter().map(codec::encoded_len).sum::<usize>() <= GOSSIP_BYTES_MAX);
}

#[test]
fn newer_claim_replaces_the_older_and_counts_from_zero() {
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
fn broadcast_beyond_the_bound_drops_one_and_is_counted() {
    let mut queue = GossipQueue::new();
    for number in 0..GossipQueue::BROADCASTS_MAX as u64 {
        queue.push(user(number, 0), Priority::Low);
    }
    assert_eq!((queue.len(), queue.broadcasts_dropped()), (GossipQueue::BROADCASTS_MAX, 0));
    queue.push(user(9_999, 0), Priority::Low);
    assert_eq!((queue.len(), queue.broadcasts_dropped()), (GossipQueue::BROADCASTS_MAX, 1));
}

#[test]
fn claim_with_large_tags_is_sent_without_them() {
    let status = status("a", 1, Tags::new([("k", "v".repeat(2_000))]).unwrap());
    let mut queue = GossipQueue::new();
    queue.push(Update::Node { status: Arc::new(status), accusers: Vec::new() }, Priority::Medium);
    let Some(Update::Node { status, .. }) = queue.take(0, 4_096, 8, 3).pop() else {
        panic!("the claim was not sent")
    };
    assert!(status.tags.is_empty() && !status.is_complete());
}

proptest! {
    #[test]
    fn arbitrary_use_keeps_bounds_and_send_counts(
        pushes in prop::collection::vec((0..12_u64, 0..3_usize, any::<bool>()), 1..60),
    ) {
        let mut queue = GossipQueue::new();
        let mut sent: Map<String, u32> = Map::new();
        let limit = transmit_limit(5, 2);
        let priorities = [Priority::Critical, Priority::High, Priority::Medium];
        for (round, (member, priority, take)) in pushes.into_iter().enumerate() {
            let name = format!("n{member}");
            queue.push(claim(&name, round as u64 + 1, NodeState::Alive), priorities[priority]);
            sent.insert(name, 0);
            if take {
                for name in names(&queue.take(0, 1_000, 5, 2)) {
                    *sent.get_mut(&name).unwrap() += 1;
                }
            }
            prop_assert!(queue.len() <= 12);
        }
        while !queue.is_empty() {
            for name in names(&queue.take(0, 1_000, 5, 2)) {
                *sent.get_mut(&name).unwrap() += 1;
            }
        }
        prop_assert!(sent.values().all(|times| *times == limit), "{:?}", sent);
        prop_assert!(queue.ranks.is_empty());
    }
}

#[test]
fn fresh_updates_stay_within_the_byte_budget() {
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
fn flood_takes_20_fresh_updates_and_counts_each_copy() {
    let mut queue = GossipQueue::new();
    for number in 0..50 {
        queue.push(claim(&format!("n{number}"), 1, NodeState::Alive), Priority::Medium);
    }
    let counts = [0; 4].map(|_| queue.take_fresh(4, 100_000, 8, 3).len());
    assert_eq!(counts, [20, 20, 10, 0]);
    let left = (0..100).map(|_| queue.take(0, GOSSIP_BYTES_MAX, 8, 3).len()).sum::<usize>();
    assert_eq!(left, 50 * (12 - 4), "4 of 12 sends are done");
}

#[test]
fn update_is_unsent_until_sent_and_only_a_forget_is_withdrawn() {
    let id = |name: &str| NodeId::new(name).unwrap();
    let mut queue = GossipQueue::new();
    queue.push(claim("a", 1, NodeState::Alive), Priority::Medium);
    queue.push(forget("b"), Priority::Medium);
    assert!(queue.is_waiting(&id("a")) && queue.is_unsent(&id("a")));
    assert!(!queue.is_waiting(&id("c")) && !queue.is_unsent(&id("c")));
    queue.take(0, GOSSIP_BYTES_MAX, 8, 3);
    assert!(queue.is_waiting(&id("a")) && !queue.is_unsent(&id("a")));
    queue.withdraw_forget(&id("a"));
    queue.withdraw_forget(&id("b"));
    assert!(queue.is_waiting(&id("a")) && !queue.is_waiting(&id("b")), "only the forget update is withdrawn");
    assert_eq!((queue.len(), queue.is_empty()), (1, false));
}

#[test]
fn piggyback_before_the_flood_is_not_counted() {
    let mut queue = GossipQueue::new();
    queue.push(claim("a", 1, NodeState::Alive), Priority::Medium);
    for _ in 0..100 {
        assert_eq!(names(&queue.piggyback(0, 4_096, (7, 3), false)), ["a"]);
    }
    assert!(queue.is_unsent(&NodeId::new("a").unwrap()));
    assert_eq!(queue.take_fresh(4, 4_096, 7, 3).len(), 1);
    let sent = (0..100).filter(|_| !queue.piggyback(0, 4_096, (7, 3), false).is_empty()).count();
    assert_eq!((sent, queue.len()), (5, 0), "9 sends, less the 4 of the flood");
}

#[test]
fn claims_are_not_sent_to_a_member_whose_view_agrees() {
    let mut queue = GossipQueue::new();
    queue.push(claim("fresh", 1, NodeState::Failed), Priority::Critical);
    queue.push(claim("a", 1, NodeState::Alive), Priority::Medium);
    queue.push(forget("left"), Priority::Medium);
    queue.push(user(0, 10), Priority::Low);
    while queue.has_fresh(1) {
        queue.take_fresh(1, 4_096, 7, 3);
    }
    queue.push(claim("fresh", 2, NodeState::Failed), Priority::Critical);
    for _ in 0..8 {
        assert_eq!(names(&queue.piggyback(0, 4_096, (7, 3), true)), ["forget-left", "user-0"]);
    }
    assert_eq!(queue.len(), 1, "the claim that was not flooded waits for the flood");
    assert_eq!(names(&queue.piggyback(0, 4_096, (7, 3), false)), ["fresh"]);
}

#[test]
fn piggyback_stays_within_its_bounds() {
    let mut queue = GossipQueue::new();
    for number in 0..50 {
        queue.push(user(number, 200), Priority::Low);
    }
    let one = codec::encoded_len(&user(0, 200));
    assert_eq!(queue.piggyback(0, 3 * one, (7, 3), true).len(), 3);
    assert_eq!(queue.piggyback(UPDATES_MAX - 1, 4_096, (7, 3), true).len(), 1);
    assert_eq!(queue.piggyback(UPDATES_MAX, 4_096, (7, 3), true), []);
}

/// A message tries 40 updates.
#[test]
fn small_update_behind_39_large_ones_is_sent() {
    for (large, found) in [(39, 1), (40, 0)] {
        let mut queue = GossipQueue::new();
        queue.push(user(999, 1), Priority::Low);
        (0..large).for_each(|number| queue.push(user(number, 1_000), Priority::Low));
        assert_eq!(queue.piggyback(0, 500, (8, 3), false).len(), found, "{large}");
        assert_eq!(queue.take(0, 500, 8, 3).len(), found, "{large}");
    }
}

#[test]
fn sent_broadcasts_make_room_for_others() {
    let mut queue = GossipQueue::new();
    for _ in 0..2 {
        (0..GossipQueue::BROADCASTS_MAX as u64).for_each(|number| queue.push(user(number, 0), Priority::Low));
        while !queue.take(0, 4_096, 1, 1).is_empty() {}
        assert_eq!((queue.len(), queue.broadcasts_dropped()), (0, 0));
    }
}

#[test]
fn claim_of_1024_bytes_keeps_its_description() {
    let tagged = |len: usize| status("a", 1, Tags::new([("k", "v".repeat(len))]).unwrap());
    let largest = 900 + INLINE_CLAIM_MAX - codec::encoded_len(&tagged(900));
    for (len, complete) in [(largest, true), (largest + 1, false)] {
        let update = inline(Update::Node { status: Arc::new(tagged(len)), accusers: Vec::new() });
        let Update::Node { status, .. } = update else { panic!("it is a claim") };
        assert_eq!(status.is_complete(), complete);
    }
}

#[test]
fn fresh_update_that_does_not_fit_waits() {
    let mut queue = GossipQueue::new();
    queue.push(user(0, 10), Priority::Low);
    queue.push(user(1, 1_000), Priority::Low);
    let fresh = |queue: &mut GossipQueue| {
        let taken = queue.take_fresh(1, 500, 8, 3);
        names(&taken.into_iter().map(|(update, _)| update).collect::<Vec<_>>())
    };
    assert_eq!(fresh(&mut queue), ["user-0"], "it does not block others");
    queue.push(user(2, 10), Priority::Low);
    queue.push(user(3, 1_000), Priority::Low);
    queue.push(user(4, 10), Priority::Low);
    assert_eq!(fresh(&mut queue), ["user-4"], "none goes before an update that is newer");
}
