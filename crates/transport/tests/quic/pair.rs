//! Each pair of nodes has one connection.

use bytes::Bytes;

use crate::support::{LONG, ca, echo, peer, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inbound_connection_serves_outbound_requests() {
    let ca = ca("c");
    let (a, b) = (echo(&ca, "a"), echo(&ca, "b"));
    a.request(&peer(&b), Bytes::new(), LONG).await.unwrap();
    until(|| b.pool().stats().total == 1).await;
    b.request(&peer(&a), Bytes::from_static(b"x"), LONG).await.unwrap();
    assert_eq!((b.pool().stats().dials, b.pool().stats().adopted), (0, 1));
    assert_eq!((a.connection_count(), b.connection_count()), (1, 1));
}

/// No request fails when two nodes dial each other at the same time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn simultaneous_dials_leave_one_connection() {
    let ca = ca("c");
    for round in 0..5 {
        let (a, b) = (echo(&ca, "a"), echo(&ca, "b"));
        let (a_peer, b_peer) = (peer(&a), peer(&b));
        let requests = (0..4u8).map(|n| {
            let (from, to) =
                if n % 2 == 0 { (a.clone(), b_peer.clone()) } else { (b.clone(), a_peer.clone()) };
            tokio::spawn(async move { from.request(&to, Bytes::from(vec![n]), LONG).await })
        });
        for request in requests.collect::<Vec<_>>() {
            request.await.unwrap().unwrap_or_else(|error| panic!("round {round}: {error}"));
        }
        until(|| a.connection_count() == 1 && b.connection_count() == 1).await;
        until(|| a.pool().stats().total == 1 && b.pool().stats().total == 1).await;
        a.request(&b_peer, Bytes::new(), LONG).await.unwrap();
        b.request(&a_peer, Bytes::new(), LONG).await.unwrap();
    }
}
