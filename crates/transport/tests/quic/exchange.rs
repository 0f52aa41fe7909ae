//! Requests, messages, and their possible answers and errors.

use std::time::Duration;

use bytes::Bytes;
use kinfolk_transport::{Evidence, FrameError, Phase, Rejection, RequestError, Transport};

use crate::support::{LONG, bind, ca, config, echo, id, peer, soon, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn request_is_answered_and_names_its_sender() {
    let ca = ca("c");
    let ((a, _), (b, mut incoming)) = (bind(&ca, "a"), bind(&ca, "b"));
    let b_peer = peer(&b);
    let request = a.request(&b_peer, Bytes::from_static(b"ping"), LONG);
    let answer = async {
        let inbound = soon(incoming.recv()).await.unwrap();
        assert_eq!((inbound.from, &inbound.body[..]), (id("a"), &b"ping"[..]));
        inbound.responder.unwrap().respond(Bytes::from_static(b"ack")).await.unwrap();
    };
    let (reply, ()) = tokio::join!(request, answer);
    assert_eq!(&reply.unwrap()[..], b"ack");
    assert_eq!((a.stats().frames_sent, a.stats().frames_received), (1, 1));
    assert!(a.stats().udp_bytes_sent > 0 && b.stats().udp_bytes_received > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connection_reuse_over_quic() {
    let ca = ca("c");
    let (a, b) = (bind(&ca, "a").0, echo(&ca, "b"));
    for n in 0..10u8 {
        let reply = a.request(&peer(&b), Bytes::from(vec![n]), LONG).await.unwrap();
        assert_eq!(&reply[..], [n]);
    }
    let stats = a.pool().stats();
    assert_eq!((stats.dials, stats.reused, stats.total), (1, 9, 1));
    assert!(a.rtt(b.id()).is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_way_message_has_no_responder() {
    let ca = ca("c");
    let ((a, _), (b, mut incoming)) = (bind(&ca, "a"), bind(&ca, "b"));
    a.send(&peer(&b), Bytes::from_static(b"update"), LONG).await.unwrap();
    let inbound = soon(incoming.recv()).await.unwrap();
    assert_eq!((&inbound.body[..], inbound.responder.is_none()), (&b"update"[..], true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropped_responder_gives_no_reply() {
    let ca = ca("c");
    let ((a, _), (b, mut incoming)) = (bind(&ca, "a"), bind(&ca, "b"));
    let b_peer = peer(&b);
    let (reply, inbound) =
        tokio::join!(a.request(&b_peer, Bytes::new(), LONG), async { drop(soon(incoming.recv()).await) });
    assert_eq!(inbound, ());
    let error = reply.unwrap_err();
    assert!(matches!(error, RequestError::NoReply { .. }), "{error}");
    assert_eq!(error.evidence(), Evidence::Answered);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frame_over_the_limit_is_refused_on_both_sides() {
    let ca = ca("c");
    let mut generous = config(&ca, "a");
    generous.frame_bytes_max = 1 << 20;
    let (a, b) = (Transport::bind(generous).unwrap().0, echo(&ca, "b"));
    let at_limit = Bytes::from(vec![1; 64 * 1024]);
    assert_eq!(a.request(&peer(&b), at_limit.clone(), LONG).await.unwrap(), at_limit);

    let over = Bytes::from(vec![1; 64 * 1024 + 1]);
    let there = a.request(&peer(&b), over.clone(), LONG).await.unwrap_err();
    assert!(matches!(there, RequestError::Rejected { why: Rejection::TooLarge, .. }), "{there}");
    // A message fails only if the refusal arrives before the acknowledgement.
    if let Err(message) = a.send(&peer(&b), over.clone(), LONG).await {
        assert!(matches!(message, RequestError::Rejected { why: Rejection::TooLarge, .. }), "{message}");
    }
    until(|| b.stats().bad_streams == 2).await;
    let here = b.request(&peer(&a), over, LONG).await.unwrap_err();
    assert!(
        matches!(
            here,
            RequestError::TooLarge { cause: FrameError::TooLarge { len: 65_537, max: 65_536 }, .. }
        ),
        "{here}"
    );
    assert_eq!((here.evidence(), there.evidence()), (Evidence::Local, Evidence::Answered));
    // The connection still works.
    assert_eq!(&a.request(&peer(&b), Bytes::from_static(b"x"), LONG).await.unwrap()[..], b"x");
    assert_eq!(a.pool().stats().dials, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_inbox_rejects_as_busy() {
    let ca = ca("c");
    let mut small = config(&ca, "b");
    small.inbox_max = 1;
    let (b, _incoming) = Transport::bind(small).unwrap();
    let a = bind(&ca, "a").0;
    a.send(&peer(&b), Bytes::new(), LONG).await.unwrap();
    until(|| b.stats().frames_received == 1).await;
    let error = a.request(&peer(&b), Bytes::new(), LONG).await.unwrap_err();
    assert!(matches!(error, RequestError::Rejected { why: Rejection::Busy, .. }), "{error}");
    assert_eq!(b.stats().inbox_full, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stream_queue_is_bounded() {
    let ca = ca("c");
    let mut narrow = config(&ca, "a");
    (narrow.streams_max, narrow.queue_max) = (1, 1);
    let a = Transport::bind(narrow).unwrap().0;
    let (b, mut incoming) = bind(&ca, "b");
    let b_peer = peer(&b);
    // The first request holds the only stream, the second waits in the only place of the queue, and
    // the third fails.
    let first = tokio::spawn({
        let (a, b_peer) = (a.clone(), b_peer.clone());
        async move { a.request(&b_peer, Bytes::new(), LONG).await }
    });
    let held = soon(incoming.recv()).await.unwrap().responder.unwrap();
    let waiting = Duration::from_millis(200);
    let (second, third) = tokio::join!(biased; a.request(&b_peer, Bytes::new(), waiting), a.request(&b_peer, Bytes::new(), LONG));
    let (second, third) = (second.unwrap_err(), third.unwrap_err());
    assert!(matches!(second, RequestError::Timeout { phase: Phase::Queued, .. }), "{second}");
    assert!(matches!(third, RequestError::QueueFull { waiting: 1, max: 1, .. }), "{third}");
    assert_eq!((second.evidence(), third.evidence()), (Evidence::Local, Evidence::Local));
    held.respond(Bytes::new()).await.unwrap();
    first.await.unwrap().unwrap();
}
