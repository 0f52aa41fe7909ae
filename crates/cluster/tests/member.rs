//! Members as an application uses them: start, join, tags, broadcasts, leave, and shutdown.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kinfolk::{
    Cluster, ClusterCa, ClusterConfig, ClusterError, ClusterEvent, ClusterId, GossipError, JoinPolicy,
    NodeId, NodeState, Phase, PhaseOutcome, Reason, ShutdownLimits, Subscription, SwimConfig, Tags,
    TransportError, USER_PAYLOAD_MAX,
};

#[path = "member/errors.rs"]
mod errors;
#[path = "member/states.rs"]
mod states;
#[path = "member/streams.rs"]
mod streams;

/// Longer than any step takes on the slowest machine.
const DEADLINE: Duration = Duration::from_mins(1);

/// A cluster with its certificate authority.
struct TestCluster {
    ca: ClusterCa,
}

impl TestCluster {
    fn new() -> Self {
        Self { ca: ClusterCa::create(&ClusterId::new("test").unwrap()).unwrap() }
    }

    fn config(&self, name: &str) -> ClusterConfig {
        let identity = self.ca.issue(&id(name), Duration::from_hours(1)).unwrap();
        let mut config = ClusterConfig::new(identity, local());
        config.swim = SwimConfig {
            probe_interval: Duration::from_millis(400),
            probe_timeout: Duration::from_millis(200),
            ..SwimConfig::default()
        };
        config.join = JoinPolicy { first_delay: Duration::from_millis(1), ..JoinPolicy::default() };
        config
    }

    fn start(&self, name: &str) -> Cluster {
        Cluster::start(self.config(name)).unwrap()
    }

    /// Members `a`, `b`, `c`, and so on. Each knows all others.
    async fn of(&self, count: u8) -> Vec<Cluster> {
        let mut members: Vec<Cluster> = Vec::new();
        for number in 0..count {
            let member = self.start(&char::from(b'a' + number).to_string());
            if let Some(first) = members.first() {
                member.join(&[first.addr().to_string()]).await.unwrap();
            }
            members.push(member);
        }
        for member in &members {
            until(|| member.members().members().count() == usize::from(count)).await;
        }
        members
    }
}

fn id(name: &str) -> NodeId {
    NodeId::new(name).unwrap()
}

fn local() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

