//! Members on loopback QUIC. The carrier of each member can drop or delay messages to a peer, and
//! records what it sends.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kinfolk_core::signed::Revocation;
use kinfolk_core::{
    ClusterEvent, ClusterId, EventBus, Incarnation, NodeId, NodeState, NodeStatus, RegistryView,
    RegistryWriter, Subscription, Tags,
};
use kinfolk_detector::{HealthChecker, HealthConfig, SuspicionRule};
use kinfolk_gossip::{Carrier, Certificates, Clock, GossipConfig, NoAnswer, Parts, SwimProtocol};
use kinfolk_swim::{Delivery, Message, NoReply, SwimConfig, codec};
use kinfolk_transport::{
    Certificate, ClusterCa, Incoming, NodeIdentity, Peer, Transport, TransportConfig, WallClock,
};
use parking_lot::Mutex;

/// Longer than any step takes on the slowest machine.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);

/// Shorter intervals and suspicions than the defaults, so that tests end soon.
pub(crate) fn fast() -> SwimConfig {
    SwimConfig {
        probe_interval: Duration::from_millis(400),
        probe_timeout: Duration::from_millis(150),
        suspicion: SuspicionRule { alpha: 2.0, ..SuspicionRule::lifeguard() },
        gossip_interval: Duration::from_millis(50),
        ..SwimConfig::lifeguard()
    }
}

/// A fault of the messages to a peer.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// They do not arrive.
    Dropped,
    /// They arrive this much later.
    Late(Duration),
}

/// The transport, with faults in front of it.
#[derive(Debug, Clone)]
pub(crate) struct Faulty {
    transport: Transport,
    faults: Arc<Mutex<HashMap<NodeId, Fault>>>,
    sent: Arc<Mutex<Vec<(NodeId, Bytes)>>>,
}

impl Faulty {
    async fn delay(&self, to: &Peer, within: Duration) -> Result<(), NoAnswer> {
        let fault = self.faults.lock().get(&to.id).copied();
        match fault {
            None => Ok(()),
            Some(Fault::Dropped) => {
                // Sleeps because silence until the deadline is the fault.
                tokio::time::sleep(within).await;
                Err(NoAnswer { why: NoReply::Silent, cause: "the test dropped it".into() })
            }
            Some(Fault::Late(by)) => {
                // Sleeps because a slow path is the fault.
                tokio::time::sleep(by).await;
                Ok(())
            }
        }
    }
}

impl Carrier for Faulty {
    async fn request(&self, to: &Peer, body: Bytes, delivery: Delivery) -> Result<Bytes, NoAnswer> {
        self.sent.lock().push((to.id.clone(), body.clone()));
        self.delay(to, delivery.within).await?;
        Carrier::request(&self.transport, to, body, delivery).await
    }

    async fn send(&self, to: &Peer, body: Bytes, delivery: Delivery) -> Result<(), NoAnswer> {
        self.sent.lock().push((to.id.clone(), body.clone()));
        self.delay(to, delivery.within).await?;
        Carrier::send(&self.transport, to, body, delivery).await
    }

    fn certificate_of(&self, id: &NodeId) -> Option<Arc<Certificate>> {
        Carrier::certificate_of(&self.transport, id)
    }

    fn renewed(&self, certificate: &Certificate) {
        Carrier::renewed(&self.transport, certificate);
    }

    fn revoke(&self, revocation: &Revocation) {
        Carrier::revoke(&self.transport, revocation);
    }

    fn set_lateness(&self, late: Duration) {
        Carrier::set_lateness(&self.transport, late);
    }

    async fn port_is_closed(&self, to: &Peer, within: Duration) -> bool {
        Carrier::port_is_closed(&self.transport, to, within).await
    }
}

/// A certificate authority, and members with its certificates.
pub(crate) struct Group {
    ca: ClusterCa,
    swim: SwimConfig,
    pub nodes: Vec<Node>,
}

pub(crate) struct Node {
    pub protocol: SwimProtocol,
    pub registry: RegistryView,
    pub events: EventBus,
    pub transport: Transport,
    faulty: Faulty,
}

impl Group {
    /// `count` members named `n0`, `n1`, and so on. They join through `n0`, and each knows all
    /// others.
    pub(crate) async fn of(count: usize, swim: SwimConfig) -> Self {
        let mut group = Self::empty(swim);
        for number in 0..count {
            group.add(&format!("n{number}"));
            let seed = group.nodes[0].peer();
            if number > 0 {
                group.nodes[number].protocol.join(&seed).await.unwrap();
            }
        }
        group.settle(|registry| registry.count(NodeState::Alive) == count).await;
        group
    }

    pub(crate) fn empty(swim: SwimConfig) -> Self {
        let ca = ClusterCa::create(&ClusterId::new("test").unwrap()).unwrap();
        Self { ca, swim, nodes: Vec::new() }
    }

