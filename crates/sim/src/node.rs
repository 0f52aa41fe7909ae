//! One simulated node. Its name and address are permanent; its process is new in each instance.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use kinfolk_core::signed::Sign;
use kinfolk_core::{Incarnation, Instant, NodeAddr, NodeId, NodeStatus, Rng, SharedNodeRegistry, Snapshot};
use kinfolk_detector::{HealthChecker, HealthConfig};
use kinfolk_swim::{Command, CommandId, Machine, ReplyId, RequestId, SwimConfig};

use crate::clock::Clock;
use crate::tickets::Ticket;
use crate::traffic::Traffic;
use crate::world::{Arrival, Outgoing};

/// The index of a node in its world, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeIndex(pub usize);

impl NodeIndex {
    /// The name of the node with this index. The order of names is the order of indices.
    ///
    /// # Panics
    /// Never: the name is a DNS label for every number.
    pub fn id(self) -> NodeId {
        NodeId::new(&self.to_string()).expect("a letter and digits are a DNS label")
    }

    /// The index of the node with this name; `None` if the name has another form.
    pub fn of(id: &NodeId) -> Option<Self> {
        let digits = id.as_str().strip_prefix('n')?;
        digits.parse().ok().filter(|_| digits.len() >= 4).map(Self)
    }
}

impl fmt::Display for NodeIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("n{:04}", self.0))
    }
}

/// A node.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Node {
    // The first fields are those that every message needs, so that they share few cache lines.
    pub id: NodeId,
    pub clock: Clock,
    /// By how much the node handles messages, and wakes, late.
    pub slow: Duration,
    pub traffic: Traffic,
    pub process: Option<Process>,
    pub addr: NodeAddr,
    /// How far the node's wall clock is set back.
    pub set_back: Duration,
    /// The last incarnation of its previous instance, if the scenario lets nodes remember it.
    pub remembered: Option<Incarnation>,
    /// What arrived while the node was paused or blocked.
    pub waiting: VecDeque<Arrival>,
    /// The messages that cannot go out while the node is blocked.
    pub held: VecDeque<Outgoing>,
    /// Whether its machine knows that the outbox is full.
    pub outbox_full: bool,
}

/// One instance of a node: its running process.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Process {
    /// The requests that have not ended, each with its deadline, in the order of their numbers.
    requests: Vec<(RequestId, Ticket)>,
    pub health: Option<Box<HealthChecker>>,
    /// The machine's registry, which tests change in order to plant a fault.
    pub registry: SharedNodeRegistry,
    pub machine: Machine,
    /// The view as the observers saw it last.
    pub seen: Arc<Snapshot>,
    /// The subjects that the machine watches.
    pub subjects: Vec<NodeId>,
    pub commands: Commands,
}

/// The origin of a request: which instance waits for the reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Requester {
    pub node: NodeIndex,
    pub instance: u32,
    pub request: RequestId,
}

impl Requester {
    /// The bits of a [`ReplyId`] for each part. They are enough for a million nodes with 255
    /// instances and 68 billion requests each.
    const REQUEST_BITS: u32 = 36;
    const INSTANCE_BITS: u32 = 8;

    /// The identifier under which the receiver knows the request. It holds the whole origin, so the
    /// world keeps no table of open requests.
    pub(crate) fn name(self) -> ReplyId {
        let fits = self.request.0 >> Self::REQUEST_BITS == 0 && self.instance >> Self::INSTANCE_BITS == 0;
        assert!(fits, "{} had too many instances or requests", self.node);
        let node_and_instance = (self.node.0 as u64) << Self::INSTANCE_BITS | u64::from(self.instance);
        ReplyId(node_and_instance << Self::REQUEST_BITS | self.request.0)
    }

    pub(crate) fn of(name: ReplyId) -> Self {
        let low = |value: u64, bits: u32| value & ((1 << bits) - 1);
        let node_and_instance = name.0 >> Self::REQUEST_BITS;
        let part = |value: u64| u32::try_from(value).expect("each part has fewer than 32 bits");
        Self {
            node: NodeIndex(part(node_and_instance >> Self::INSTANCE_BITS) as usize),
            instance: part(low(node_and_instance, Self::INSTANCE_BITS)),
            request: RequestId(low(name.0, Self::REQUEST_BITS)),
        }
    }
}

/// The application's commands that have not ended.
#[derive(Debug, Default)]
pub(crate) struct Commands {
    open: BTreeMap<CommandId, Purpose>,
    made: u64,
}

