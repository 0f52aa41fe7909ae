//! Nodes that speak different versions of the protocol. The handshake chooses the version (ALPN).

use std::time::Duration;

use bytes::Bytes;
use kinfolk_core::{ClusterId, NodeId};
use tokio::time::{sleep, timeout};

use super::Transport;
use crate::config::TransportConfig;
use crate::identity::ClusterCa;
use crate::peer::Peer;
use crate::pool::DialError;
use crate::request::RequestError;

const LONG: Duration = Duration::from_secs(20);

const OLD: &[&str] = &["kinfolk/1"];
const BOTH: &[&str] = &["kinfolk/2", "kinfolk/1"];
const NEW: &[&str] = &["kinfolk/2"];

/// A dialler and a listener with these versions.
fn pair(dialler: &'static [&'static str], listener: &'static [&'static str]) -> (Transport, Transport) {
    let ca = ClusterCa::create(&ClusterId::new("c").unwrap()).unwrap();
    let bind = |name: &str, protocols| {
        let identity = ca.issue(&NodeId::new(name).unwrap(), Duration::from_hours(24)).unwrap();
        let mut config = TransportConfig::new("127.0.0.1:0".parse().unwrap(), identity);
        config.handshake_timeout = Duration::from_secs(10);
        config.protocols = protocols;
        Transport::bind(config).unwrap().0
    };
    (bind("a", dialler), bind("b", listener))
}

/// Sends a message, which needs a connection.
async fn connect(a: &Transport, b: &Transport) -> Result<(), RequestError> {
    let peer = Peer::new(b.id().clone(), b.local_addr());
    // Acknowledged by the transport of `b`, without an answer from a program.
    a.send(&peer, Bytes::new(), LONG).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_with_a_common_version_connect() {
    for (dialler, listener) in [(BOTH, OLD), (OLD, BOTH), (BOTH, BOTH), (OLD, super::PROTOCOLS)] {
        let (a, b) = pair(dialler, listener);
        connect(&a, &b).await.unwrap();
        assert_eq!((a.pool().stats().dials, b.stats().refused_other), (1, 0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn node_without_a_common_version_is_refused() {
    for (dialler, listener) in [(NEW, OLD), (OLD, NEW)] {
        let (a, b) = pair(dialler, listener);
        let error = connect(&a, &b).await.unwrap_err();
        let RequestError::Connect { cause: DialError::RefusedByPeer { reason }, .. } = &error else {
            panic!("{error:?}")
        };
        assert!(reason.contains("another version of the protocol"), "{reason}");
        let both_know = async {
            while b.stats().refused_other != 1 || a.stats().refused_by_peer != 1 {
                // Sleeps because there is no event for it. The time limit around it is generous.
                sleep(Duration::from_millis(2)).await;
            }
        };
        timeout(LONG, both_know).await.expect("both nodes count the refusal");
        assert_eq!(b.connection_count(), 0);
    }
}
