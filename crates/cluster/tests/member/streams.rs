//! Streams between programs on two members: who can be reached, and what each is told who cannot.

use std::time::Duration;

use kinfolk::{NodeState, OpenError, Rejection, RequestError, ServiceError, StreamError};
use tokio::time::timeout;

use super::{DEADLINE, Town, event, id, state_of, until};

/// Waits for a future that a fault would leave pending for ever.
async fn soon<F: Future>(future: F) -> F::Output {
    timeout(DEADLINE, future).await.expect("it came about in time")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_is_opened_by_a_members_name_and_tells_who_opened_it() {
    let members = Town::new().of(2).await;
    let mut listener = members[0].accept("echo").unwrap();
    let mut ours = members[1].open_stream(&id("a"), "echo").await.unwrap();
    let (from, mut theirs) = soon(listener.accept()).await.unwrap();
    assert_eq!((from, ours.peer()), (id("b"), &id("a")));
    ours.send("hello".into()).await.unwrap();
    ours.finish().unwrap();
    assert_eq!(soon(theirs.receive()).await.unwrap().unwrap(), "hello");
    assert_eq!(soon(theirs.receive()).await, Ok(None));
    assert_eq!(members[1].stats().transport.streams_opened, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_is_unknown_gets_no_stream() {
    let members = Town::new().of(1).await;
    let error = members[0].open_stream(&id("z"), "echo").await.unwrap_err();
    assert_eq!(error, OpenError::Unknown { node: id("z") });
    let error = members[0].open_stream(&id("a"), "echo").await.unwrap_err();
    assert_eq!(error, OpenError::Ourselves);
    assert_eq!(members[0].stats().transport.requests, 0, "nothing was sent");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_left_or_failed_gets_no_stream() {
    let members = Town::new().of(3).await;
    members[1].shutdown().await;
    members[2].shutdown_now();
    for (name, state) in [("b", NodeState::Left), ("c", NodeState::Failed)] {
        until(|| state_of(&members[0], name) == Some(state)).await;
        let error = members[0].open_stream(&id(name), "echo").await.unwrap_err();
        assert_eq!(error, OpenError::Gone { node: id(name), state });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_nobody_accepts_is_refused_by_name() {
    let members = Town::new().of(2).await;
    let error = members[0].open_stream(&id("b"), "nobody").await.unwrap_err();
    let refused = |error: &OpenError| {
        matches!(error, OpenError::Request(RequestError::Rejected { why: Rejection::UnknownService, .. }))
    };
    assert!(refused(&error), "{error}");
    let error = members[0].open_stream(&id("b"), "No Body").await.unwrap_err();
    assert!(matches!(error, OpenError::Request(RequestError::BadService { .. })), "{error}");
    // The service begins and ends with its listener.
    let listener = members[1].accept("nobody").unwrap();
    members[0].open_stream(&id("b"), "nobody").await.unwrap();
    drop(listener);
    let error = members[0].open_stream(&id("b"), "nobody").await.unwrap_err();
    assert!(refused(&error), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_is_not_read_stops_its_writer_and_no_probe() {
    let members = Town::new().of(2).await;
    let mut listener = members[0].accept("sink").unwrap();
    let mut ours = members[1].open_stream(&id("a"), "sink").await.unwrap();
    let (_, mut theirs) = soon(listener.accept()).await.unwrap();
    let mut events = members[1].subscribe();
    let piece = bytes::Bytes::from(vec![7; 64 * 1024]);
    let mut sent = 0;
    // What finds no room within several probe intervals finds none until somebody reads.
    while timeout(Duration::from_secs(2), ours.send(piece.clone())).await.is_ok() {
        sent += piece.len();
        assert!(sent < 64 << 20, "there is no back-pressure");
    }
    members[0].broadcast("still here").await.unwrap();
    let from = event(&mut events, |event| match event {
        kinfolk::ClusterEvent::Broadcast { from, .. } => Some(from.clone()),
        kinfolk::ClusterEvent::NodeSuspected { node, .. } => panic!("{} is suspected", node.id),
        _ => None,
    });
    assert_eq!(from.await, id("a"));
    ours.finish().unwrap();
    let mut got = 0;
    while let Some(piece) = soon(theirs.receive()).await.unwrap() {
        got += piece.len();
    }
    assert_eq!(got, sent, "what was taken arrives, and nothing else");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backlog_that_nobody_empties_is_bounded() {
    let members = Town::new().of(2).await;
    let mut listener = members[0].accept("slow").unwrap();
    let mut streams = Vec::new();
    // The transport's default backlog.
    for _ in 0..16 {
        streams.push(members[1].open_stream(&id("a"), "slow").await.unwrap());
    }
    let error = members[1].open_stream(&id("a"), "slow").await.unwrap_err();
    assert!(
        matches!(error, OpenError::Request(RequestError::Rejected { why: Rejection::Busy, .. })),
        "{error}"
    );
    soon(listener.accept()).await.unwrap();
    members[1].open_stream(&id("a"), "slow").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_shutdown_streams_end_and_none_is_opened_or_accepted() {
    let members = Town::new().of(2).await;
    let mut listener = members[0].accept("echo").unwrap();
    let mut ours = members[1].open_stream(&id("a"), "echo").await.unwrap();
    members[0].shutdown().await;
    let error = soon(ours.receive()).await.unwrap_err();
    assert!(matches!(error, StreamError::Closed { .. }), "{error}");
    assert!(soon(listener.accept()).await.is_none());
    assert_eq!(members[0].open_stream(&id("b"), "echo").await.unwrap_err(), OpenError::Stopped);
    let error = members[0].accept("other").unwrap_err();
    assert_eq!(error, ServiceError::Stopped { service: "other".to_owned() });

    members[1].shutdown_now();
    assert_eq!(members[1].open_stream(&id("a"), "echo").await.unwrap_err(), OpenError::Stopped);
}
