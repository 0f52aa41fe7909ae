//! What members sign, over the network: a node with a valid certificate says what others did not.

use std::sync::Arc;
use std::time::Duration;

use kinfolk_core::{Incarnation, NodeAddr, NodeState, NodeStatus, Tags};
use kinfolk_swim::{Message, Update, codec};
use kinfolk_transport::{NodeIdentity, Transport};

use crate::fixture::{DEADLINE, Group, Node, fast, id};

/// An address at which nobody listens.
fn elsewhere() -> NodeAddr {
    NodeAddr::new(([127, 0, 0, 1], 9).into())
}

fn ping(statuses: Vec<NodeStatus>) -> bytes::Bytes {
    let update = |status: NodeStatus| Update::Node { status: status.into(), accusers: Vec::new() };
    let gossip = statuses.into_iter().map(update).collect();
    codec::encode(&Message::Ping { digest: 0, gossip }).unwrap()
}

/// The liar's own statement, signed by it.
fn own(liar: &NodeIdentity, addr: NodeAddr) -> NodeStatus {
    let incarnation = Incarnation::new(5_000);
    NodeStatus::alive(liar.id().clone(), addr, incarnation, Tags::empty()).signed(&liar.signer())
}

fn view(node: &Node) -> Vec<Arc<NodeStatus>> {
    node.registry.snapshot().nodes().to_vec()
}

/// Sends a ping to `n0`. Returns whether it was answered.
async fn is_answered(liar: &Transport, group: &Group, ping: bytes::Bytes) -> bool {
    liar.request(&group.nodes[0].peer(), ping, DEADLINE).await.is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn message_with_a_forged_statement_is_refused_as_a_whole() {
    let group = Group::of(3, fast()).await;
    let identity = group.identity("liar");
    let (liar, _incoming) = crate::fixture::bind(&identity);
    let victim = NodeStatus::clone(&group.nodes[0].registry.get(&id("n2")).unwrap());
    let mut moved = victim.clone();
    moved.addr = elsewhere();
    let NodeStatus { id, addr, .. } = victim.clone();
    let later = victim.incarnation.next();
    let newer = NodeStatus { incarnation: later, ..victim.clone() };
    let tagged = NodeStatus::alive(id, addr, later, Tags::new([("role", "liar")]).unwrap());
    let forged = [
        moved,
        newer,
        victim.with_state(NodeState::Left),
        victim.with_state(NodeState::Left).signed(&identity.signer()),
        tagged.signed(&identity.signer()),
    ];
    for (number, forged) in (1..).zip(forged) {
        let before = view(&group.nodes[0]);
        let ping = ping(vec![own(&identity, liar.advertised_addr()), forged.clone()]);
        assert!(!is_answered(&liar, &group, ping).await, "{forged:?}");
        assert_eq!(view(&group.nodes[0]), before, "{forged:?}");
        assert_eq!(group.nodes[0].protocol.stats().forged, number);
    }
    assert!(group.nodes[0].registry.get(identity.id()).is_none(), "nothing of the messages was used");
    assert!(is_answered(&liar, &group, ping(vec![own(&identity, liar.advertised_addr())])).await);
    group.nodes[0].until(|node| node.state_of("liar").is_some()).await;
    group.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invented_name_creates_no_member() {
    let group = Group::of(2, fast()).await;
    let identity = group.identity("liar");
    let (liar, _incoming) = crate::fixture::bind(&identity);
    let invented = NodeStatus::alive(id("invented"), elsewhere(), Incarnation::new(5_000), Tags::empty());
    // The liar's own certificate under another name, and none at all.
    let signed = invented.clone().signed(&identity.signer());
    assert!(!is_answered(&liar, &group, ping(vec![signed])).await);
    let mut without = invented.signed(&identity.signer());
    without.proof.certificate = kinfolk_core::signed::Fingerprint::of(b"invented");
    assert!(
        is_answered(&liar, &group, ping(vec![without])).await,
        "it may be honest and only lack a certificate"
    );
    group.nodes[0].until(|node| node.protocol.stats().unverifiable == 1).await;
    assert_eq!(group.nodes[0].registry.len(), 2);
    group.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificate_of_an_unknown_member_comes_from_the_sender() {
    let mut group = Group::of(3, fast()).await;
    group.add("n3");
    let seed = group.nodes[0].peer();
    group.nodes[3].protocol.join(&seed).await.unwrap();
    group.settle(|registry| registry.count(NodeState::Alive) == 4).await;
    let fetched = |node: &Node| node.protocol.stats().certificates_fetched;
    assert!(fetched(&group.nodes[3]) >= 1, "it met n1 and n2 in the page of n0");
    assert_eq!(group.nodes.iter().map(|node| node.protocol.stats().forged).sum::<u64>(), 0);
    group.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_statement_costs_each_member_one_signature() {
    let group = Group::of(4, fast()).await;
    let before: Vec<u64> = group.nodes.iter().map(|node| node.protocol.stats().signatures).collect();
    let about = kinfolk_core::About::from(Tags::new([("k", "v")]).unwrap());
    group.nodes[0].protocol.describe(about, 1).await.unwrap();
    let described = id("n0");
    group.settle(|registry| registry.get(&described).unwrap().tags.get("k") == Some("v")).await;
    // Sleeps because the other copies cause no event.
    tokio::time::sleep(Duration::from_millis(300)).await;
    for (node, before) in group.nodes.iter().zip(before).skip(1) {
        assert_eq!(node.protocol.stats().signatures - before, 1, "{}", node.protocol.id());
    }
    group.stop().await;
}
