//! What is counted where, at the bounds.

use bytes::Bytes;
use kinfolk_transport::{Evidence, RequestError, Transport};

use crate::support::{LONG, bind, ca, config, echo, peer, soon};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_pool_still_serves_a_peer_that_dials_and_dials_nobody() {
    let ca = ca("c");
    let mut small = config(&ca, "a");
    small.pool.max_total = 1;
    let (a, mut incoming) = Transport::bind(small).unwrap();
    let ((b, mut b_incoming), x) = (bind(&ca, "b"), echo(&ca, "x"));
    let b_peer = peer(&b);
    let held = tokio::spawn({
        let (a, b_peer) = (a.clone(), b_peer.clone());
        async move { a.request(&b_peer, Bytes::new(), LONG).await }
    });
    let unanswered = soon(b_incoming.recv()).await.unwrap().responder.unwrap();

    // Neither by name nor by address is there a place for a dial.
    let by_name = a.request(&peer(&x), Bytes::new(), LONG).await.unwrap_err();
    assert!(matches!(by_name, RequestError::PoolFull { current: 1, max: 1, .. }), "{by_name}");
    let by_address = a.identify(x.local_addr().socket(), LONG).await.unwrap_err();
    assert!(matches!(by_address, RequestError::PoolFull { current: 1, max: 1, .. }), "{by_address}");
    assert_eq!(by_address.evidence(), Evidence::Local);

    // A probe by a peer is answered all the same, or the node would look dead.
    let a_peer = peer(&a);
    let (answer, ()) = tokio::join!(x.request(&a_peer, Bytes::new(), LONG), async {
        let responder = soon(incoming.recv()).await.unwrap().responder.unwrap();
        responder.respond(Bytes::new()).await.unwrap();
    });
    answer.unwrap();
    assert_eq!((a.pool().stats().total, a.connection_count(), a.stats().unpooled), (1, 2, 1));
    unanswered.respond(Bytes::new()).await.unwrap();
    held.await.unwrap().unwrap();
}
