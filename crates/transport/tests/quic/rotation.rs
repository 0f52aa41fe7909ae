//! The certificate and the authorities of a node are replaced while it runs, and certificates
//! expire while connections are open.
#![expect(clippy::unwrap_used, reason = "clippy does not treat the helpers of tests as tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use kinfolk_transport::{
    ClusterCa, Ending, NodeIdentity, StreamError, Transport, TransportConfig, TransportError, TrustBundle,
    WallClock,
};

use crate::support::{LONG, ca, config, echo, echo_with, id, issue, peer, soon, until};

/// An echo node that replaces its connections at once after a rotation.
fn quick(ca: &ClusterCa, name: &str) -> Transport {
    let mut config = config(ca, name);
    config.handshake_timeout = Duration::from_millis(1_500);
    echo_with(config)
}

async fn ask(from: &Transport, to: &Transport) {
    let reply = from.request(&peer(to), Bytes::from_static(b"hi"), LONG).await;
    assert_eq!(reply.unwrap(), "hi");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_handshakes_use_the_new_certificate_at_once() {
    let ca = ca("c");
    let (a, b, d) = (echo(&ca, "a"), echo(&ca, "b"), echo(&ca, "d"));
    let before = a.identity().certificate().fingerprint();
    ask(&b, &a).await;
    assert_eq!(b.certificate_of(a.id()).unwrap().fingerprint(), before);
    let renewed = issue(&ca, "a");
    let after = renewed.certificate().fingerprint();
    a.rotate(renewed).unwrap();
    assert_eq!((a.identity().certificate().fingerprint(), a.stats().rotations), (after, 1));
    // As a listener, and as a dialler.
    ask(&d, &a).await;
    assert_eq!(d.certificate_of(a.id()).unwrap().fingerprint(), after);
    let e = echo(&ca, "e");
    ask(&a, &e).await;
    assert_eq!(e.certificate_of(a.id()).unwrap().fingerprint(), after);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_connections_are_replaced_and_no_request_fails() {
    let ca = ca("c");
    let (a, b) = (quick(&ca, "a"), quick(&ca, "b"));
    ask(&a, &b).await;
    let renewed = issue(&ca, "a");
    let after = renewed.certificate().fingerprint();
    a.rotate(renewed).unwrap();
    soon(async {
        while b.certificate_of(a.id()).is_none_or(|seen| seen.fingerprint() != after) {
            ask(&a, &b).await;
            ask(&b, &a).await;
        }
    })
    .await;
    until(|| a.connection_count() == 1 && b.connection_count() == 1).await;
    assert!(a.stats().rotated_connections >= 1);
    assert_eq!((a.stats().requests_failed, b.stats().requests_failed), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stream_goes_on_over_a_rotation() {
    let ca = ca("c");
    let (a, b) = (quick(&ca, "a"), quick(&ca, "b"));
    let mut listener = b.accept("copy").unwrap();
    let mut stream = a.open_stream(&peer(&b), "copy", LONG).await.unwrap();
    let (_, mut accepted) = soon(listener.accept()).await.unwrap();
    for transport in [&a, &b] {
        transport.rotate(issue(&ca, transport.id().as_str())).unwrap();
    }
    until(|| a.stats().rotated_connections >= 1).await;
    stream.send(Bytes::from_static(b"still here")).await.unwrap();
    assert_eq!(soon(accepted.receive()).await.unwrap().unwrap(), "still here");
    // A new stream gets a new connection.
    let dials = a.pool().stats().dials;
    let _second = a.open_stream(&peer(&b), "copy", LONG).await.unwrap();
    assert_eq!(a.pool().stats().dials, dials + 1);
}

/// The node that opens the streams must replace their connection: streams may be open all the time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_streams_to_a_renewed_peer_get_a_new_connection() {
    let ca = ca("c");
    let (a, b) = (quick(&ca, "a"), quick(&ca, "b"));
    let mut listener = b.accept("copy").unwrap();
    let mut stream = a.open_stream(&peer(&b), "copy", LONG).await.unwrap();
    let (_, mut accepted) = soon(listener.accept()).await.unwrap();
    // The same certificate, and an older one, replace nothing.
    a.renewed(&b.identity().certificate());
    drop(a.open_stream(&peer(&b), "copy", LONG).await.unwrap());
    assert_eq!(a.pool().stats().dials, 1);
    // Its validity begins a second later than that of the first one.
    let renewed = loop {
        let renewed = issue(&ca, "b");
        if renewed.certificate().validity().0 > b.identity().certificate().validity().0 {
            break renewed;
        }
        // Sleeps because a validity has whole seconds.
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    b.rotate(renewed).unwrap();
    a.renewed(&b.identity().certificate());
    drop(a.open_stream(&peer(&b), "copy", LONG).await.unwrap());
    assert_eq!(a.pool().stats().dials, 2);
    // The first stream goes on.
    stream.send(Bytes::from_static(b"still here")).await.unwrap();
    assert_eq!(soon(accepted.receive()).await.unwrap().unwrap(), "still here");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn authority_is_replaced_in_three_steps() {
    let (old, new) = (ca("c"), ca("c"));
    let (a, b) = (quick(&old, "a"), quick(&old, "b"));
    ask(&a, &b).await;
    let both = format!("{}{}", new.cert_pem(), old.cert_pem());
    for node in [&a, &b] {
        node.rotate(node.identity().with_trust(&TrustBundle::from_pem(&both).unwrap()).unwrap()).unwrap();
    }
    for (node, name) in [(&a, "a"), (&b, "b")] {
        let issued = issue(&new, name);
        let identity = NodeIdentity::from_pem(issued.cert_pem(), issued.key_pem(), &both).unwrap();
        node.rotate(identity).unwrap();
        ask(&a, &b).await;
        ask(&b, &a).await;
    }
    for node in [&a, &b] {
        node.rotate(node.identity().with_trust(&TrustBundle::from_pem(new.cert_pem()).unwrap()).unwrap())
            .unwrap();
    }
    // Who still has a certificate of the old one is turned away.
    let late = echo(&old, "late");
    assert!(late.request(&peer(&b), Bytes::new(), LONG).await.is_err());
    until(|| b.stats().refused_untrusted + b.stats().refused_by_peer >= 1).await;
    ask(&a, &b).await;
    assert_eq!((a.stats().requests_failed, b.stats().requests_failed), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificate_of_another_node_changes_nothing() {
    let (ours, theirs) = (ca("c"), ca("d"));
    let a = echo(&ours, "a");
    let before = a.identity().certificate().fingerprint();
    for (other, found) in [(issue(&ours, "b"), "b.c.kinfolk"), (issue(&theirs, "a"), "a.d.kinfolk")] {
        let error = a.rotate(other).unwrap_err();
        assert_eq!(
            error,
            TransportError::OtherName { expected: "a.c.kinfolk".to_owned(), found: found.to_owned() }
        );
    }
    assert_eq!((a.identity().certificate().fingerprint(), a.stats().rotations), (before, 0));
}

/// A clock that a test moves, in seconds ahead of the system's.
#[derive(Clone, Default)]
struct Ahead(Arc<AtomicU64>);

impl Ahead {
    fn clock(&self) -> WallClock {
        let ahead = Arc::clone(&self.0);
        WallClock::of(move || WallClock::system().since_epoch() + Duration::from_secs(ahead.load(Relaxed)))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peer_whose_certificate_expires_is_cut_off_until_it_is_renewed() {
    let (ca, ahead) = (ca("c"), Ahead::default());
    let start = |name: &str, hours: u64| {
        let identity = ca.issue(&id(name), Duration::from_hours(hours)).unwrap();
        let mut config = TransportConfig::new("127.0.0.1:0".parse().unwrap(), identity);
        config.certificate_clock = ahead.clock();
        config.handshake_timeout = Duration::from_secs(10);
        echo_with(config)
    };
    let (a, b) = (start("a", 1), start("b", 100));
    ask(&a, &b).await;
    ahead.0.store(2 * 3_600, Relaxed);
    // Within five seconds b closes the connection, and both nodes know why.
    until(|| b.stats().refused_expired == 1 && a.stats().refused_by_peer == 1).await;
    assert_eq!((a.connection_count(), b.connection_count()), (0, 0));
    let (out, back) = (
        a.request(&peer(&b), Bytes::new(), LONG).await.unwrap_err(),
        b.request(&peer(&a), Bytes::new(), LONG).await.unwrap_err(),
    );
    assert!(back.to_string().contains("its certificate has expired"), "{back}");
    assert!(out.to_string().contains("does not accept this node's certificate"), "{out}");
    a.rotate(ca.issue(&id("a"), Duration::from_hours(100)).unwrap()).unwrap();
    ask(&a, &b).await;
    ask(&b, &a).await;
}

/// A renewal cannot move a stream that is open. It ends with the certificate of its time, and the
/// program can open another one at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stream_of_before_a_renewal_ends_with_its_certificate() {
    let (ca, ahead) = (ca("c"), Ahead::default());
    let start = |name: &str, hours: u64| {
        let mut config = config(&ca, name);
        config.identity = ca.issue(&id(name), Duration::from_hours(hours)).unwrap();
        config.certificate_clock = ahead.clock();
        config.handshake_timeout = Duration::from_millis(1_500);
        echo_with(config)
    };
    let (a, b) = (start("a", 1), start("b", 100));
    let mut listener = b.accept("copy").unwrap();
    let mut stream = a.open_stream(&peer(&b), "copy", LONG).await.unwrap();
    let (_, mut accepted) = soon(listener.accept()).await.unwrap();
    a.rotate(ca.issue(&id("a"), Duration::from_hours(100)).unwrap()).unwrap();
    until(|| a.stats().rotated_connections >= 1).await;
    ask(&a, &b).await;
    stream.send(Bytes::from_static(b"before")).await.unwrap();
    assert_eq!(soon(accepted.receive()).await.unwrap().unwrap(), "before");

    ahead.0.store(2 * 3_600, Relaxed);
    let ended = soon(accepted.receive()).await.unwrap_err();
    let expected = StreamError::Closed { peer: id("a"), cause: Ending::PeerCertificateExpired };
    assert_eq!(ended, expected);
    let ended = soon(stream.receive()).await.unwrap_err();
    let expected = StreamError::Closed { peer: id("b"), cause: Ending::CertificateExpired };
    assert_eq!(ended, expected);
    // Nobody was refused: the certificate was renewed in time.
    let mut stream = a.open_stream(&peer(&b), "copy", LONG).await.unwrap();
    let (_, mut accepted) = soon(listener.accept()).await.unwrap();
    stream.send(Bytes::from_static(b"after")).await.unwrap();
    assert_eq!(soon(accepted.receive()).await.unwrap().unwrap(), "after");
    ask(&b, &a).await;
    assert_eq!((b.stats().refused_expired, a.stats().refused_by_peer), (0, 0));
}

/// Two certificates of one authority, with the same key: the expired one must not hide the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expired_authority_beside_its_renewed_certificate_does_no_harm() {
    let (old, ahead) = (ca("c"), Ahead::default());
    let renewed = old.renewed(Duration::from_hours(20 * 365 * 24)).unwrap();
    assert_ne!(old.cert_pem(), renewed.cert_pem());
    let both = [
        format!("{}{}", old.cert_pem(), renewed.cert_pem()),
        format!("{}{}", renewed.cert_pem(), old.cert_pem()),
    ];
    let start = |name: &str, trusted: &str| {
        let issued = old.issue(&id(name), Duration::from_hours(15 * 365 * 24)).unwrap();
        let identity = NodeIdentity::from_pem(issued.cert_pem(), issued.key_pem(), trusted).unwrap();
        let mut config = TransportConfig::new("127.0.0.1:0".parse().unwrap(), identity);
        config.certificate_clock = ahead.clock();
        echo_with(config)
    };
    let (a, b) = (start("a", &both[0]), start("b", &both[1]));
    ask(&a, &b).await;
    // Eleven years later: the first certificate of the authority was valid for ten.
    ahead.0.store(11 * 365 * 24 * 3_600, Relaxed);
    let d = start("d", &both[0]);
    let e = start("e", &both[1]);
    ask(&d, &e).await;
    ask(&e, &d).await;
}
