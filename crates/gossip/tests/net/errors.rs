//! Failures: a connection that breaks during a probe, invalid bytes, a stopped protocol.

use std::time::Duration;

use kinfolk_core::{ClusterEvent, NodeState};
use kinfolk_gossip::{Carrier, GossipError};
use kinfolk_swim::{Delivery, Dial, NoReply, Traffic};
use kinfolk_transport::Peer;

use crate::fixture::{DEADLINE, Group, event, fast, id};

const PROBE: Delivery =
    Delivery { within: DEADLINE, dial: Dial::First, traffic: Traffic::Probe, prompt: true };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_connection_is_dialled_again() {
    let mut group = Group::of(2, fast()).await;
    let mut events = group.nodes[0].events.subscribe();
    group.nodes.pop().unwrap().crash();
    let suspected = |event: &ClusterEvent| matches!(event, ClusterEvent::NodeSuspected { .. }).then_some(());
    event(&mut events, suspected).await;

    // The member starts again at another port. The next request dials it.
    let seed = group.nodes[0].peer();
    let again = group.add("n1");
    again.protocol.join(&seed).await.unwrap();
    group.settle(|registry| registry.count(NodeState::Alive) == 2).await;
    let acks = group.nodes[0].protocol.stats().swim.acks;
    group.nodes[0].until(|node| node.protocol.stats().swim.acks > acks).await;
    // The broken connection is removed after its drain time.
    group.nodes[0].until(|node| node.transport.pool().stats().total == 1).await;
    group.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn undecodable_request_is_an_error() {
    let group = Group::of(2, fast()).await;
    let (stranger, _incoming) = group.bare("stranger");
    let answer = stranger.request(&group.nodes[0].peer(), "\0".into(), DEADLINE).await;
    assert!(answer.is_err(), "the request was answered: {answer:?}");
    assert_eq!(group.nodes[0].protocol.stats().undecodable, 1);
    assert_eq!(group.nodes[0].registry.len(), 2, "nothing has changed");
    group.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_join_names_the_peer() {
    let mut group = Group::of(1, fast()).await;
    let mut dead = group.nodes[0].peer();
    dead.id = id("dead");
    group.add("n1");
    let error = group.nodes[1].protocol.join(&dead).await.unwrap_err();
    assert!(matches!(&error, GossipError::Join { peer, .. } if *peer == id("dead")), "{error}");
    group.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn own_shutdown_is_no_evidence_against_peer() {
    let group = Group::empty(fast());
    let (prober, _) = group.bare("prober");
    let (subject, mut incoming) = group.bare("subject");
    let peer = Peer::new(subject.id().clone(), subject.advertised_addr());
    let request = tokio::spawn({
        let (prober, peer) = (prober.clone(), peer.clone());
        async move { Carrier::request(&prober, &peer, "ping".into(), PROBE).await }
    });
    let _unanswered = tokio::time::timeout(DEADLINE, incoming.recv()).await.unwrap().unwrap();
    prober.close(Duration::from_millis(400)).await;
    let cut_off = request.await.unwrap().unwrap_err();
    assert_eq!(cut_off.why, NoReply::Local, "{cut_off:?}");
    let after = Carrier::request(&prober, &peer, "ping".into(), PROBE).await.unwrap_err();
    assert_eq!(after.why, NoReply::Local, "{after:?}");
    subject.close(Duration::from_secs(2)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn own_connection_close_is_no_evidence_against_peer() {
    let group = Group::empty(fast());
    let (prober, _) = group.bare("prober");
    let (subject, mut incoming) = group.bare("subject");
    let peer = Peer::new(subject.id().clone(), subject.advertised_addr());
    let request = tokio::spawn({
        let (prober, peer) = (prober.clone(), peer.clone());
        async move { Carrier::request(&prober, &peer, "ping".into(), PROBE).await }
    });
    let _unanswered = tokio::time::timeout(DEADLINE, incoming.recv()).await.unwrap().unwrap();
    prober.pool().close();
    let cut_off = request.await.unwrap().unwrap_err();
    assert_eq!(cut_off.why, NoReply::Local, "{cut_off:?}");
    prober.close(Duration::from_secs(2)).await;
    subject.close(Duration::from_secs(2)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopped_protocol_refuses_calls_and_stops_again() {
    let group = Group::of(2, fast()).await;
    let stopped = &group.nodes[1].protocol;
    let leave = stopped.leave().await.unwrap();
    assert_eq!((leave.notified, leave.confirmed), (1, 1));
    stopped.stop().await;
    stopped.stop().await;
    assert_eq!(stopped.broadcast("x".into()).await, Err(GossipError::Stopped));
    group.nodes[0].until(|node| node.state_of("n1") == Some(NodeState::Left)).await;
    group.stop().await;
}
