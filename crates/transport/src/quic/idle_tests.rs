//! When [`Transport::is_idle`] holds. Other tests wait for it before they check for leaks. If it
//! held too early, they would miss a leak.

use std::time::Duration;

use bytes::Bytes;
use kinfolk_core::{ClusterId, NodeId};
use tokio::time::{sleep, timeout};

use super::{Incoming, Transport};
use crate::config::TransportConfig;
use crate::identity::ClusterCa;
use crate::peer::Peer;

const LONG: Duration = Duration::from_mins(1);

fn bind(ca: &ClusterCa, name: &str) -> (Transport, Incoming) {
    let identity = ca.issue(&id(name), Duration::from_hours(1)).unwrap();
    Transport::bind(TransportConfig::new("127.0.0.1:0".parse().unwrap(), identity)).unwrap()
}

fn id(name: &str) -> NodeId {
    NodeId::new(name).unwrap()
}

fn ask(transport: &Transport, peer: Peer) {
    let transport = transport.clone();
    // The task ends with the transport, or when the peer answers.
    tokio::spawn(async move { transport.request(&peer, Bytes::from_static(b"?"), LONG).await });
}

async fn until(holds: impl Fn() -> bool) {
    let waiting = async {
        while !holds() {
            // Sleeps because there is no event for it. The time limit around it is generous.
            sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(LONG, waiting).await.expect("the condition becomes true");
}

#[tokio::test]
async fn transport_with_a_request_is_not_at_rest() {
    let ca = ClusterCa::create(&ClusterId::new("c").unwrap()).unwrap();
    let ((asker, _), (answerer, mut incoming)) = (bind(&ca, "a"), bind(&ca, "b"));
    assert!(asker.is_idle(), "it has sent nothing yet");
    ask(&asker, Peer::new(id("b"), answerer.local_addr()));
    let question = incoming.recv().await.unwrap();
    until(|| asker.pool().dials_free() == asker.pool().config().dials_max).await;
    assert!(!asker.is_idle());
    question.responder.unwrap().respond(Bytes::new()).await.unwrap();
    until(|| asker.is_idle()).await;
}

#[tokio::test]
async fn transport_with_a_dial_is_not_at_rest() {
    let ca = ClusterCa::create(&ClusterId::new("c").unwrap()).unwrap();
    let (asker, _incoming) = bind(&ca, "a");
    // No program reads from this port, but it is open, so the dial continues.
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    ask(&asker, Peer::new(id("b"), silent.local_addr().unwrap().into()));
    until(|| asker.pool().dials_free() < asker.pool().config().dials_max).await;
    assert_eq!(asker.connection_count(), 0);
    assert!(!asker.is_idle());
}
