//! Which peers a node accepts, and what a refused peer learns.

use bytes::Bytes;
use kinfolk_core::signed::Sign as _;
use kinfolk_transport::{DialError, Evidence, RequestError, Transport};

use crate::support::{LONG, bind, ca, config, echo, id, named, peer, soon, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn identify_gives_the_name_and_keeps_the_connection() {
    let ca = ca("c");
    let (a, b) = (bind(&ca, "a").0, echo(&ca, "b"));
    assert_eq!(a.identify(b.local_addr().socket(), LONG).await.unwrap(), id("b"));
    a.request(&peer(&b), Bytes::new(), LONG).await.unwrap();
    assert_eq!(a.pool().stats().dials, 0, "the request used the connection of `identify`");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_side_gets_the_certificate_of_the_other() {
    let ca = ca("c");
    let (config_a, config_b) = (config(&ca, "a"), config(&ca, "b"));
    let (own_a, own_b) = (config_a.identity.certificate(), config_b.identity.certificate());
    let signature = config_a.identity.signer().sign_bytes(b"text");
    let (a, (b, mut incoming)) = (Transport::bind(config_a).unwrap().0, Transport::bind(config_b).unwrap());
    assert!(a.certificate_of(b.id()).is_none(), "there is no connection yet");
    a.send(&peer(&b), Bytes::new(), LONG).await.unwrap();
    let of_a = soon(incoming.recv()).await.unwrap().certificate;
    assert_eq!((of_a.node(), of_a.fingerprint()), (a.id(), own_a.fingerprint()));
    assert!(of_a.verifies(b"text", &signature));
    assert_eq!(a.certificate_of(b.id()).unwrap().fingerprint(), own_b.fingerprint());
    assert_eq!(b.certificate_of(a.id()).unwrap().fingerprint(), own_a.fingerprint());
    assert!(a.certificate_of(a.id()).is_none());
    assert_eq!(a.pool().stats().dials, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peer_with_another_name_is_refused() {
    let ca = ca("c");
    let (a, b) = (bind(&ca, "a").0, echo(&ca, "b"));
    let error = a.request(&named("x", b.local_addr()), Bytes::new(), LONG).await.unwrap_err();
    let RequestError::WrongPeer { expected, found, .. } = &error else { panic!("{error}") };
    assert_eq!((expected, found, error.evidence()), (&id("x"), &id("b"), Evidence::Refused));
    until(|| a.stats().refused_name == 1 && b.stats().refused_by_peer == 1).await;
    assert_eq!(a.pool().stats().total, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificate_of_another_ca_is_refused() {
    let (ours, theirs) = (ca("c"), ca("c"));
    let (stranger, b) = (bind(&theirs, "a").0, echo(&ours, "b"));
    let error = stranger.request(&peer(&b), Bytes::new(), LONG).await.unwrap_err();
    let RequestError::Connect { cause: DialError::PeerRefused { reason }, .. } = &error else {
        panic!("{error}")
    };
    assert!(reason.contains("another CA"), "{reason}");
    assert_eq!(error.evidence(), Evidence::Refused);
    until(|| stranger.stats().refused_untrusted == 1 && b.stats().refused_by_peer == 1).await;
    assert_eq!(b.connection_count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificate_of_another_cluster_is_refused() {
    let (ours, theirs) = (ca("c"), ca("d"));
    let (stranger, b) = (bind(&theirs, "a").0, echo(&ours, "b"));
    let error = stranger.identify(b.local_addr().socket(), LONG).await.unwrap_err();
    assert_eq!(error.evidence(), Evidence::Refused, "{error}");
    until(|| stranger.stats().refused_name == 1 && b.stats().refused_by_peer == 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn own_name_is_refused() {
    let ca = ca("c");
    let (a, twin) = (bind(&ca, "a").0, bind(&ca, "a").0);
    let itself = a.identify(a.local_addr().socket(), LONG).await.unwrap_err();
    assert!(matches!(itself, RequestError::Connect { cause: DialError::OwnName, .. }), "{itself}");
    let other = a.identify(twin.local_addr().socket(), LONG).await.unwrap_err();
    // Both nodes refuse. The first refusal decides the error.
    assert_eq!(other.evidence(), Evidence::Refused, "{other}");
}
