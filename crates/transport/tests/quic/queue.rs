//! Dials that wait for other dials. That limit is this node's own, and says nothing about the peer.

use std::net::UdpSocket;
use std::time::Duration;

use bytes::Bytes;
use kinfolk_transport::{Evidence, Phase, RequestError, Transport};

use crate::support::{LONG, ca, config, named, soon};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn request_waiting_for_a_dial_is_local_evidence() {
    let ca = ca("c");
    let mut narrow = config(&ca, "a");
    narrow.pool.dials_max = 1;
    let a = Transport::bind(narrow).unwrap().0;
    // No node answers at this port, so the first dial holds the only turn until
    // `handshake_timeout`.
    let hole = UdpSocket::bind("127.0.0.1:0").unwrap();
    let at = hole.local_addr().unwrap();
    let first = tokio::spawn({
        let (a, silent) = (a.clone(), named("b", at.into()));
        async move { a.request(&silent, Bytes::new(), LONG).await }
    });
    let begun = tokio::task::spawn_blocking(move || hole.recv_from(&mut [0; 2048]).map(|_| hole));
    let _hole = soon(begun).await.unwrap().unwrap();

    let limit = Duration::from_millis(100);
    let second = a.request(&named("x", at.into()), Bytes::new(), limit).await.unwrap_err();
    let by_address = a.identify(at, limit).await.unwrap_err();
    let stream = a.open_stream(&named("y", at.into()), "s", limit).await.unwrap_err();
    for error in [second, by_address, stream] {
        assert!(matches!(error, RequestError::Timeout { phase: Phase::Queued, .. }), "{error}");
        assert_eq!(error.evidence(), Evidence::Local, "{error}");
    }
    first.abort();
}
