//! Dissemination of gossip updates over the network, and the size limits of a message.

use kinfolk_core::ClusterEvent;
use kinfolk_swim::{Message, Update, codec, transmit_limit};

use crate::fixture::{Group, event, fast, id};

fn gossip(message: &Message) -> &[Update] {
    match message {
        Message::Ping { gossip, .. } | Message::PingReq { gossip, .. } | Message::Gossip { gossip } => gossip,
        _ => &[],
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gossip_message_size_limit() {
    let group = Group::of(3, fast()).await;
    let mut readers: Vec<_> = group.nodes[1..].iter().map(|node| node.events.subscribe()).collect();
    // 50 updates come at once. With 400 bytes each, seven fill a message.
    for number in 0..50_u8 {
        group.nodes[0].protocol.broadcast(vec![number; 400].into()).await.unwrap();
    }
    for reader in &mut readers {
        for _ in 0..50 {
            let is_broadcast = |event: &ClusterEvent| matches!(event, ClusterEvent::Broadcast { .. });
            event(reader, |event| is_broadcast(event).then_some(())).await;
        }
    }

    let sent: Vec<_> = group.nodes.iter().flat_map(crate::fixture::Node::sent).collect();
    let with_gossip = || sent.iter().filter(|(_, _, message)| !gossip(message).is_empty());
    assert!(with_gossip().all(|(_, bytes, _)| *bytes <= codec::GOSSIP_BYTES_MAX));
    assert!(with_gossip().all(|(_, _, message)| gossip(message).len() <= codec::UPDATES_MAX));
    let fullest = with_gossip().map(|(_, bytes, _)| *bytes).max().unwrap_or(0);
    assert!(fullest > codec::GOSSIP_BYTES_MAX - 600, "no message came near the limit: {fullest}");
    group.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn updates_disseminate_to_all() {
    let group = Group::of(8, fast()).await;
    let mut readers: Vec<_> = group.nodes[1..].iter().map(|node| node.events.subscribe()).collect();
    let before = group.nodes[0].sent().len();
    group.nodes[0].protocol.broadcast("hello".into()).await.unwrap();
    for reader in &mut readers {
        let from = event(reader, |event| match event {
            ClusterEvent::Broadcast { from, payload } if &payload[..] == b"hello" => Some(from.clone()),
            _ => None,
        })
        .await;
        assert_eq!(from, id("n0"));
    }
    // The sender sends the update at most as often as the limit allows. Other members pass it on.
    let is_ours = |update: &Update| matches!(update, Update::User(user) if user.origin == id("n0"));
    let sent = group.nodes[0].sent()[before..]
        .iter()
        .filter(|(_, _, message)| gossip(message).iter().any(is_ours))
        .count();
    assert!(sent <= transmit_limit(8, 3) as usize, "{sent}");
    for reader in &mut readers {
        while let Some(event) = reader.try_recv() {
            assert!(!matches!(event, ClusterEvent::Broadcast { .. }), "it arrived twice");
        }
    }
    group.stop().await;
}
