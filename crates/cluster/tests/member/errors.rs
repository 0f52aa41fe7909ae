//! Errors of joins and calls: the type, the seed, the step, and what to do. Also what works
//! afterwards.

use std::time::Duration;

use kinfolk::{Cluster, GossipError, RequestError, SeedError};

use crate::{DEADLINE, TestCluster, local, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn join_error_names_seed_step_and_remedy() {
    let cluster = TestCluster::new();
    let mut config = cluster.config("a");
    config.join.attempts = Some(1);
    config.join.seed_timeout = Duration::from_millis(100);
    let member = Cluster::start(config).unwrap();
    let silent = std::net::UdpSocket::bind(local()).unwrap();
    let silent = silent.local_addr().unwrap().to_string();
    let error = member.join(&["no-port", "no-such-host.invalid:1", &silent]).await.unwrap_err();
    assert!(!error.stopped && error.attempts == 1, "{error:?}");
    let remedies = ["host:port", "host:port", "it or the network between may be down"];
    for (failure, remedy) in error.seeds.iter().zip(remedies) {
        assert!(
            failure.to_string().contains(&failure.seed) && failure.to_string().contains(remedy),
            "{failure}"
        );
    }
    let [first, second, third] = &error.seeds[..] else { panic!("{error}") };
    assert!(matches!(first.cause, SeedError::Resolve { .. }), "{first:?}");
    // On some machines the name server refuses; on others it does not answer.
    assert!(
        matches!(second.cause, SeedError::Resolve { .. } | SeedError::ResolveTimeout { .. }),
        "{second:?}"
    );
    assert!(matches!(third.cause, SeedError::Identify(RequestError::Timeout { .. })), "{third:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn member_is_usable_after_a_failed_join() {
    let cluster = TestCluster::new();
    let mut config = cluster.config("a");
    config.join.attempts = Some(2);
    let member = Cluster::start(config).unwrap();
    for _ in 0..3 {
        assert_eq!(member.join(&["nonsense"]).await.unwrap_err().attempts, 2);
    }
    let (b, c) = (cluster.start("b"), cluster.start("c"));
    assert_eq!(c.join(&[member.addr().to_string()]).await.unwrap().members, 2);
    assert_eq!(member.join(&[b.addr().to_string()]).await.unwrap().members, 3);
    until(|| [&b, &c].iter().all(|other| other.members().members().count() == 3)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_call_does_not_affect_the_next() {
    let members = TestCluster::new().of(2).await;
    let too_large = vec![0; kinfolk::USER_PAYLOAD_MAX + 1];
    let error = members[0].broadcast(too_large).await.unwrap_err();
    assert!(error.to_string().contains("broadcast a key"), "{error}");
    members[0].broadcast("small enough").await.unwrap();
    let error = members[0].open_stream(&crate::id("nobody"), "x").await.unwrap_err();
    assert!(error.to_string().contains("nobody") && error.to_string().contains("`members`"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn join_fails_at_once_after_leave_or_stop() {
    let cluster = TestCluster::new();
    let members = cluster.of(2).await;
    let third = cluster.start("z").addr().to_string();
    members[0].leave().await.unwrap();
    let join = async |member: &Cluster| {
        let joined = tokio::time::timeout(DEADLINE, member.join(std::slice::from_ref(&third))).await;
        joined.expect("the join ends").unwrap_err()
    };
    assert!(join(&members[0]).await.stopped);
    members[1].shutdown_now();
    let error = join(&members[1]).await;
    assert!(error.stopped && error.to_string().contains("start it again"), "{error}");
    let error = members[1].leave().await.unwrap_err();
    assert_eq!(error, kinfolk::ClusterError::Gossip(GossipError::Stopped));
}