async fn until(wanted: impl Fn() -> bool) {
    let waiting = async {
        while !wanted() {
            // Sleeps because a view has no event for every change. The deadline bounds the wait.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(DEADLINE, waiting).await.expect("the condition holds in time");
}

async fn event<T>(events: &mut Subscription, wanted: impl Fn(&ClusterEvent) -> Option<T>) -> T {
    let waiting = async {
        loop {
            if let Some(found) = wanted(&events.next().await.expect("the bus is open")) {
                return found;
            }
        }
    };
    tokio::time::timeout(DEADLINE, waiting).await.expect("the event came in time")
}

/// A writer that keeps the log lines.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

fn state_of(member: &Cluster, name: &str) -> Option<NodeState> {
    member.members().get(&id(name)).map(|node| node.state)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tags_and_broadcasts_reach_every_member() {
    let members = TestCluster::new().of(3).await;
    let mut events: Vec<_> = members[1..].iter().map(Cluster::subscribe).collect();
    members[0].update_tags(Tags::new([("role", "db")]).unwrap()).await.unwrap();
    members[0].broadcast("hello").await.unwrap();
    for (member, events) in members[1..].iter().zip(&mut events) {
        let hello = |event: &ClusterEvent| match event {
            ClusterEvent::Broadcast { from, payload } => Some((from.clone(), payload.clone())),
            _ => None,
        };
        assert_eq!(event(events, hello).await, (id("a"), "hello".into()));
        until(|| member.nodes_with_tag("role", "db").len() == 1).await;
    }
    let too_large = members[0].broadcast(vec![0; USER_PAYLOAD_MAX + 1]).await;
    assert!(matches!(too_large, Err(ClusterError::Gossip(GossipError::Command(_)))), "{too_large:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_tags_reach_every_member() {
    let members = TestCluster::new().of(3).await;
    let tags = Tags::new([("large", "x".repeat(15_000))]).unwrap();
    members[2].update_tags(tags.clone()).await.unwrap();
    for member in &members {
        until(|| member.members().get(&id("c")).is_some_and(|node| node.tags == tags)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_tag_updates_of_two_members_arrive() {
    let members = TestCluster::new().of(3).await;
    let tags = |name: &str| Tags::new([("set-by", name)]).unwrap();
    let (a, b) = tokio::join!(members[0].update_tags(tags("a")), members[1].update_tags(tags("b")));
    assert_eq!((a, b), (Ok(()), Ok(())));
    for member in &members {
        until(|| {
            member.nodes_with_tag("set-by", "a").len() == 1 && member.nodes_with_tag("set-by", "b").len() == 1
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leave_reaches_every_member() {
    let members = TestCluster::new().of(4).await;
    let mut events: Vec<_> = members[1..].iter().map(Cluster::subscribe).collect();
    let report = members[0].shutdown().await;
    assert!(report.is_clean(), "{report:?}");
    for events in &mut events {
        let left = |event: &ClusterEvent| match event {
            ClusterEvent::NodeLeft { node } => Some(node.id.clone()),
            ClusterEvent::NodeSuspected { node, .. } => panic!("{} is suspected", node.id),
            _ => None,
        };
        assert_eq!(event(events, left).await, id("a"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shutdown_runs_all_phases_in_order() {
    let members = TestCluster::new().of(2).await;
    let mut events = members[0].subscribe();
    let report = members[0].shutdown().await;
    let phases: Vec<Phase> = report.phases.iter().map(|phase| phase.phase).collect();
    let order = [
        Phase::BroadcastLeave,
        Phase::StopGossip,
        Phase::StopHealthChecker,
        Phase::CloseConnections,
        Phase::ClearRegistry,
        Phase::CloseEvents,
    ];
    assert_eq!(phases, order);
    assert!(report.phases.iter().all(|phase| phase.outcome == PhaseOutcome::Done), "{report:?}");
    assert!(members[0].members().nodes().is_empty());
    while events.recv().is_some() {}
    assert!(members[0].broadcast("late").await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shutdown_is_idempotent() {
    let members = TestCluster::new().of(2).await;
    let (first, second) = tokio::join!(members[0].shutdown(), members[0].shutdown());
    assert_eq!(first, second);
    assert_eq!(members[0].shutdown().await, first);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shutdown_phase_timeouts_enforced() {
    let cluster = TestCluster::new();
    let mut config = cluster.config("z");
    config.shutdown = ShutdownLimits { leave: Duration::from_millis(50), ..ShutdownLimits::default() };
    let (crashed, member) = (cluster.start("a"), Cluster::start(config).unwrap());
    member.join(&[crashed.addr().to_string()]).await.unwrap();
    // The only member that could confirm the leave has crashed. Without the limit, the leave would
    // wait for its confirmation.
    crashed.shutdown_now();
    let report = member.shutdown().await;
    assert_eq!(report.phases[0].outcome, PhaseOutcome::TimedOut);
    assert_eq!(report.phases.len(), 6, "the other phases ran all the same");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn force_shutdown_is_immediate() {
    let members = TestCluster::new().of(2).await;
    let mut events = members[1].subscribe();
    let addr = members[0].addr().socket();
    members[0].shutdown_now();
    assert!(members[0].members().nodes().is_empty() && members[0].subscribe().recv().is_none());
    let failed = |event: &ClusterEvent| match event {
        ClusterEvent::NodeFailed { node, cause } => Some((node.id.clone(), cause.clone())),
        ClusterEvent::NodeLeft { .. } => panic!("it left"),
        _ => None,
    };
    let (failed, cause) = event(&mut events, failed).await;
    assert!(failed == id("a") && matches!(cause.reason, Reason::PortClosed { .. }), "{cause}");
    let findings = members[1].explain(&id("a")).await.unwrap();
    assert_eq!(
        findings.last().map(|evidence| &evidence.cause),
        Some(&cause),
        "the finding is still there afterwards"
    );
    until(|| std::net::UdpSocket::bind(addr).is_ok()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drop_signals_shutdown() {
    let mut members = TestCluster::new().of(2).await;
    let last = members.remove(0);
    let (addr, mut events) = (last.addr().socket(), last.subscribe());
    drop(last);
    // The subscription ends, and the port becomes free.
    while events.next().await.is_some() {}
    until(|| std::net::UdpSocket::bind(addr).is_ok()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_seeds_unreachable() {
    let cluster = TestCluster::new();
    let mut config = cluster.config("a");
    config.join.max_delay = Duration::from_millis(4);
    config.join.seed_timeout = Duration::from_millis(100);
    let member = Cluster::start(config).unwrap();
    // A seed that does not answer, a name that does not resolve, and a text that is not a seed.
    let silent = std::net::UdpSocket::bind(local()).unwrap();
    let seeds = [
        silent.local_addr().unwrap().to_string(),
        "no-such-host.invalid:1".to_owned(),
        "nonsense".to_owned(),
    ];
    let error = member.join(&seeds).await.unwrap_err();
    assert_eq!(error.attempts, 10);
    assert_eq!(error.seeds.iter().map(|seed| seed.seed.clone()).collect::<Vec<_>>(), seeds);
    let text = error.to_string();
    assert!(seeds.iter().all(|seed| text.contains(seed.as_str())), "{text}");

    // The member is ready for another join.
    let other = cluster.start("b");
    assert_eq!(member.join(&[other.addr().to_string()]).await.unwrap().members, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn joins_on_nth_attempt() {
    let cluster = TestCluster::new();
    let addr = std::net::UdpSocket::bind(local()).unwrap().local_addr().unwrap();
    let mut config = cluster.config("a");
    config.join.seed_timeout = Duration::from_millis(100);
    config.join.first_delay = Duration::from_millis(200);
    let (member, mut late) = (Cluster::start(config).unwrap(), cluster.config("b"));
    late.listen = addr;
    let joining = tokio::spawn({
        let member = member.clone();
        async move { member.join(&[addr.to_string()]).await }
    });
    // The seed starts only after the first attempt has failed.
    until(|| member.stats().transport.requests_failed > 0).await;
    let _late = Cluster::start(late).unwrap();
    assert_eq!(joining.await.unwrap().unwrap().through, [id("b")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_seed_does_not_fail_a_join() {
    let cluster = TestCluster::new();
    let (a, b) = (cluster.start("a"), cluster.start("b"));
    let report = b.join(&["nonsense".to_owned(), a.addr().to_string(), b.addr().to_string()]).await.unwrap();
    assert_eq!((report.members, report.through), (2, vec![id("a")]));
    assert_eq!(report.failed.iter().map(|seed| seed.seed.as_str()).collect::<Vec<_>>(), ["nonsense"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn join_with_only_own_address_succeeds() {
    let member = TestCluster::new().start("a");
    assert_eq!(member.join(&[member.addr().to_string()]).await.unwrap().members, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn seed_with_our_certificate_is_refused() {
    let cluster = TestCluster::new();
    let mut config = cluster.config("a");
    config.join.attempts = Some(1);
    let (one, twin) = (cluster.start("a"), Cluster::start(config).unwrap());
    let error = twin.join(&[one.addr().to_string()]).await.unwrap_err();
    assert!(error.to_string().contains("certificate"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificate_of_another_ca_is_refused() {
    let (cluster, other) = (TestCluster::new(), TestCluster::new());
    let (a, mut config) = (cluster.start("a"), other.config("b"));
    config.join.attempts = Some(1);
    let stranger = Cluster::start(config).unwrap();
    let error = stranger.join(&[a.addr().to_string()]).await.unwrap_err();
    assert!(error.to_string().contains("certificate"), "{error}");
    assert_eq!(a.members().nodes().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn left_member_can_join_again() {
    let cluster = TestCluster::new();
    let members = cluster.of(2).await;
    members[1].shutdown().await;
    until(|| state_of(&members[0], "b") == Some(NodeState::Left)).await;
    let again = cluster.start("b");
    again.join(&[members[0].addr().to_string()]).await.unwrap();
    until(|| state_of(&members[0], "b") == Some(NodeState::Alive)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn start_error_names_the_cause() {
    let cluster = TestCluster::new();
    let running = cluster.start("a");
    let mut config = cluster.config("b");
    config.listen = running.addr().socket();
    let error = Cluster::start(config).unwrap_err();
    assert!(matches!(error, ClusterError::Transport(TransportError::PortInUse { .. })), "{error}");

    let mut config = cluster.config("b");
    config.listen = "0.0.0.0:0".parse().unwrap();
    let error = Cluster::start(config).unwrap_err();
    assert!(error.to_string().contains("advertise"), "{error}");

    let mut config = cluster.config("b");
    config.swim.probe_timeout = config.swim.probe_interval;
    let error = Cluster::start(config).unwrap_err();
    assert!(error.to_string().contains("probe_timeout"), "{error}");
}
