//! The members of the demo. Their certificates are made in memory, the system chooses their ports,
//! and all their events go into one channel.

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

/// The capacity of the channel of events. When it is full, the members' own channels fill. Those
/// drop their oldest events and report the number.
const EVENTS_MAX: usize = 8_192;
/// The number of connections that a member may keep beyond one to each other member: room for
/// connections that replace others.
const SPARE_CONNECTIONS: usize = 16;

/// An event, with the member that saw it and the time.
pub(super) struct Observation {
    pub(super) at: Instant,
    pub(super) by: NodeId,
    pub(super) event: ClusterEvent,
}

/// All members, running or stopped.
pub(super) struct Nodes {
    all: Vec<Node>,
    events: mpsc::Sender<Observation>,
    /// The settings of the protocol: the defaults.
    pub(super) swim: SwimConfig,
}

struct Node {
    identity: NodeIdentity,
    running: Option<Cluster>,
}

impl Nodes {
    /// Makes the certificates of `count` members, none of which runs yet. Also returns the channel
    /// of their events.
    pub(super) fn new(count: usize) -> Result<(Self, mpsc::Receiver<Observation>), Failure> {
        let identity = |ca: &ClusterCa, number: usize| -> Result<NodeIdentity, Failure> {
            // Leading zeros give all names one length, so that the tables line up.
            let digits = count.to_string().len();
            let id = NodeId::new(&format!("node-{number:0digits$}")).expect("the name is a label");
            // 48 hours: longer than the longest idle time, one day. It fails if the system has no
            // random numbers. What to do: see the error.
            ca.issue(&id, Duration::from_hours(48)).map_err(|error| Failure::new(Status::Identity, error))
        };
        let cluster = ClusterId::new("demo").expect("the name is a label");
        // The system gave no key or no random numbers. What to do: see the error.
        let ca = ClusterCa::create(&cluster).map_err(|error| Failure::new(Status::Identity, error))?;
        let all = (1..=count)
            .map(|number| Ok(Node { identity: identity(&ca, number)?, running: None }))
            .collect::<Result<_, Failure>>()?;
        let (events, seen) = mpsc::channel(EVENTS_MAX);
        Ok((Self { all, events, swim: SwimConfig::default() }, seen))
    }

    /// The names of all members, in order.
    pub(super) fn names(&self) -> Vec<NodeId> {
        self.all.iter().map(|node| node.identity.id().clone()).collect()
    }

    /// The members that run, in order.
    pub(super) fn running(&self) -> impl Iterator<Item = &Cluster> {
        self.all.iter().filter_map(|node| node.running.as_ref())
    }

    /// The running member of this name.
    pub(super) fn get(&self, name: &NodeId) -> Option<&Cluster> {
        self.running().find(|member| member.id() == name)
    }

    /// The view of the running member of this name.
    pub(super) fn view(&self, name: &NodeId) -> Option<Arc<Snapshot>> {
        self.get(name).map(Cluster::members)
    }

    /// Starts the member `number` (from 0). It does not join yet.
    pub(super) fn start(&mut self, number: usize) -> Result<Cluster, Failure> {
        let count = self.all.len();
        let node = &mut self.all[number];
        // Port 0: the system chooses a free port, so that two demos can run at the same time.
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut config = ClusterConfig::new(node.identity.clone(), listen);
        config.swim = self.swim.clone();
        config.pool.max_total = config.pool.max_total.max(count + SPARE_CONNECTIONS);
        // The member cannot bind a port, or the system refuses a socket. What to do: see the error.
        let member = Cluster::start(config)
            .map_err(|error| Failure::new(Status::Failed, format_args!("cannot start a member: {error}")))?;
        forward(&member, self.events.clone());
        node.running = Some(member.clone());
        Ok(member)
    }

    /// Removes the member of this name from the running members, and returns it.
    pub(super) fn take(&mut self, name: &NodeId) -> Option<Cluster> {
        self.all.iter_mut().find(|node| node.identity.id() == name)?.running.take()
    }

    /// Makes `member` join through the members at `seeds`, in the background. The task returns how
    /// long that took.
    pub(super) fn join(member: &Cluster, seeds: &[NodeAddr]) -> JoinHandle<Result<Duration, Failure>> {
        let (member, seeds) = (member.clone(), seeds.iter().map(ToString::to_string).collect::<Vec<_>>());
        let since = Instant::now();
        tokio::spawn(async move {
            let joined = member.join(&seeds).await;
            // No seed let the member in. What to do: check that the machine is not overloaded, and
            // that nothing filters UDP on the loopback interface.
            joined.map(|_| since.elapsed()).map_err(|error| {
                Failure::new(Status::Failed, format_args!("{} cannot join: {error}", member.id()))
            })
        })
    }

    /// Makes `member` leave and stop, in the background.
    pub(super) fn leave(member: Cluster) -> JoinHandle<ShutdownReport> {
        tokio::spawn(async move { member.shutdown().await })
    }

    /// The bytes and the datagrams that all running members have sent.
    pub(super) fn sent(&self) -> (u64, u64) {
        self.running().map(|member| member.stats().transport).fold((0, 0), |(bytes, datagrams), stats| {
            (bytes + stats.udp_bytes_sent, datagrams + stats.datagrams_sent)
        })
    }

    /// The number of running members without gossip updates left to send, and the number of all
    /// running members.
    pub(super) fn quiet(&self) -> (usize, usize) {
        let is_quiet = |member: &&Cluster| member.stats().gossip.swim.queued == 0;
        (self.running().filter(is_quiet).count(), self.running().count())
    }
}

/// Sends the events of `member` to the channel, until the member has stopped.
fn forward(member: &Cluster, events: mpsc::Sender<Observation>) {
    let (by, mut subscription) = (member.id().clone(), member.subscribe());
    tokio::spawn(async move {
        while let Some(event) = subscription.next().await {
            let seen = Observation { at: Instant::now(), by: by.clone(), event };
            if events.send(seen).await.is_err() {
                return;
            }
        }
    });
}
