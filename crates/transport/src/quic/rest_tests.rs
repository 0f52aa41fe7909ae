//! When a transport is at rest. Other tests wait for that before they look for what was left behind, so that it must not
//! come too early.

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
    // It ends with the transport, or when its peer answers.
    tokio::spawn(async move { transport.request(&peer, Bytes::from_static(b"?"), LONG).await });
}

async fn until(holds: impl Fn() -> bool) {
    let waiting = async {
        while !holds() {
            // Sleeps because there is no event for it; the deadline around it is generous.
            sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(LONG, waiting).await.expect("it comes about");
}

#[tokio::test]
async fn a_request_keeps_a_transport_from_rest_when_no_dial_runs() {
    let ca = ClusterCa::create(&ClusterId::new("c").unwrap()).unwrap();
    let ((asker, _), (answerer, mut incoming)) = (bind(&ca, "a"), bind(&ca, "b"));
    assert!(asker.is_at_rest(), "it has done nothing yet");
    ask(&asker, Peer::new(id("b"), answerer.local_addr()));
    let question = incoming.recv().await.unwrap();
    until(|| asker.pool().dials_free() == asker.pool().config().dials_max).await;
    assert!(!asker.is_at_rest());
    question.responder.unwrap().respond(Bytes::new()).await.unwrap();
    until(|| asker.is_at_rest()).await;
}

#[tokio::test]
async fn a_dial_keeps_a_transport_from_rest_when_no_request_runs() {
    let ca = ClusterCa::create(&ClusterId::new("c").unwrap()).unwrap();
    let (asker, _incoming) = bind(&ca, "a");
    // Nobody reads from this port, and it is not closed: the dial goes on.
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    ask(&asker, Peer::new(id("b"), silent.local_addr().unwrap().into()));
    until(|| asker.pool().dials_free() < asker.pool().config().dials_max).await;
    assert_eq!(asker.connection_count(), 0);
    assert!(!asker.is_at_rest());
}
