//! Probes over the network: direct, indirect, late.

use std::time::Duration;

use kinfolk_core::{ClusterEvent, NodeState, Reason};
use kinfolk_swim::Message;

use crate::fixture::{Fault, Group, Node, event, fast, id};

fn indirect_probes(node: &Node, of: &str) -> usize {
    let about = |message: &Message| matches!(message, Message::PingReq { target, .. } if *target == id(of));
    node.sent().iter().filter(|(_, _, message)| about(message)).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn direct_ping_ack_over_network() {
    let group = Group::of(2, fast()).await;
    for node in &group.nodes {
        node.until(|node| node.protocol.stats().swim.acks >= 3).await;
    }
    let dials: u64 = group.nodes.iter().map(|node| node.transport.pool().stats().dials).sum();
    let reused: u64 = group.nodes.iter().map(|node| node.transport.pool().stats().reused).sum();
    assert_eq!(dials, 1, "one connection serves both directions and every probe");
    assert!(reused >= 6, "{reused}");
    group.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn indirect_ping_via_intermediaries() {
    let group = Group::of(5, fast()).await;
    let (prober, target) = (&group.nodes[0], "n4");
    let mut events = prober.events.subscribe();

    prober.fault(target, Fault::Dropped);
    prober.until(|node| node.protocol.stats().swim.indirect_acks >= 2).await;
    assert!(indirect_probes(prober, target) >= 6, "three helpers a probe");
    assert_eq!(prober.state_of(target), Some(NodeState::Alive), "its helpers reached it");

    for helper in &group.nodes[1..4] {
        helper.fault(target, Fault::Dropped);
    }
    let cause = event(&mut events, |event| match event {
        ClusterEvent::NodeSuspected { node, cause } if node.id.as_str() == target => Some(cause.clone()),
        _ => None,
    })
    .await;
    // Another member may have probed first.
    assert!(
        matches!(cause.reason, Reason::ProbeUnanswered { helpers: 3, .. } | Reason::Reported),
        "{cause:?}"
    );
    group.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ack_timeout_triggers_indirect_ping() {
    let swim = fast();
    let late = swim.probe_timeout + (swim.probe_interval.saturating_sub(swim.probe_timeout)) / 4;
    let group = Group::of(3, swim).await;
    let (prober, target) = (&group.nodes[0], "n2");
    prober.fault(target, Fault::Late(late));
    prober.until(|node| indirect_probes(node, target) >= 2).await;
    assert!(late > Duration::from_millis(150), "the answer comes after the time-out");
    assert_eq!(prober.state_of(target), Some(NodeState::Alive), "and still in time");
    group.stop().await;
}
