//! Members as an application uses them: start, join, tags, broadcast, leave and the ways to end.

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

/// Beyond what any step here takes on the slowest machine.
const DEADLINE: Duration = Duration::from_mins(1);

struct Town {
    ca: ClusterCa,
}

impl Town {
    fn new() -> Self {
        Self { ca: ClusterCa::create(&ClusterId::new("town").unwrap()).unwrap() }
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

    /// Members `a`, `b`, `c` ... that all know each other.
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
            // Sleeps because a view has no event for every change; the deadline is what bounds the wait.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(DEADLINE, waiting).await.expect("it came about in time");
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

/// Log lines, kept.
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
    let members = Town::new().of(3).await;
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
async fn large_tags_reach_every_member_whole() {
    let members = Town::new().of(3).await;
    let tags = Tags::new([("large", "x".repeat(15_000))]).unwrap();
    members[2].update_tags(tags.clone()).await.unwrap();
    for member in &members {
        until(|| member.members().get(&id("c")).is_some_and(|node| node.tags == tags)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_tag_updates_on_two_members_both_arrive() {
    let members = Town::new().of(3).await;
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
    let members = Town::new().of(4).await;
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
    let members = Town::new().of(2).await;
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
    let members = Town::new().of(2).await;
    let (first, second) = tokio::join!(members[0].shutdown(), members[0].shutdown());
    assert_eq!(first, second);
    assert_eq!(members[0].shutdown().await, first);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shutdown_phase_timeouts_enforced() {
    let town = Town::new();
    let mut config = town.config("z");
    config.shutdown = ShutdownLimits { leave: Duration::from_millis(50), ..ShutdownLimits::default() };
    let (gone, member) = (town.start("a"), Cluster::start(config).unwrap());
    member.join(&[gone.addr().to_string()]).await.unwrap();
    // The only one who could confirm the leave has crashed: without the limit it would be waited for.
    gone.shutdown_now();
    let report = member.shutdown().await;
    assert_eq!(report.phases[0].outcome, PhaseOutcome::TimedOut);
    assert_eq!(report.phases.len(), 6, "the others ran all the same");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn force_shutdown_is_immediate() {
    let members = Town::new().of(2).await;
    let mut events = members[1].subscribe();
    let addr = members[0].addr().socket();
    members[0].shutdown_now();
    assert!(members[0].members().nodes().is_empty() && members[0].subscribe().recv().is_none());
    let failed = |event: &ClusterEvent| match event {
        ClusterEvent::NodeFailed { node, cause } => Some((node.id.clone(), cause.clone())),
        ClusterEvent::NodeLeft { .. } => panic!("it said goodbye"),
        _ => None,
    };
    let (failed, cause) = event(&mut events, failed).await;
    assert!(failed == id("a") && matches!(cause.reason, Reason::PortClosed { .. }), "{cause}");
    let findings = members[1].explain(&id("a")).await.unwrap();
    assert_eq!(
        findings.last().map(|evidence| &evidence.cause),
        Some(&cause),
        "it can be explained afterwards"
    );
    until(|| std::net::UdpSocket::bind(addr).is_ok()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drop_signals_shutdown() {
    let mut members = Town::new().of(2).await;
    let last = members.remove(0);
    let (addr, mut events) = (last.addr().socket(), last.subscribe());
    drop(last);
    // The subscription ends, and the port is free again.
    while events.next().await.is_some() {}
    until(|| std::net::UdpSocket::bind(addr).is_ok()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_seeds_unreachable() {
    let town = Town::new();
    let mut config = town.config("a");
    config.join.max_delay = Duration::from_millis(4);
    config.join.seed_timeout = Duration::from_millis(100);
    let member = Cluster::start(config).unwrap();
    // One that answers nothing, one whose name does not resolve, one that makes no sense.
    let deaf = std::net::UdpSocket::bind(local()).unwrap();
    let seeds =
        [deaf.local_addr().unwrap().to_string(), "no-such-host.invalid:1".to_owned(), "nonsense".to_owned()];
    let error = member.join(&seeds).await.unwrap_err();
    assert_eq!(error.attempts, 10);
    assert_eq!(error.seeds.iter().map(|seed| seed.seed.clone()).collect::<Vec<_>>(), seeds);
    let text = error.to_string();
    assert!(seeds.iter().all(|seed| text.contains(seed.as_str())), "{text}");

    // It is ready for another join.
    let other = town.start("b");
    assert_eq!(member.join(&[other.addr().to_string()]).await.unwrap().members, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn joins_on_nth_attempt() {
    let town = Town::new();
    let addr = std::net::UdpSocket::bind(local()).unwrap().local_addr().unwrap();
    let mut config = town.config("a");
    config.join.seed_timeout = Duration::from_millis(100);
    config.join.first_delay = Duration::from_millis(200);
    let (member, mut late) = (Cluster::start(config).unwrap(), town.config("b"));
    late.listen = addr;
    let joining = tokio::spawn({
        let member = member.clone();
        async move { member.join(&[addr.to_string()]).await }
    });
    // The seed comes up only once the first attempt has failed.
    until(|| member.stats().transport.requests_failed > 0).await;
    let _late = Cluster::start(late).unwrap();
    assert_eq!(joining.await.unwrap().unwrap().through, [id("b")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_bad_seed_among_good_ones_costs_nothing() {
    let town = Town::new();
    let (a, b) = (town.start("a"), town.start("b"));
    let report = b.join(&["nonsense".to_owned(), a.addr().to_string(), b.addr().to_string()]).await.unwrap();
    assert_eq!((report.members, report.through), (2, vec![id("a")]));
    assert_eq!(report.failed.iter().map(|seed| seed.seed.as_str()).collect::<Vec<_>>(), ["nonsense"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_who_is_its_own_only_seed_is_content() {
    let member = Town::new().start("a");
    assert_eq!(member.join(&[member.addr().to_string()]).await.unwrap().members, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_seed_that_uses_our_own_certificate_is_not_taken_for_ourselves() {
    let town = Town::new();
    let mut config = town.config("a");
    config.join.attempts = Some(1);
    let (one, twin) = (town.start("a"), Cluster::start(config).unwrap());
    let error = twin.join(&[one.addr().to_string()]).await.unwrap_err();
    assert!(error.to_string().contains("certificate"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_of_another_authority_is_not_let_in() {
    let (town, other) = (Town::new(), Town::new());
    let (a, mut config) = (town.start("a"), other.config("b"));
    config.join.attempts = Some(1);
    let stranger = Cluster::start(config).unwrap();
    let error = stranger.join(&[a.addr().to_string()]).await.unwrap_err();
    assert!(error.to_string().contains("certificate"), "{error}");
    assert_eq!(a.members().nodes().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_who_comes_back_after_a_leave_is_a_member_again() {
    let town = Town::new();
    let members = town.of(2).await;
    members[1].shutdown().await;
    until(|| state_of(&members[0], "b") == Some(NodeState::Left)).await;
    let again = town.start("b");
    again.join(&[members[0].addr().to_string()]).await.unwrap();
    until(|| state_of(&members[0], "b") == Some(NodeState::Alive)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_start_says_why() {
    let town = Town::new();
    let running = town.start("a");
    let mut config = town.config("b");
    config.listen = running.addr().socket();
    let error = Cluster::start(config).unwrap_err();
    assert!(matches!(error, ClusterError::Transport(TransportError::PortInUse { .. })), "{error}");

    let mut config = town.config("b");
    config.listen = "0.0.0.0:0".parse().unwrap();
    let error = Cluster::start(config).unwrap_err();
    assert!(error.to_string().contains("advertise"), "{error}");

    let mut config = town.config("b");
    config.swim.probe_timeout = config.swim.probe_interval;
    let error = Cluster::start(config).unwrap_err();
    assert!(error.to_string().contains("probe_timeout"), "{error}");
}
