//! Streams between applications on two members, and the errors when a stream cannot open.

use std::time::Duration;

use kinfolk::{NodeState, OpenError, Rejection, RequestError, ServiceError, StreamError};
use tokio::time::timeout;

use super::{DEADLINE, TestCluster, event, id, state_of, until};

/// Waits for a future that a bug would leave pending forever.
async fn soon<F: Future>(future: F) -> F::Output {
    timeout(DEADLINE, future).await.expect("the future completes in time")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stream_carries_the_name_of_its_opener() {
    let members = TestCluster::new().of(2).await;
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
async fn stream_to_unknown_or_own_name_is_refused() {
    let members = TestCluster::new().of(1).await;
    let error = members[0].open_stream(&id("z"), "echo").await.unwrap_err();
    assert_eq!(error, OpenError::Unknown { node: id("z") });
    let error = members[0].open_stream(&id("a"), "echo").await.unwrap_err();
    assert_eq!(error, OpenError::Ourselves);
    assert_eq!(members[0].stats().transport.requests, 0, "nothing was sent");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stream_to_left_or_failed_member_is_refused() {
    let members = TestCluster::new().of(3).await;
    members[1].shutdown().await;
    members[2].shutdown_now();
    for (name, state) in [("b", NodeState::Left), ("c", NodeState::Failed)] {
        until(|| state_of(&members[0], name) == Some(state)).await;
        let error = members[0].open_stream(&id(name), "echo").await.unwrap_err();
        assert_eq!(error, OpenError::NotMember { node: id(name), state });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn service_without_listener_is_refused() {
    let members = TestCluster::new().of(2).await;
    let error = members[0].open_stream(&id("b"), "nobody").await.unwrap_err();
    let refused = |error: &OpenError| {
        matches!(error, OpenError::Request(RequestError::Rejected { why: Rejection::UnknownService, .. }))
    };
    assert!(refused(&error), "{error}");
    let error = members[0].open_stream(&id("b"), "No Body").await.unwrap_err();
    assert!(matches!(error, OpenError::Request(RequestError::BadService { .. })), "{error}");
    // The service exists as long as its listener.
    let listener = members[1].accept("nobody").unwrap();
    members[0].open_stream(&id("b"), "nobody").await.unwrap();
    drop(listener);
    let error = members[0].open_stream(&id("b"), "nobody").await.unwrap_err();
    assert!(refused(&error), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unread_stream_blocks_its_writer_and_no_probe() {
    let members = TestCluster::new().of(2).await;
    let mut listener = members[0].accept("sink").unwrap();
    let mut ours = members[1].open_stream(&id("a"), "sink").await.unwrap();
    let (_, mut theirs) = soon(listener.accept()).await.unwrap();
    let mut events = members[1].subscribe();
    let piece = bytes::Bytes::from(vec![7; 64 * 1024]);
    let mut sent = 0;
    // A write that does not finish within several probe intervals waits until the peer reads.
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
    assert_eq!(got, sent, "exactly the accepted bytes arrive");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_backlog_refuses_streams() {
    let members = TestCluster::new().of(2).await;
    let mut listener = members[0].accept("slow").unwrap();
    let mut streams = Vec::new();
    // 16: the default backlog of the transport.
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
async fn shutdown_ends_streams_and_refuses_new_ones() {
    let members = TestCluster::new().of(2).await;
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
