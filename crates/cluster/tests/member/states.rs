//! Shutdown in each state of a member.

use std::time::Duration;

use kinfolk::{Cluster, NodeState, Phase, ShutdownReport};

use crate::{DEADLINE, TestCluster, local, until};

async fn shut_down(member: &Cluster) -> ShutdownReport {
    let report = tokio::time::timeout(DEADLINE, member.shutdown()).await.expect("the shutdown ends");
    assert_eq!(report.phases.len(), 6, "{report:?}");
    assert!(member.members().nodes().is_empty());
    report
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn member_that_just_started_shuts_down() {
    let member = TestCluster::new().start("a");
    assert!(shut_down(&member).await.is_clean());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shutdown_ends_a_join_between_attempts() {
    let cluster = TestCluster::new();
    let mut config = cluster.config("a");
    config.join.first_delay = Duration::from_hours(1);
    config.join.max_delay = Duration::from_hours(1);
    config.join.seed_timeout = Duration::from_millis(100);
    let member = Cluster::start(config).unwrap();
    let silent = std::net::UdpSocket::bind(local()).unwrap();
    let seed = silent.local_addr().unwrap().to_string();
    let joining = tokio::spawn({
        let member = member.clone();
        async move { member.join(&[seed]).await }
    });
    // The next attempt is an hour away.
    until(|| member.stats().transport.requests_failed > 0).await;
    assert!(shut_down(&member).await.is_clean());
    let error =
        tokio::time::timeout(DEADLINE, joining).await.expect("the join ends too").unwrap().unwrap_err();
    assert!(error.stopped, "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shutdown_ends_a_join_without_an_answer() {
    let cluster = TestCluster::new();
    let mut config = cluster.config("a");
    config.join.seed_timeout = Duration::from_hours(1);
    let member = Cluster::start(config).unwrap();
    let silent = std::net::UdpSocket::bind(local()).unwrap();
    let seed = silent.local_addr().unwrap().to_string();
    let joining = tokio::spawn({
        let member = member.clone();
        async move { member.join(&[seed]).await }
    });
    let mut datagram = [0; 2_048];
    tokio::task::spawn_blocking(move || silent.recv_from(&mut datagram))
        .await
        .unwrap()
        .expect("the member dials the seed");
    assert!(shut_down(&member).await.is_clean());
    let error =
        tokio::time::timeout(DEADLINE, joining).await.expect("the join ends too").unwrap().unwrap_err();
    assert!(error.stopped, "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn member_without_live_peers_shuts_down() {
    let members = TestCluster::new().of(3).await;
    members[1].shutdown_now();
    members[2].shutdown_now();
    shut_down(&members[0]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shutdown_after_leave_or_forced_stop_runs_all_phases() {
    let members = TestCluster::new().of(2).await;
    members[0].leave().await.unwrap();
    assert!(shut_down(&members[0]).await.is_clean());
    members[1].shutdown_now();
    members[1].shutdown_now();
    assert!(shut_down(&members[1]).await.is_clean());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn next_call_completes_a_cancelled_shutdown() {
    let members = TestCluster::new().of(2).await;
    // Polled once, so its first phase has started.
    let first = tokio::time::timeout(Duration::ZERO, members[0].shutdown()).await;
    assert!(first.is_err(), "the leave is not complete after one poll");
    assert!(shut_down(&members[0]).await.is_clean());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forced_stop_shortens_a_shutdown() {
    let cluster = TestCluster::new();
    let members = cluster.of(2).await;
    // The peer has crashed, so it never confirms the leave.
    members[1].shutdown_now();
    let ending = tokio::spawn({
        let member = members[0].clone();
        async move { member.shutdown().await }
    });
    until(|| crate::state_of(&members[0], "a") != Some(NodeState::Alive)).await;
    members[0].shutdown_now();
    let report = tokio::time::timeout(DEADLINE, ending).await.expect("the shutdown ends").unwrap();
    assert_eq!(report.phases.last().map(|phase| phase.phase), Some(Phase::CloseEvents));
}

#[tokio::test]
async fn each_shutdown_phase_logs_its_outcome() {
    let lines = crate::Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    let _here = tracing::subscriber::set_default(subscriber);
    let member = TestCluster::new().start("a");
    shut_down(&member).await;
    let text = lines.text();
    for phase in [
        "broadcast leave",
        "stop gossip",
        "stop health checker",
        "close connections",
        "clear registry",
        "close events",
    ] {
        let logged = |line: &str| line.contains(&format!("phase={phase} outcome=done took_ms="));
        assert!(text.lines().any(logged), "{phase}: {text}");
    }
}
