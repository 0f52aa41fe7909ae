//! Suspicion, refutation, failure, and reaping over the network.

use std::time::Duration;

use kinfolk_core::{ClusterEvent, NodeState};
use kinfolk_swim::{Message, SwimConfig, Update, codec};

use crate::fixture::{DEADLINE, Group, event, fast, id};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn suspected_member_refutes() {
    let group = Group::of(3, fast()).await;
    let victim = group.nodes[0].registry.get(&id("n2")).unwrap();
    let mut events = group.nodes[0].events.subscribe();

    // A node without the protocol accuses a healthy member.
    let (accuser, _incoming) = group.bare("accuser");
    let status = victim.with_state(NodeState::Suspect).into();
    let gossip = vec![Update::Node { status, accusers: vec![id("accuser")] }];
    let claim = codec::encode(&Message::Gossip { gossip }).unwrap();
    accuser.send(&group.nodes[0].peer(), claim, DEADLINE).await.unwrap();

    let suspected = |event: &ClusterEvent| match event {
        ClusterEvent::NodeSuspected { node, cause } if node.id == id("n2") => Some(cause.accusers.clone()),
        _ => None,
    };
    assert_eq!(event(&mut events, suspected).await, [id("accuser")]);
    let recovered = |event: &ClusterEvent| match event {
        ClusterEvent::NodeRecovered { node } if node.id == id("n2") => Some(node.incarnation),
        ClusterEvent::NodeFailed { node, .. } => panic!("{} failed", node.id),
        _ => None,
    };
    assert_eq!(event(&mut events, recovered).await, victim.incarnation.next());
    group
        .settle(|registry| {
            let node = registry.get(&id("n2")).unwrap();
            (node.incarnation, node.state) == (victim.incarnation.next(), NodeState::Alive)
        })
        .await;
    // Only the suspected member itself raised its incarnation.
    assert_eq!(group.nodes[2].protocol.stats().swim.refutations, 1);
    group.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unrefuted_suspicion_ends_in_failed() {
    let mut group = Group::of(3, fast()).await;
    let mut events: Vec<_> = group.nodes[..2].iter().map(|node| node.events.subscribe()).collect();
    group.nodes.pop().unwrap().crash();
    for events in &mut events {
        let of = |node: &kinfolk_core::NodeStatus| node.id == id("n2");
        let suspected = event(events, |event| match event {
            ClusterEvent::NodeSuspected { node, .. } if of(node) => Some(true),
            ClusterEvent::NodeFailed { node, .. } if of(node) => Some(false),
            _ => None,
        });
        assert!(suspected.await, "it failed without a suspicion before");
        let failed = event(events, |event| match event {
            ClusterEvent::NodeFailed { node, cause } if of(node) => Some(cause.clone()),
            _ => None,
        });
        assert!(!failed.await.accusers.is_empty());
    }
    group.settle(|registry| registry.count(NodeState::Failed) == 1).await;
    group.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_member_is_reaped() {
    let swim = SwimConfig { tombstone_ttl: Duration::from_secs(1), ..fast() };
    let mut group = Group::of(3, swim).await;
    let mut events = group.nodes[0].events.subscribe();
    group.nodes.pop().unwrap().crash();
    let reaped = |event: &ClusterEvent| match event {
        ClusterEvent::NodeReaped { id } => Some(id.clone()),
        _ => None,
    };
    assert_eq!(event(&mut events, reaped).await, id("n2"));
    group.settle(|registry| registry.len() == 2 && registry.get(&id("n2")).is_none()).await;
    group.stop().await;
}