/// The purpose of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A join through a member, and the number of failed joins before it.
    Join(NodeIndex, u32),
    /// A command that is not repeated.
    Once,
}

impl Node {
    pub(crate) fn new(index: NodeIndex) -> Self {
        let place = u32::try_from(index.0).unwrap_or(u32::MAX);
        let [_, high, middle, low] = place.to_be_bytes();
        // The index is part of the address, so addresses are unique.
        let addr = NodeAddr::new(([10, high, middle, low], 7_000).into());
        Self {
            id: index.id(),
            addr,
            process: None,
            clock: Clock::default(),
            slow: Duration::ZERO,
            set_back: Duration::ZERO,
            remembered: None,
            waiting: VecDeque::new(),
            held: VecDeque::new(),
            outbox_full: false,
            traffic: Traffic::default(),
        }
    }
}

impl Process {
    /// Starts an instance with a given registry. `phi` says whether members watch the silence of
    /// others.
    pub(crate) fn start(
        me: NodeStatus,
        signer: Arc<dyn Sign>,
        registry: SharedNodeRegistry,
        config: &Arc<SwimConfig>,
        phi: bool,
        rng: Rng,
        now: Instant,
    ) -> Self {
        let health = phi.then(|| {
            HealthChecker::new(config.adapt(HealthConfig::default()), me.id.clone(), registry.view(), now)
                .expect("the default settings are valid")
                .into()
        });
        Self {
            machine: Machine::new(Arc::clone(config), me, signer, registry.clone(), rng, now),
            registry,
            health,
            seen: Arc::default(),
            subjects: Vec::new(),
            requests: Vec::new(),
            commands: Commands::default(),
        }
    }

    /// Records a request that goes out, with its deadline.
    pub(crate) fn open(&mut self, request: RequestId, deadline: Ticket) {
        let is_next = self.requests.last().is_none_or(|(last, _)| *last < request);
        // Ascending numbers allow a binary search.
        assert!(is_next, "a machine numbers its requests upwards");
        self.requests.push((request, deadline));
    }

    /// Whether a request has not ended yet.
    pub(crate) fn waits(&self, request: RequestId) -> bool {
        self.place_of(request).is_some()
    }

    /// Ends a request and returns its deadline; `None` if it has ended before.
    pub(crate) fn close(&mut self, request: RequestId) -> Option<Ticket> {
        self.place_of(request).map(|place| self.requests.remove(place).1)
    }

    /// The number of requests that have not ended.
    pub(crate) fn requests(&self) -> usize {
        self.requests.len()
    }

    fn place_of(&self, request: RequestId) -> Option<usize> {
        self.requests.binary_search_by_key(&request, |(request, _)| *request).ok()
    }

    /// Gives a new command its identifier, and makes the machine's input from it.
    pub(crate) fn command(&mut self, purpose: Purpose, command: Command) -> kinfolk_swim::Input {
        let id = CommandId(self.commands.made);
        self.commands.made += 1;
        self.commands.open.insert(id, purpose);
        kinfolk_swim::Input::Command { id, command }
    }

    /// Ends a command and returns its purpose; `None` if it has ended before.
    pub(crate) fn ended(&mut self, id: CommandId) -> Option<Purpose> {
        self.commands.open.remove(&id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_the_order_of_indices() {
        let ids: Vec<_> = [0, 9, 10, 99, 100, 9_999].map(|place| NodeIndex(place).id()).into();
        assert!(ids.is_sorted());
        assert_eq!(ids[2].as_str(), "n0010");
    }

    #[test]
    fn index_is_found_by_its_name_only() {
        for place in [0, 7, 9_999, 10_000] {
            assert_eq!(NodeIndex::of(&NodeIndex(place).id()), Some(NodeIndex(place)));
        }
        for name in ["n1", "m0001", "n", "node-0001"] {
            assert_eq!(NodeIndex::of(&NodeId::new(name).unwrap()), None, "{name}");
        }
    }

    #[test]
    fn requester_is_found_by_its_reply_id() {
        for (node, instance, request) in [(0, 1, 0), (9_999, 255, 1), (1_048_575, 0, (1 << 36) - 1)] {
            let requester = Requester { node: NodeIndex(node), instance, request: RequestId(request) };
            assert_eq!(Requester::of(requester.name()), requester);
        }
    }

    #[test]
    fn addresses_are_distinct() {
        assert_ne!(Node::new(NodeIndex(1)).addr, Node::new(NodeIndex(257)).addr);
    }
}
