//! The members of the demonstration: certificates made in memory, one port each that the system chooses, and one channel
//! into which all their events flow.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use kinfolk::{
    Cluster, ClusterCa, ClusterConfig, ClusterEvent, ClusterId, NodeAddr, NodeId, NodeIdentity,
    ShutdownReport, Snapshot, SwimConfig,
};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::exit::{Failure, Status};

/// How many events wait for the story. When it is full, members' own channels fill, which then drop their oldest events
/// and say so.
const EVENTS_MAX: usize = 8_192;
/// How many connections a member keeps beyond those to all others: for those that are being replaced.
const SPARE_CONNECTIONS: usize = 16;

/// What one member saw, and when.
pub(super) struct Seen {
    pub(super) at: Instant,
    pub(super) by: NodeId,
    pub(super) event: ClusterEvent,
}

/// All members, running or not.
pub(super) struct Nodes {
    all: Vec<Node>,
    events: mpsc::Sender<Seen>,
    /// The protocol's settings: the defaults.
    pub(super) swim: SwimConfig,
}

struct Node {
    identity: NodeIdentity,
    running: Option<Cluster>,
}

impl Nodes {
    /// The certificates of `count` members, none of which runs yet, and the channel of what they will see.
    pub(super) fn new(count: usize) -> Result<(Self, mpsc::Receiver<Seen>), Failure> {
        let identity = |ca: &ClusterCa, number: usize| -> Result<NodeIdentity, Failure> {
            let digits = count.to_string().len();
            let id = NodeId::new(&format!("node-{number:0digits$}")).expect("the name is a label");
            ca.issue(&id, Duration::from_hours(48)).map_err(|error| Failure::new(Status::Identity, error))
        };
        let cluster = ClusterId::new("demo").expect("the name is a label");
        let ca = ClusterCa::create(&cluster).map_err(|error| Failure::new(Status::Identity, error))?;
        let all = (1..=count)
            .map(|number| Ok(Node { identity: identity(&ca, number)?, running: None }))
            .collect::<Result<_, Failure>>()?;
        let (events, seen) = mpsc::channel(EVENTS_MAX);
        Ok((Self { all, events, swim: SwimConfig::default() }, seen))
    }

    /// The names of all, in their order.
    pub(super) fn names(&self) -> Vec<NodeId> {
        self.all.iter().map(|node| node.identity.id().clone()).collect()
    }

    /// Those that run, in their order.
    pub(super) fn running(&self) -> impl Iterator<Item = &Cluster> {
        self.all.iter().filter_map(|node| node.running.as_ref())
    }

    /// The running member of this name.
    pub(super) fn get(&self, name: &NodeId) -> Option<&Cluster> {
        self.running().find(|member| member.id() == name)
    }

    /// How the running member of this name sees the group.
    pub(super) fn view(&self, name: &NodeId) -> Option<Arc<Snapshot>> {
        self.get(name).map(Cluster::members)
    }

    /// Starts the member `number` (from 0), alone.
    pub(super) fn start(&mut self, number: usize) -> Result<Cluster, Failure> {
        let count = self.all.len();
        let node = &mut self.all[number];
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut config = ClusterConfig::new(node.identity.clone(), listen);
        config.swim = self.swim.clone();
        config.pool.max_total = config.pool.max_total.max(count + SPARE_CONNECTIONS);
        let member = Cluster::start(config).map_err(|error| {
            Failure::new(Status::Failed, format_args!("a member does not start: {error}"))
        })?;
        forward(&member, self.events.clone());
        node.running = Some(member.clone());
        Ok(member)
    }

    /// Takes the member of this name from those that run.
    pub(super) fn take(&mut self, name: &NodeId) -> Option<Cluster> {
        self.all.iter_mut().find(|node| node.identity.id() == name)?.running.take()
    }

    /// Joins `member` through those that listen at `seeds`, in the background; gives how long that took.
    pub(super) fn join(member: &Cluster, seeds: &[NodeAddr]) -> JoinHandle<Result<Duration, Failure>> {
        let (member, seeds) = (member.clone(), seeds.iter().map(ToString::to_string).collect::<Vec<_>>());
        let since = Instant::now();
        tokio::spawn(async move {
            let joined = member.join(&seeds).await;
            joined.map(|_| since.elapsed()).map_err(|error| {
                Failure::new(Status::Failed, format_args!("{} did not join: {error}", member.id()))
            })
        })
    }

    /// Lets `member` leave and stop, in the background.
    pub(super) fn leave(member: Cluster) -> JoinHandle<ShutdownReport> {
        tokio::spawn(async move { member.shutdown().await })
    }

    /// Bytes and datagrams that all running members have sent.
    pub(super) fn sent(&self) -> (u64, u64) {
        self.running().map(|member| member.stats().transport).fold((0, 0), |(bytes, datagrams), stats| {
            (bytes + stats.udp_bytes_sent, datagrams + stats.datagrams_sent)
        })
    }

    /// How many members have no updates left to pass on, and of how many.
    pub(super) fn quiet(&self) -> (usize, usize) {
        let is_quiet = |member: &&Cluster| member.stats().gossip.swim.queued == 0;
        (self.running().filter(is_quiet).count(), self.running().count())
    }
}

/// Hands on what `member` sees until it has stopped.
fn forward(member: &Cluster, events: mpsc::Sender<Seen>) {
    let (by, mut subscription) = (member.id().clone(), member.subscribe());
    tokio::spawn(async move {
        while let Some(event) = subscription.next().await {
            let seen = Seen { at: Instant::now(), by: by.clone(), event };
            if events.send(seen).await.is_err() {
                return;
            }
        }
    });
}
