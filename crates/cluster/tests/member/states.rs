//! Shutting down from every state that a member can be in.

use std::time::Duration;

use kinfolk::{Cluster, NodeState, Phase, ShutdownReport};

use crate::{DEADLINE, Town, local, until};

async fn shut_down(member: &Cluster) -> ShutdownReport {
    let report = tokio::time::timeout(DEADLINE, member.shutdown()).await.expect("a shutdown has an end");
    assert_eq!(report.phases.len(), 6, "{report:?}");
    assert!(member.members().nodes().is_empty());
    report
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_has_only_just_started_shuts_down() {
    let member = Town::new().start("a");
    assert!(shut_down(&member).await.is_clean());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_whose_join_is_being_retried_shuts_down_and_the_join_ends_with_it() {
    let town = Town::new();
    let mut config = town.config("a");
    config.join.first_delay = Duration::from_hours(1);
    config.join.max_delay = Duration::from_hours(1);
    config.join.seed_timeout = Duration::from_millis(100);
    let member = Cluster::start(config).unwrap();
    let deaf = std::net::UdpSocket::bind(local()).unwrap();
    let seed = deaf.local_addr().unwrap().to_string();
    let joining = tokio::spawn({
        let member = member.clone();
        async move { member.join(&[seed]).await }
    });
    // Then the next attempt is an hour away.
    until(|| member.stats().transport.requests_failed > 0).await;
    assert!(shut_down(&member).await.is_clean());
    let error = tokio::time::timeout(DEADLINE, joining).await.expect("it ends too").unwrap().unwrap_err();
    assert!(error.stopped, "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_in_the_middle_of_a_join_that_nobody_answers_shuts_down() {
    let town = Town::new();
    let mut config = town.config("a");
    config.join.seed_timeout = Duration::from_hours(1);
    let member = Cluster::start(config).unwrap();
    let deaf = std::net::UdpSocket::bind(local()).unwrap();
    let seed = deaf.local_addr().unwrap().to_string();
    let joining = tokio::spawn({
        let member = member.clone();
        async move { member.join(&[seed]).await }
    });
    let mut word = [0; 2_048];
    tokio::task::spawn_blocking(move || deaf.recv_from(&mut word))
        .await
        .unwrap()
        .expect("it is being dialled");
    assert!(shut_down(&member).await.is_clean());
    let error = tokio::time::timeout(DEADLINE, joining).await.expect("it ends too").unwrap().unwrap_err();
    assert!(error.stopped, "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_whose_peers_all_crashed_shuts_down_within_its_limits() {
    let members = Town::new().of(3).await;
    members[1].shutdown_now();
    members[2].shutdown_now();
    shut_down(&members[0]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_after_a_leave_or_a_forced_end_runs_all_phases_too() {
    let members = Town::new().of(2).await;
    members[0].leave().await.unwrap();
    assert!(shut_down(&members[0]).await.is_clean());
    members[1].shutdown_now();
    members[1].shutdown_now();
    assert!(shut_down(&members[1]).await.is_clean());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_that_was_given_up_is_finished_by_the_next_call() {
    let members = Town::new().of(2).await;
    // Polled once: its first phase has begun.
    let first = tokio::time::timeout(Duration::ZERO, members[0].shutdown()).await;
    assert!(first.is_err(), "a leave takes longer than nothing");
    assert!(shut_down(&members[0]).await.is_clean());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forced_end_cuts_a_shutdown_short() {
    let town = Town::new();
    let members = town.of(2).await;
    // The peer takes the leave and never confirms it, because it has gone.
    members[1].shutdown_now();
    let ending = tokio::spawn({
        let member = members[0].clone();
        async move { member.shutdown().await }
    });
    until(|| crate::state_of(&members[0], "a") != Some(NodeState::Alive)).await;
    members[0].shutdown_now();
    let report = tokio::time::timeout(DEADLINE, ending).await.expect("it ends").unwrap();
    assert_eq!(report.phases.last().map(|phase| phase.phase), Some(Phase::CloseEvents));
}

#[tokio::test]
async fn each_phase_of_a_shutdown_logs_how_it_ended() {
    let lines = crate::Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    let _here = tracing::subscriber::set_default(subscriber);
    let member = Town::new().start("a");
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
        let told = |line: &str| line.contains(&format!("phase={phase} outcome=done took_ms="));
        assert!(text.lines().any(told), "{phase}: {text}");
    }
}
