//! The kept stream of a connection: which requests use it, and what ends it.

use std::time::Duration;

use bytes::Bytes;
use kinfolk_core::{ClusterId, NodeId};
use s2n_quic::stream::BidirectionalStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::peer::PeerConnection;
use super::{Incoming, Transport};
use crate::config::TransportConfig;
use crate::frame::{Beginning, FrameReader, StreamKind, encode};
use crate::identity::ClusterCa;
use crate::peer::Peer;
use crate::pool::Need;
use crate::request::{RequestError, RequestOptions};
use crate::traffic::Traffic;

const LONG: Duration = Duration::from_secs(20);

/// Two nodes, and the connection that `a` dialled to `b`.
struct Pair {
    a: Transport,
    b: Transport,
    incoming: Incoming,
    conn: PeerConnection,
}

impl Pair {
    async fn connected() -> Self {
        let ca = ClusterCa::create(&ClusterId::new("c").unwrap()).unwrap();
        let config = |name: &str| {
            let identity = ca.issue(&NodeId::new(name).unwrap(), Duration::from_hours(24)).unwrap();
            TransportConfig::new("127.0.0.1:0".parse().unwrap(), identity)
        };
        let (a, _) = Transport::bind(config("a")).unwrap();
        let (b, incoming) = Transport::bind(config("b")).unwrap();
        let peer = Peer::new(b.id().clone(), b.local_addr());
        drop(a.pool().acquire(&peer).await.unwrap());
        let conn = a.pool().peek(b.id()).unwrap();
        Self { a, b, incoming, conn }
    }

    fn ask(&self, body: &'static str) -> JoinHandle<Result<Bytes, RequestError>> {
        let (a, to) = (self.a.clone(), Peer::new(self.b.id().clone(), self.b.local_addr()));
        tokio::spawn(async move { a.request(&to, Bytes::from_static(body.as_bytes()), LONG).await })
    }

    /// Answers the next request.
    async fn answer(&mut self, body: Bytes) -> Bytes {
        let inbound = soon(self.incoming.recv()).await.unwrap();
        inbound.responder.unwrap().respond(body).await.unwrap();
        inbound.body
    }

    /// The number of streams that `a` has opened. QUIC numbers a dialler's bidirectional streams in
    /// steps of four (RFC 9000, section 2.1).
    async fn streams_opened(&self) -> u64 {
        self.conn.open_bidirectional().await.unwrap().id() / 4
    }

    /// Waits until `b` counts this many streams that `a` keeps and does not use.
    async fn until_resting(&self, count: usize) {
        let conn = self.b.pool().peek(self.a.id()).unwrap();
        let resting = async {
            while conn.kept_by_peer() != count {
                tokio::task::yield_now().await;
            }
        };
        soon(resting).await;
    }

    /// Sends a request from `a`, answers it at `b`, and returns the answer that `a` received.
    async fn exchange(&mut self, body: &'static str, answer: Bytes) -> Bytes {
        let asked = self.ask(body);
        assert_eq!(self.answer(answer).await, body);
        soon(asked).await.unwrap().unwrap()
    }
}

