//! Peers that are silent, stop, or restart.

use std::time::Duration;

use bytes::Bytes;
use kinfolk_transport::{Evidence, Phase, RequestError, Transport};

use crate::support::{LONG, bind, ca, config, echo, echo_with, issue, named, peer, soon, until};

const SHORT: Duration = Duration::from_millis(300);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn request_to_a_closed_port_is_silent() {
    let ca = ca("c");
    let a = bind(&ca, "a").0;
    let closed = bind(&ca, "b").0;
    let addr = closed.local_addr();
    closed.close(LONG).await;
    let error = a.request(&named("b", addr), Bytes::new(), SHORT).await.unwrap_err();
    assert!(matches!(error, RequestError::Timeout { phase: Phase::Connecting, .. }), "{error}");
    assert_eq!(error.evidence(), Evidence::Silent);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connection_fails_during_ping() {
    let ca = ca("c");
    let a = bind(&ca, "a").0;
    let (b, mut incoming) = bind(&ca, "b");
    let (b_peer, addr) = (peer(&b), b.local_addr().socket());
    let ping = tokio::spawn({
        let (a, b_peer) = (a.clone(), b_peer.clone());
        async move { a.request(&b_peer, Bytes::from_static(b"ping"), LONG).await }
    });
    let held = soon(incoming.recv()).await.unwrap();
    b.close(Duration::from_millis(500)).await;
    drop(held);
    let error = ping.await.unwrap().unwrap_err();
    assert_eq!(error.evidence(), Evidence::Departed, "{error}");
    until(|| a.pool().stats().total == 0).await;

    let mut again = config(&ca, "b");
    again.listen = addr;
    let b = echo_with(again);
    a.request(&peer(&b), Bytes::new(), LONG).await.unwrap();
    assert_eq!(a.pool().stats().dials, 2, "the pool dropped the closed connection and dialled again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn time_out_keeps_a_connection_that_acknowledges() {
    let ca = ca("c");
    let a = bind(&ca, "a").0;
    let (b, mut incoming) = bind(&ca, "b");
    let b_peer = peer(&b);
    let error = a.request(&b_peer, Bytes::new(), SHORT).await.unwrap_err();
    // On a slow machine the dial may use up the time, so that the request is never sent.
    assert!(matches!(error.evidence(), Evidence::Silent | Evidence::Late), "{error}");
    let held = soon(incoming.recv()).await.unwrap();
    let error = a.request(&b_peer, Bytes::new(), SHORT).await.unwrap_err();
    assert!(matches!(error, RequestError::Timeout { phase: Phase::Acknowledged, .. }), "{error}");
    assert_eq!(error.evidence(), Evidence::Late);
    let third = tokio::spawn({
        let (a, b_peer) = (a.clone(), b_peer.clone());
        async move { a.request(&b_peer, Bytes::from_static(b"third"), LONG).await }
    });
    loop {
        let inbound = soon(incoming.recv()).await.unwrap();
        // The callers of the other requests have given up.
        let _closed = inbound.responder.unwrap().respond(Bytes::new()).await;
        if &inbound.body[..] == b"third" {
            break;
        }
    }
    third.await.unwrap().unwrap();
    drop(held);
    let stats = a.pool().stats();
    assert_eq!(
        (stats.dials, stats.unresponsive, stats.total),
        (1, 0, 1),
        "the third request uses the same connection"
    );
    assert!(stats.timed_out >= 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restarted_peer_is_reached_again() {
    let ca = ca("c");
    let (a, b) = (bind(&ca, "a").0, echo(&ca, "b"));
    let identity = config(&ca, "b").identity;
    drop(b);
    let mut again = config(&ca, "b");
    again.identity = identity;
    let b = echo_with(again.clone());
    again.listen = b.local_addr().socket();
    a.request(&peer(&b), Bytes::new(), LONG).await.unwrap();
    b.abort();
    let b = rebind(again).await;

    // The new process does not know the old connection and sends a stateless reset. If one of
    // QUIC's own packets triggers it before the request, the request succeeds at once.
    if let Err(error) = a.request(&peer(&b), Bytes::new(), LONG).await {
        assert_eq!(error.evidence(), Evidence::Restarted, "{error}");
        a.request(&peer(&b), Bytes::new(), LONG).await.unwrap();
    }
    assert_eq!(a.pool().stats().dials, 2);
}

/// The new process has only the key of the renewed certificate.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peer_that_restarts_after_a_rotation_is_reached_again() {
    let ca = ca("c");
    let mut again = config(&ca, "b");
    again.handshake_timeout = Duration::from_millis(1_500);
    let (a, b) = (bind(&ca, "a").0, echo_with(again.clone()));
    again.listen = b.local_addr().socket();
    a.request(&peer(&b), Bytes::new(), LONG).await.unwrap();
    again.identity = issue(&ca, "b");
    let renewed = again.identity.certificate().fingerprint();
    b.rotate(again.identity.clone()).unwrap();
    soon(async {
        while a.certificate_of(b.id()).is_none_or(|seen| seen.fingerprint() != renewed) {
            a.request(&peer(&b), Bytes::new(), LONG).await.unwrap();
        }
    })
    .await;
    b.abort();
    let b = rebind(again).await;
    if let Err(error) = a.request(&peer(&b), Bytes::new(), LONG).await {
        assert_eq!(error.evidence(), Evidence::Restarted, "{error}");
        a.request(&peer(&b), Bytes::new(), LONG).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn aborted_node_is_silent() {
    let ca = ca("c");
    let (a, b) = (bind(&ca, "a").0, echo(&ca, "b"));
    a.request(&peer(&b), Bytes::new(), LONG).await.unwrap();
    let b_peer = peer(&b);
    b.abort();
    drop(b);
    let error = a.request(&b_peer, Bytes::new(), SHORT).await.unwrap_err();
    assert_eq!(error.evidence(), Evidence::Silent, "{error}");
    assert!(a.connection_count() <= 1);
}

/// Binds to a port as soon as the system has freed it.
async fn rebind(config: kinfolk_transport::TransportConfig) -> Transport {
    soon(async {
        loop {
            if std::net::UdpSocket::bind(config.listen).is_ok() {
                return echo_with(config.clone());
            }
            // Sleeps because there is no event for it. The time limit around it is generous.
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await
}
