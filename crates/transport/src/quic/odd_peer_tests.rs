//! Peers that close at the wrong moment, or stop in the middle of a frame. No [`Transport`] does
//! that by itself, so these tests use its internal connections.

use std::time::Duration;

use bytes::Bytes;
use kinfolk_core::{ClusterId, NodeId};
use s2n_quic::stream::BidirectionalStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::code::CloseCode;
use super::outcome::Fault;
use super::{Inbound, Incoming, Transport};
use crate::config::TransportConfig;
use crate::frame::{Beginning, StreamKind, encode};
use crate::identity::ClusterCa;
use crate::peer::{Peer, Target};
use crate::request::{Ending, Evidence, Rejection, RequestError};
use crate::traffic::Traffic;

const LONG: Duration = Duration::from_secs(20);

/// Two nodes with this `frame_timeout`.
fn pair(frame_timeout: Duration) -> (Transport, Transport, Incoming) {
    let ca = ClusterCa::create(&ClusterId::new("c").unwrap()).unwrap();
    let config = |name: &str| {
        let identity = ca.issue(&NodeId::new(name).unwrap(), Duration::from_hours(24)).unwrap();
        let mut config = TransportConfig::new("127.0.0.1:0".parse().unwrap(), identity);
        config.handshake_timeout = Duration::from_secs(10);
        config.frame_timeout = frame_timeout;
        config
    };
    let (a, _) = Transport::bind(config("a")).unwrap();
    let (b, incoming) = Transport::bind(config("b")).unwrap();
    (a, b, incoming)
}

fn peer(transport: &Transport) -> Peer {
    Peer::new(transport.id().clone(), transport.local_addr())
}

async fn soon<F: Future>(future: F) -> F::Output {
    timeout(LONG, future).await.expect("the awaited event did not come")
}

/// Starts a request from `a` to `b`.
fn ask(a: &Transport, b: &Transport) -> JoinHandle<Result<Bytes, RequestError>> {
    let (a, to) = (a.clone(), peer(b));
    tokio::spawn(async move { a.request(&to, Bytes::from_static(b"ping"), LONG).await })
}

/// Receives the next request, and closes its connection as if the request had not arrived.
async fn cross(b: &Transport, incoming: &mut Incoming, code: CloseCode) -> Inbound {
    let inbound = soon(incoming.recv()).await.unwrap();
    b.hub().close_connections(code);
    inbound
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn request_that_crosses_a_close_is_repeated() {
    let (a, b, mut incoming) = pair(LONG);
    let request = ask(&a, &b);
    let _crossed = cross(&b, &mut incoming, CloseCode::Unused).await;
    let again = soon(incoming.recv()).await.unwrap();
    assert_eq!(again.body, "ping");
    again.responder.unwrap().respond(Bytes::from_static(b"ack")).await.unwrap();
    assert_eq!(soon(request).await.unwrap().unwrap(), "ack");
    let stats = a.stats();
    assert_eq!((stats.requests, stats.requests_repeated, stats.requests_failed), (1, 1, 0));
    assert_eq!(a.pool().stats().dials, 2, "the second request used a new connection");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn request_that_crosses_two_closes_fails() {
    let (a, b, mut incoming) = pair(LONG);
    let request = ask(&a, &b);
    let _first = cross(&b, &mut incoming, CloseCode::Unused).await;
    let _second = cross(&b, &mut incoming, CloseCode::Superseded).await;
    let error = soon(request).await.unwrap().unwrap_err();
    assert!(matches!(error, RequestError::Closed { cause: Ending::Unused { .. }, .. }), "{error}");
    assert_eq!((error.evidence(), a.stats().requests_repeated), (Evidence::Answered, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn possibly_processed_request_is_not_repeated() {
    let (a, b, mut incoming) = pair(LONG);
    let request = ask(&a, &b);
    let _taken = cross(&b, &mut incoming, CloseCode::Stopped).await;
    let error = soon(request).await.unwrap().unwrap_err();
    assert!(matches!(error, RequestError::Closed { cause: Ending::Stopped, .. }), "{error}");
    assert_eq!((a.stats().requests_repeated, a.pool().stats().dials), (0, 1));
}

/// Opens a stream from `a` to `b`, and sends the first `len` bytes of a request. Returns the rest.
async fn begin(a: &Transport, b: &Transport, len: usize) -> (BidirectionalStream, Bytes) {
    drop(a.pool().acquire(&peer(b)).await.unwrap());
    let conn = a.pool().peek(b.id()).unwrap();
    let mut frame =
        encode(Some(Beginning { kind: StreamKind::Request, traffic: Traffic::Other }), b"ping", 100).unwrap();
    let mut stream = conn.open_bidirectional().await.unwrap();
    let rest = frame.split_off(len);
    stream.send(frame).await.unwrap();
    (stream, rest)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn incomplete_frame_resets_only_its_stream() {
    // After the kind, within the header, and before the end: the time-out covers each case.
    for len in [1, 2, 9] {
        let (a, b, mut incoming) = pair(Duration::from_millis(100));
        let (mut stream, _rest) = begin(&a, &b, len).await;
        let error = soon(stream.receive()).await.unwrap_err();
        let error = Fault::from(error).with_peer(Target::from(&peer(&b)));
        assert!(matches!(error, RequestError::Rejected { why: Rejection::TooSlow, .. }), "{len}: {error}");
        assert_eq!((b.stats().bad_streams, b.stats().frames_received), (1, 0));

        let request = ask(&a, &b);
        soon(incoming.recv()).await.unwrap().responder.unwrap().respond(Bytes::new()).await.unwrap();
        soon(request).await.unwrap().unwrap();
        assert_eq!(a.pool().stats().dials, 1, "the connection still works");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frame_in_pieces_is_read_whole() {
    let (a, b, mut incoming) = pair(LONG);
    let (mut stream, mut rest) = begin(&a, &b, 1).await;
    while !rest.is_empty() {
        stream.send(rest.split_to(1)).await.unwrap();
        stream.flush().await.unwrap();
    }
    stream.finish().unwrap();
    assert_eq!(soon(incoming.recv()).await.unwrap().body, "ping");
    assert_eq!(b.stats().bad_streams, 0);
}
