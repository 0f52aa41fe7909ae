//! Helpers: nodes for the tests, and bounded waits.
#![expect(clippy::unwrap_used, reason = "clippy does not treat the helpers of tests as tests")]

use std::future::Future;
use std::time::Duration;

use kinfolk_core::{ClusterId, NodeAddr, NodeId};
use kinfolk_transport::{ClusterCa, Inbound, Incoming, NodeIdentity, Peer, Transport, TransportConfig};
use tokio::time::{sleep, timeout};

/// The bound of each wait. Generous: only a fault takes this long, also on a slow machine.
pub(crate) const LONG: Duration = Duration::from_secs(20);

const DAY: Duration = Duration::from_hours(24);

pub(crate) fn id(name: &str) -> NodeId {
    NodeId::new(name).unwrap()
}

pub(crate) fn ca(cluster: &str) -> ClusterCa {
    ClusterCa::create(&ClusterId::new(cluster).unwrap()).unwrap()
}

pub(crate) fn issue(ca: &ClusterCa, name: &str) -> NodeIdentity {
    ca.issue(&id(name), DAY).unwrap()
}

pub(crate) fn config(ca: &ClusterCa, name: &str) -> TransportConfig {
    let mut config = TransportConfig::new("127.0.0.1:0".parse().unwrap(), issue(ca, name));
    // Longer than the defaults: several tests share few cores, and no handshake may fail for that
    // reason.
    config.handshake_timeout = Duration::from_secs(10);
    config.pool.connect_timeout = Duration::from_secs(15);
    config
}

pub(crate) fn bind(ca: &ClusterCa, name: &str) -> (Transport, Incoming) {
    Transport::bind(config(ca, name)).unwrap()
}

/// A node that answers each request with its own body.
pub(crate) fn echo(ca: &ClusterCa, name: &str) -> Transport {
    echo_with(config(ca, name))
}

pub(crate) fn echo_with(config: TransportConfig) -> Transport {
    let (transport, incoming) = Transport::bind(config).unwrap();
    tokio::spawn(answer(incoming));
    transport
}

async fn answer(mut incoming: Incoming) {
    while let Some(Inbound { body, responder: Some(responder), .. }) = incoming.recv().await {
        // The requester may have dropped its request. Ignore the error.
        let _closed = responder.respond(body).await;
    }
}

pub(crate) fn peer(transport: &Transport) -> Peer {
    Peer::new(transport.id().clone(), transport.local_addr())
}

pub(crate) fn named(name: &str, addr: NodeAddr) -> Peer {
    Peer::new(id(name), addr)
}

/// Waits for a future. A fault would leave it pending, so `LONG` bounds the wait.
pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
    timeout(LONG, future).await.expect("the awaited event did not come")
}

/// Waits until `holds` returns true.
pub(crate) async fn until(holds: impl Fn() -> bool) {
    soon(async {
        while !holds() {
            // Sleeps because there is no event for it. The time limit around it is generous.
            sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}
