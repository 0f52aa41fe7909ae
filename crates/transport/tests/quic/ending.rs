//! Starting and ending a transport.

use std::time::Duration;

use bytes::Bytes;
use kinfolk_transport::{Evidence, RequestError, Transport, TransportError};

use crate::support::{LONG, bind, ca, config, echo, peer, soon, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bind_names_a_port_in_use() {
    let ca = ca("c");
    let a = bind(&ca, "a").0;
    let mut same = config(&ca, "b");
    same.listen = a.local_addr().socket();
    assert_eq!(
        Transport::bind(same).unwrap_err(),
        TransportError::PortInUse { addr: a.local_addr().socket() }
    );
}

#[test]
fn bind_without_a_runtime_fails() {
    assert_eq!(Transport::bind(config(&ca("c"), "a")).unwrap_err(), TransportError::NoRuntime);
}

/// The peers close their connections too, and later requests fail.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn close_drains_requests_and_frees_the_port() {
    let ca = ca("c");
    let (a, b) = (bind(&ca, "a").0, bind(&ca, "b"));
    let (b, mut incoming) = b;
    let b_peer = peer(&b);
    let request = tokio::spawn({
        let (a, b_peer) = (a.clone(), b_peer.clone());
        async move { a.request(&b_peer, Bytes::new(), LONG).await }
    });
    let responder = soon(incoming.recv()).await.unwrap().responder.unwrap();
    let closing = tokio::spawn({
        let b = b.clone();
        async move { b.close(LONG).await }
    });
    responder.respond(Bytes::from_static(b"done")).await.unwrap();
    assert_eq!(&soon(request).await.unwrap().unwrap()[..], b"done");
    soon(closing).await.unwrap();
    assert!(soon(incoming.recv()).await.is_none());
    until(|| a.connection_count() == 0).await;

    std::net::UdpSocket::bind(b_peer.addr.socket()).expect("the port is free");
    b.close(Duration::from_secs(1)).await;
    let late = b.request(&peer(&a), Bytes::new(), LONG).await.unwrap_err();
    assert!(matches!(late, RequestError::ShuttingDown { .. }), "{late}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropping_the_last_clone_closes_its_connections() {
    let ca = ca("c");
    let (a, b) = (bind(&ca, "a").0, echo(&ca, "b"));
    a.request(&peer(&b), Bytes::new(), LONG).await.unwrap();
    let addr = b.local_addr().socket();
    drop(b);
    until(|| a.connection_count() == 0 && a.pool().stats().total == 0).await;
    until(|| std::net::UdpSocket::bind(addr).is_ok()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn abort_ends_requests_in_flight() {
    let ca = ca("c");
    let a = bind(&ca, "a").0;
    let (b, mut incoming) = bind(&ca, "b");
    let b_peer = peer(&b);
    let request = tokio::spawn({
        let a = a.clone();
        async move { a.request(&b_peer, Bytes::new(), LONG).await }
    });
    let _held = soon(incoming.recv()).await.unwrap();
    a.abort();
    let error = soon(request).await.unwrap().unwrap_err();
    assert_eq!(error.evidence(), Evidence::Local, "{error}");
}