async fn soon<F: Future>(future: F) -> F::Output {
    timeout(LONG, future).await.expect("the awaited event did not come")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn small_requests_share_one_stream() {
    let mut pair = Pair::connected().await;
    for _ in 0..3 {
        assert_eq!(pair.exchange("ping", "ack".into()).await, "ack");
        assert!(pair.conn.keeps_a_stream());
    }
    assert_eq!(pair.streams_opened().await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_request_gets_its_own_stream() {
    let mut pair = Pair::connected().await;
    let first = pair.ask("first");
    let held = soon(pair.incoming.recv()).await.unwrap();
    assert_eq!(pair.exchange("second", "ack".into()).await, "ack");
    held.responder.unwrap().respond("late".into()).await.unwrap();
    assert_eq!(soon(first).await.unwrap().unwrap(), "late");
    assert!(pair.conn.keeps_a_stream());
    assert_eq!(pair.streams_opened().await, 2);
}

/// The late answer to the cancelled request does not reach the next request.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelled_request_resets_the_kept_stream() {
    let mut pair = Pair::connected().await;
    let first = pair.ask("first");
    let held = soon(pair.incoming.recv()).await.unwrap();
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    assert!(!pair.conn.keeps_a_stream());
    // If the reset has not reached the peer yet, its answer is sent and discarded.
    let _unread = held.responder.unwrap().respond("first".into()).await;
    assert_eq!(pair.exchange("second", "second".into()).await, "second");
    assert_eq!(pair.streams_opened().await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn request_without_answer_ends_the_kept_stream() {
    let mut pair = Pair::connected().await;
    let first = pair.ask("first");
    drop(soon(pair.incoming.recv()).await.unwrap());
    let error = soon(first).await.unwrap().unwrap_err();
    assert!(matches!(error, RequestError::NoReply { .. }), "{error}");
    assert_eq!(pair.exchange("second", "ack".into()).await, "ack");
    assert_eq!(pair.streams_opened().await, 2);
}

/// An answer of 4,097 bytes ends the stream, and one of 4,096 bytes does not. A request of 1,101
/// bytes gets its own stream.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_answer_ends_the_kept_stream() {
    let mut pair = Pair::connected().await;
    let long = Bytes::from(vec![7; 4_097]);
    assert_eq!(pair.exchange("ping", long.clone()).await, long);
    assert!(!pair.conn.keeps_a_stream(), "the answer was too long");
    assert_eq!(pair.exchange("ping", long.slice(1..)).await, long.slice(1..));
    assert!(pair.conn.keeps_a_stream());
    let to = Peer::new(pair.b.id().clone(), pair.b.local_addr());
    let (a, body) = (pair.a.clone(), long.slice(..1_101));
    let asked = tokio::spawn(async move { a.request(&to, body, LONG).await });
    pair.answer("ack".into()).await;
    assert_eq!(soon(asked).await.unwrap().unwrap(), "ack");
    assert_eq!(pair.streams_opened().await, 3, "the long request used its own stream");
}

/// Sends one request on a kept stream without the transport, and reads the answer.
async fn raw_request(stream: &mut BidirectionalStream, begin: u8) -> Option<Bytes> {
    let frame = encode(None, b"ping", 100).unwrap();
    stream.send([&[begin], &frame[..]].concat().into()).await.ok()?;
    let piece = stream.receive().await.ok()??;
    FrameReader::new(100).push(&piece).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn third_unused_kept_stream_is_ended() {
    let mut pair = Pair::connected().await;
    let kept = u8::from(Beginning { kind: StreamKind::Kept, traffic: Traffic::Probe });
    let mut streams = Vec::new();
    for count in 1..=3 {
        let mut stream = pair.conn.open_bidirectional().await.unwrap();
        let asked = async { raw_request(&mut stream, kept).await };
        let (answer, _) = tokio::join!(asked, pair.answer("ack".into()));
        assert_eq!(answer.unwrap(), "ack");
        pair.until_resting(count.min(2)).await;
        if count == 3 {
            assert_eq!(soon(stream.receive()).await.unwrap(), None, "the third stream ends with its answer");
        }
        streams.push(stream);
    }
    assert_eq!(pair.b.stats().bad_streams, 1);
    // A stream that is used again still works, and frees its place.
    let asked = async { raw_request(&mut streams[0], kept).await };
    let (answer, _) = tokio::join!(asked, pair.answer("ack".into()));
    assert_eq!(answer.unwrap(), "ack");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kept_stream_rejects_other_kinds() {
    let mut pair = Pair::connected().await;
    let begin = |kind| u8::from(Beginning { kind, traffic: Traffic::Probe });
    let mut stream = pair.conn.open_bidirectional().await.unwrap();
    let asked = async { raw_request(&mut stream, begin(StreamKind::Kept)).await };
    let (answer, _) = tokio::join!(asked, pair.answer("ack".into()));
    assert_eq!(answer.unwrap(), "ack");
    assert_eq!(raw_request(&mut stream, begin(StreamKind::Request)).await, None);
    assert_eq!(pair.b.stats().bad_streams, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_sides_count_bytes_by_traffic() {
    let mut pair = Pair::connected().await;
    let before = pair.a.stats();
    assert!(before.sent_for.handshake.bytes > 1_200);
    let (a, to) = (pair.a.clone(), Peer::new(pair.b.id().clone(), pair.b.local_addr()));
    let manner = RequestOptions { need: Need::OpenOnly, traffic: Traffic::Probe, prompt: true };
    let asked = tokio::spawn(async move { a.request_with(&to, "ping".into(), LONG, manner).await });
    pair.answer("ack".into()).await;
    soon(asked).await.unwrap().unwrap();
    let closed =
        Peer::new(NodeId::new("x").unwrap(), kinfolk_core::NodeAddr::new(([127, 0, 0, 1], 9).into()));
    pair.a.port_is_closed(&closed, Duration::from_millis(10)).await;
    for stats in [pair.a.stats(), pair.b.stats()] {
        assert!(stats.sent_for.probe.datagrams > 0, "{stats:?}");
        assert_eq!(stats.sent_for.gossip.datagrams + stats.sent_for.anti_entropy.datagrams, 0);
    }
    assert!(pair.a.stats().sent_for.port_check.datagrams > 0);
    for stats in [pair.a.stats(), pair.b.stats()] {
        let received = stats.received_for;
        assert!(received.handshake.bytes > 1_200 && received.probe.bytes > 0, "{received:?}");
        assert_eq!(received.gossip.datagrams + received.anti_entropy.datagrams, 0);
        let all = [received.handshake, received.probe, received.other].map(|class| class.bytes);
        assert!(all.iter().sum::<u64>() <= stats.udp_bytes_received, "each datagram counts once");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn request_on_ended_kept_stream_opens_another() {
    let mut pair = Pair::connected().await;
    let kept = u8::from(Beginning { kind: StreamKind::Kept, traffic: Traffic::Probe });
    let mut streams = Vec::new();
    for count in 1..=2 {
        let mut stream = pair.conn.open_bidirectional().await.unwrap();
        let (answer, _) = tokio::join!(raw_request(&mut stream, kept), pair.answer("ack".into()));
        assert_eq!(answer.unwrap(), "ack");
        pair.until_resting(count).await;
        streams.push(stream);
    }
    assert_eq!(pair.exchange("first", "one too many".into()).await, "one too many");
    while pair.b.stats().bad_streams == 0 {
        tokio::task::yield_now().await;
    }
    drop(streams);
    pair.until_resting(0).await;
    assert_eq!(pair.exchange("second", "ack".into()).await, "ack");
    assert!(pair.conn.keeps_a_stream());
}
