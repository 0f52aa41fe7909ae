//! The limits on connections: what each limit counts, and what happens beyond it.

use std::net::UdpSocket;
use std::time::Duration;

use bytes::Bytes;
use kinfolk_transport::{Connection as _, Evidence, RequestError, Transport, TransportConfig};

use crate::support::{LONG, bind, ca, config, echo, echo_with, peer, soon, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_pool_serves_inbound_but_does_not_dial() {
    let ca = ca("c");
    let mut small = config(&ca, "a");
    (small.pool.max_total, small.pool.guests_max) = (1, 0);
    let (a, mut incoming) = Transport::bind(small).unwrap();
    let ((b, mut b_incoming), x) = (bind(&ca, "b"), echo(&ca, "x"));
    let b_peer = peer(&b);
    let held = tokio::spawn({
        let (a, b_peer) = (a.clone(), b_peer.clone());
        async move { a.request(&b_peer, Bytes::new(), LONG).await }
    });
    let unanswered = soon(b_incoming.recv()).await.unwrap().responder.unwrap();

    // No dial gets a place, neither by name nor by address.
    let by_name = a.request(&peer(&x), Bytes::new(), LONG).await.unwrap_err();
    assert!(matches!(by_name, RequestError::PoolFull { current: 1, max: 1, .. }), "{by_name}");
    let by_address = a.identify(x.local_addr().socket(), LONG).await.unwrap_err();
    assert!(matches!(by_address, RequestError::PoolFull { current: 1, max: 1, .. }), "{by_address}");
    assert_eq!(by_address.evidence(), Evidence::Local);

    // The node still answers a peer's probe. Otherwise the peer would suspect it.
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

/// In total (`inbound_max`) and from one address (`inbound_per_ip_max`).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_over_the_inbound_limits_are_refused() {
    let limits: [fn(&mut TransportConfig); 2] =
        [|config| config.inbound_max = 1, |config| config.inbound_per_ip_max = 1];
    for limit in limits {
        let ca = ca("c");
        let mut small = config(&ca, "b");
        limit(&mut small);
        let b = echo_with(small);
        let (a, x) = (echo(&ca, "a"), echo(&ca, "x"));
        a.request(&peer(&b), Bytes::new(), LONG).await.unwrap();
        let error = x.request(&peer(&b), Bytes::new(), LONG).await.unwrap_err();
        assert_eq!(error.evidence(), Evidence::Answered, "{error}");
        assert!(b.stats().refused_limit >= 1);
        a.request(&peer(&b), Bytes::new(), LONG).await.unwrap();
    }
}

/// A stranger that does not complete its handshake loses its place at `handshake_timeout`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stalled_handshake_is_dropped_at_its_timeout() {
    let ca = ca("c");
    let mut small = config(&ca, "b");
    small.inbound_per_ip_max = 1;
    small.handshake_timeout = Duration::from_secs(4);
    let b = echo_with(small);
    let (a, stranger) = (echo(&ca, "a"), bind(&ca, "x").0);

    // A relay passes the stranger's first packet on, and nothing after it in either direction.
    let between = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (hole, b_addr) = (between.local_addr().unwrap(), b.local_addr().socket());
    let dialling = tokio::spawn({
        let stranger = stranger.clone();
        async move { stranger.identify(hole, LONG).await }
    });
    let passed = tokio::task::spawn_blocking(move || {
        let mut packet = [0; 2048];
        let (len, _) = between.recv_from(&mut packet).unwrap();
        between.send_to(&packet[..len], b_addr).unwrap();
        while between.recv_from(&mut packet).unwrap().1 != b_addr {}
        between
    });
    let _between = soon(passed).await.unwrap();
    let error = a.request(&peer(&b), Bytes::new(), LONG).await.unwrap_err();
    assert_eq!(error.evidence(), Evidence::Answered, "the only place is taken: {error}");
    assert_eq!(b.connection_count(), 0, "no peer has been accepted");
    soon(async { while a.request(&peer(&b), Bytes::new(), LONG).await.is_err() {} }).await;
    dialling.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn max_total_connections_enforced_over_quic() {
    let ca = ca("c");
    let mut small = config(&ca, "a");
    small.pool.max_total = 2;
    let a = Transport::bind(small).unwrap().0;
    let others = ["x", "y", "z"].map(|name| echo(&ca, name));
    let [x, y, z] = &others;
    let (on_x, on_y) = (a.pool().acquire(&peer(x)).await.unwrap(), a.pool().acquire(&peer(y)).await.unwrap());
    let error = a.request(&peer(z), Bytes::new(), LONG).await.unwrap_err();
    assert!(matches!(error, RequestError::PoolFull { current: 2, max: 2, .. }), "{error}");

    drop(on_x);
    a.request(&peer(z), Bytes::new(), LONG).await.unwrap();
    assert_eq!((a.pool().stats().evicted, a.pool().stats().total), (1, 2));
    // The pool closed the idle connection and told its peer. The connection in use stays open.
    until(|| x.connection_count() == 0).await;
    assert_eq!((y.connection_count(), on_y.is_open()), (1, true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn single_flight_connect_over_quic() {
    let ca = ca("c");
    let (a, b) = (bind(&ca, "a").0, echo(&ca, "b"));
    let callers = (0..20).map(|_| {
        let (a, to) = (a.clone(), peer(&b));
        tokio::spawn(async move { a.request(&to, Bytes::new(), LONG).await })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.unwrap().unwrap();
    }
    assert_eq!((a.pool().stats().dials, a.connection_count(), b.connection_count()), (1, 1, 1));
}
