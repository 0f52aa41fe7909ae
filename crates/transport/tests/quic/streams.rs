//! Application streams: what they carry, their limits, and their isolation from requests.
#![expect(clippy::unwrap_used, reason = "clippy does not treat the helpers of tests as tests")]

use std::time::Duration;

use bytes::Bytes;
use kinfolk_transport::{
    AppStream, Evidence, Listener, Rejection, RequestError, ServiceError, StreamError, Transport,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use crate::support::{LONG, bind, ca, config, echo, id, peer, soon, until};

const HELLO: Bytes = Bytes::from_static(b"hello");

/// Opens a stream from `a` to the service `s` of `b`. Returns both ends.
async fn connect(a: &Transport, b: &Transport, listener: &mut Listener) -> (AppStream, AppStream) {
    let to = peer(b);
    let (opened, accepted) = tokio::join!(a.open_stream(&to, "s", LONG), soon(listener.accept()));
    let (from, accepted) = accepted.unwrap();
    assert_eq!(from, *a.id());
    (opened.unwrap(), accepted)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stream_uses_its_own_connection_both_ways() {
    let ca = ca("c");
    let (a, b) = (echo(&ca, "a"), echo(&ca, "b"));
    let mut listener = b.accept("s").unwrap();
    a.request(&peer(&b), Bytes::new(), LONG).await.unwrap();
    let (mut ours, mut theirs) = connect(&a, &b, &mut listener).await;
    assert_eq!((a.connection_count(), ours.peer(), theirs.peer()), (2, &id("b"), &id("a")));

    ours.send(HELLO).await.unwrap();
    ours.finish().unwrap();
    let mut got = Vec::new();
    while let Some(piece) = soon(theirs.receive()).await.unwrap() {
        got.extend_from_slice(&piece);
    }
    assert_eq!(got, HELLO);
    theirs.send(Bytes::from_static(b"back")).await.unwrap();
    soon(theirs.close()).await.unwrap();
    assert_eq!(soon(ours.receive()).await.unwrap().unwrap(), "back");
    assert_eq!(soon(ours.receive()).await, Ok(None));
    assert_eq!(ours.send(HELLO).await, Err(StreamError::Finished { peer: id("b") }));
    drop((ours, theirs));
    until(|| a.pool().stats().in_use == 0 && b.pool().stats().in_use == 0).await;
    assert_eq!((a.stats().streams_opened, b.stats().streams_accepted), (1, 1));
    for stats in [a.stats(), b.stats()] {
        let bytes = (stats.sent_for.application.bytes, stats.received_for.application.bytes);
        assert!(bytes.0 > 0 && bytes.1 > 0, "{bytes:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn megabyte_passes_through_async_traits_unchanged() {
    let ca = ca("c");
    let (a, b) = (bind(&ca, "a").0, bind(&ca, "b").0);
    let mut listener = b.accept("s").unwrap();
    let (mut ours, theirs) = connect(&a, &b, &mut listener).await;
    let sent: Vec<u8> = (0..1_000_000u32).map(|n| (n % 251) as u8).collect();
    let copying = tokio::spawn(async move {
        let (mut reader, mut writer) = theirs.split();
        let copied = tokio::io::copy(&mut reader, &mut writer).await.unwrap();
        writer.shutdown().await.unwrap();
        copied
    });
    let (mut reader, mut writer) = tokio::io::split(&mut ours);
    let writing = async {
        writer.write_all(&sent).await.unwrap();
        writer.shutdown().await.unwrap();
    };
    let mut got = Vec::new();
    let ((), read) = soon(async { tokio::join!(writing, reader.read_to_end(&mut got)) }).await;
    assert_eq!((read.unwrap(), got == sent), (1_000_000, true));
    assert_eq!(soon(copying).await.unwrap(), 1_000_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_service_and_bad_name_are_refused() {
    let ca = ca("c");
    let (a, b) = (bind(&ca, "a").0, bind(&ca, "b").0);
    let error = a.open_stream(&peer(&b), "nobody", LONG).await.unwrap_err();
    assert!(matches!(error, RequestError::Rejected { why: Rejection::UnknownService, .. }), "{error}");
    assert_eq!((error.evidence(), b.stats().streams_refused), (Evidence::Answered, 1));
    let error = a.open_stream(&peer(&b), "No Body", LONG).await.unwrap_err();
    assert!(matches!(error, RequestError::BadService { .. }), "{error}");
    assert_eq!(error.evidence(), Evidence::Local);
    assert_eq!(a.pool().stats().in_use, 0);
}

/// Dropping the listener ends the service, and another listener may follow.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn service_has_at_most_one_listener() {
    let ca = ca("c");
    let (a, b) = (bind(&ca, "a").0, bind(&ca, "b").0);
    let listener = b.accept("s").unwrap();
    assert_eq!(b.accept("s").unwrap_err(), ServiceError::Taken { service: "s".to_owned() });
    assert_eq!(b.accept("").unwrap_err(), ServiceError::Name { service: String::new() });
    drop(listener);
    let error = a.open_stream(&peer(&b), "s", LONG).await.unwrap_err();
    assert!(matches!(error, RequestError::Rejected { why: Rejection::UnknownService, .. }), "{error}");
    let mut again = b.accept("s").unwrap();
    connect(&a, &b, &mut again).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn service_backlog_is_bounded() {
    let ca = ca("c");
    let mut small = config(&ca, "b");
    small.stream_backlog = 1;
    let (a, b) = (bind(&ca, "a").0, Transport::bind(small).unwrap().0);
    let mut listener = b.accept("s").unwrap();
    let first = a.open_stream(&peer(&b), "s", LONG).await.unwrap();
    let error = a.open_stream(&peer(&b), "s", LONG).await.unwrap_err();
    assert!(matches!(error, RequestError::Rejected { why: Rejection::Busy, .. }), "{error}");
    soon(listener.accept()).await.unwrap();
    a.open_stream(&peer(&b), "s", LONG).await.unwrap();
    assert_eq!(first.peer(), b.id());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_to_one_peer_are_bounded_on_both_sides() {
    let ca = ca("c");
    let (mut wide, mut narrow) = (config(&ca, "a"), config(&ca, "b"));
    (wide.app_streams_max, narrow.app_streams_max) = (2, 1);
    let (a, b) = (Transport::bind(wide).unwrap().0, Transport::bind(narrow).unwrap().0);
    let (mut on_a, mut on_b) = (a.accept("s").unwrap(), b.accept("s").unwrap());
    let _first = connect(&a, &b, &mut on_b).await;
    let there = a.open_stream(&peer(&b), "s", LONG).await.unwrap_err();
    assert!(matches!(there, RequestError::Rejected { why: Rejection::TooManyStreams, .. }), "{there}");
    let first = connect(&b, &a, &mut on_a).await;
    let here = b.open_stream(&peer(&a), "s", LONG).await.unwrap_err();
    assert!(matches!(here, RequestError::TooManyStreams { max: 1, .. }), "{here}");
    drop(first);
    connect(&b, &a, &mut on_a).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unread_stream_blocks_only_its_writer() {
    let ca = ca("c");
    let (a, b) = (echo(&ca, "a"), echo(&ca, "b"));
    let mut listener = b.accept("s").unwrap();
    let (mut ours, mut theirs) = connect(&a, &b, &mut listener).await;
    let piece = Bytes::from(vec![7; 256 * 1024]);
    let mut sent = 0;
    // The writer blocks once the window and the buffer are full.
    while timeout(Duration::from_millis(500), ours.send(piece.clone())).await.is_ok() {
        sent += piece.len();
        assert!(sent < 64 << 20, "there is no back-pressure");
    }
    for _ in 0..20 {
        a.request(&peer(&b), HELLO, LONG).await.unwrap();
        b.request(&peer(&a), HELLO, LONG).await.unwrap();
    }
    // A piece that the stream did not accept is not sent either.
    ours.finish().unwrap();
    let mut got = 0;
    while let Some(piece) = soon(theirs.receive()).await.unwrap() {
        got += piece.len();
    }
    assert_eq!(got, sent);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropped_stream_never_looks_finished() {
    let ca = ca("c");
    let (a, b) = (bind(&ca, "a").0, bind(&ca, "b").0);
    let mut listener = b.accept("s").unwrap();
    let (ours, mut theirs) = connect(&a, &b, &mut listener).await;
    drop(ours);
    assert_eq!(soon(theirs.receive()).await, Err(StreamError::GivenUp { peer: id("a") }));

    let (mut ours, theirs) = connect(&a, &b, &mut listener).await;
    let (reader, _writer) = theirs.split();
    drop(reader);
    let refused = soon(async {
        loop {
            if let Err(error) = ours.send(HELLO).await {
                return error;
            }
            tokio::task::yield_now().await;
        }
    });
    assert_eq!(refused.await, StreamError::GivenUp { peer: id("b") });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn request_time_out_cuts_no_stream() {
    let ca = ca("c");
    let (a, (b, mut incoming)) = (bind(&ca, "a").0, bind(&ca, "b"));
    let mut listener = b.accept("s").unwrap();
    let (mut ours, mut theirs) = connect(&a, &b, &mut listener).await;
    let error = a.request(&peer(&b), HELLO, Duration::from_millis(200)).await.unwrap_err();
    assert!(matches!(error.evidence(), Evidence::Silent | Evidence::Late), "{error}");
    drop(soon(incoming.recv()).await);
    ours.send(HELLO).await.unwrap();
    assert_eq!(soon(theirs.receive()).await.unwrap().unwrap(), HELLO);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_hold_at_most_half_of_the_pool() {
    let ca = ca("c");
    let mut small = config(&ca, "a");
    small.pool.max_total = 2;
    let a = Transport::bind(small).unwrap().0;
    let (b, x) = (echo(&ca, "b"), echo(&ca, "x"));
    let (mut on_a, mut on_b, _on_x) =
        (a.accept("s").unwrap(), b.accept("s").unwrap(), x.accept("s").unwrap());
    let held = connect(&a, &b, &mut on_b).await;
    let error = a.open_stream(&peer(&x), "s", LONG).await.unwrap_err();
    assert!(matches!(error, RequestError::PoolFull { current: 1, max: 1, .. }), "{error}");
    // The limit also holds for streams of a peer, which learns that there is no room.
    let error = x.open_stream(&peer(&a), "s", LONG).await.unwrap_err();
    assert_eq!(error.evidence(), Evidence::Answered, "{error}");
    a.request(&peer(&x), HELLO, LONG).await.unwrap();
    drop(held);
    until(|| a.pool().stats().in_use == 0).await;
    connect(&x, &a, &mut on_a).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_end_with_their_transport() {
    let ca = ca("c");
    let (a, b) = (bind(&ca, "a").0, bind(&ca, "b").0);
    let mut listener = b.accept("s").unwrap();
    let (mut ours, _theirs) = connect(&a, &b, &mut listener).await;
    b.close(Duration::from_millis(500)).await;
    let error = soon(ours.receive()).await.unwrap_err();
    assert!(matches!(error, StreamError::Closed { .. }), "{error}");
    assert!(soon(listener.accept()).await.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unread_streams_leave_window_for_others() {
    let ca = ca("c");
    let mut two = config(&ca, "b");
    two.app_streams_max = 2;
    let (a, b) = (bind(&ca, "a").0, Transport::bind(two).unwrap().0);
    let mut listener = b.accept("s").unwrap();
    let (mut stalled, _unread) = connect(&a, &b, &mut listener).await;
    let (mut ours, mut theirs) = connect(&a, &b, &mut listener).await;
    let piece = Bytes::from(vec![7; 64 * 1024]);
    while timeout(Duration::from_millis(200), stalled.send(piece.clone())).await.is_ok() {}
    let reading = tokio::spawn(async move {
        let mut got = 0;
        while let Some(piece) = theirs.receive().await.unwrap() {
            got += piece.len();
        }
        got
    });
    for _ in 0..128 {
        soon(ours.send(piece.clone())).await.unwrap();
    }
    soon(ours.close()).await.unwrap();
    assert_eq!(soon(reading).await.unwrap(), 8 << 20);
}