    /// A transport with a certificate of the cluster, without the protocol.
    pub(crate) fn bare(&self, name: &str) -> (Transport, Incoming) {
        bind(&self.identity(name))
    }

    /// A new identity with a certificate of the cluster.
    pub(crate) fn identity(&self, name: &str) -> NodeIdentity {
        self.ca.issue(&id(name), Duration::from_hours(1)).unwrap()
    }

    /// Starts a member that knows only itself.
    pub(crate) fn add(&mut self, name: &str) -> &Node {
        let identity = self.identity(name);
        let (transport, incoming) = bind(&identity);
        let (registry, events, clock) = (RegistryWriter::new(), EventBus::new(), Clock::start());
        let view = registry.view();
        let health =
            HealthChecker::new(HealthConfig::default(), id(name), registry.view(), clock.now()).unwrap();
        let now = Incarnation::new(1_000 + self.nodes.len() as u64);
        let me = NodeStatus::alive(id(name), transport.advertised_addr(), now, Tags::empty());
        let faulty = Faulty { transport: transport.clone(), faults: Arc::default(), sent: Arc::default() };
        let parts = Parts {
            identity,
            certificates: Certificates::default(),
            certificate_clock: WallClock::system(),
            revoked: transport.revoked(),
            on_revoked: None,
            registry,
            events: events.clone(),
            health,
            clock,
            reserve: None,
            dormant: false,
            forgotten: None,
        };
        let carried = (faulty.clone(), incoming);
        let config = (self.swim.clone(), GossipConfig::default());
        let protocol = SwimProtocol::start(config, me, 7 + self.nodes.len() as u64, carried, parts).unwrap();
        self.nodes.push(Node { protocol, registry: view, events, transport, faulty });
        self.nodes.last().unwrap()
    }

    /// Waits until `wanted` holds for the view of every member.
    pub(crate) async fn settle(&self, wanted: impl Fn(&RegistryView) -> bool) {
        for node in &self.nodes {
            node.until(|node| wanted(&node.registry)).await;
        }
    }

    pub(crate) async fn stop(self) {
        for node in &self.nodes {
            node.protocol.stop().await;
        }
        for node in &self.nodes {
            node.transport.close(Duration::from_secs(2)).await;
        }
    }
}

impl Node {
    pub(crate) fn peer(&self) -> Peer {
        Peer::new(self.protocol.id().clone(), self.transport.advertised_addr())
    }

    /// Sets the fault of messages from this member to `to`.
    pub(crate) fn fault(&self, to: &str, fault: Fault) {
        self.faulty.faults.lock().insert(id(to), fault);
    }

    /// Crashes: the sockets close and the tasks end, and no other member is notified.
    pub(crate) fn crash(&self) {
        self.protocol.signal_stop();
        self.transport.abort();
    }

    /// The sent messages of the machine: receiver, length in bytes, content.
    pub(crate) fn sent(&self) -> Vec<(NodeId, usize, Message)> {
        let sent = self.faulty.sent.lock();
        let message = |body: &Bytes| codec::decode(body).ok().map(|message| message.peek().clone());
        // A request for certificates is no message of the machine.
        sent.iter().filter_map(|(to, body)| Some((to.clone(), body.len(), message(body)?))).collect()
    }

    pub(crate) fn state_of(&self, name: &str) -> Option<NodeState> {
        self.registry.get(&id(name)).map(|node| node.state)
    }

    /// Waits until `wanted` holds.
    pub(crate) async fn until(&self, wanted: impl Fn(&Self) -> bool) {
        let waiting = async {
            while !wanted(self) {
                // Sleeps because a registry has no event for every change. The deadline bounds the
                // wait.
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let view = || self.registry.snapshot();
        let ended = tokio::time::timeout(DEADLINE, waiting).await;
        assert!(
            ended.is_ok(),
            "{}: the condition did not hold within {DEADLINE:?}; its view is {:#?}",
            self.protocol.id(),
            view()
        );
    }
}

/// Waits for the first event that `wanted` selects.
pub(crate) async fn event<T>(events: &mut Subscription, wanted: impl Fn(&ClusterEvent) -> Option<T>) -> T {
    let waiting = async {
        loop {
            let event = events.next().await.expect("the bus is open");
            if let Some(found) = wanted(&event) {
                return found;
            }
        }
    };
    tokio::time::timeout(DEADLINE, waiting).await.expect("the event came in time")
}

pub(crate) fn bind(identity: &NodeIdentity) -> (Transport, Incoming) {
    Transport::bind(TransportConfig::new("127.0.0.1:0".parse().unwrap(), identity.clone())).unwrap()
}

pub(crate) fn id(name: &str) -> NodeId {
    NodeId::new(name).unwrap()
}
