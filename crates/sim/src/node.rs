//! One simulated node: its name and address, which stay, and its process, which comes and goes with each life.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use kinfolk_core::{Incarnation, Instant, NodeAddr, NodeId, NodeStatus, Rng, SharedNodeRegistry, Snapshot};
use kinfolk_detector::{HealthChecker, HealthConfig};
use kinfolk_swim::{Command, CommandId, Machine, ReplyId, RequestId, SwimConfig};

use crate::clock::Clock;
use crate::tickets::Ticket;
use crate::traffic::Traffic;
use crate::world::{Arrival, Letter};

/// The place of a node in its world, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeIndex(pub usize);

impl NodeIndex {
    /// The name of the node in this place. Names are ordered as places are.
    ///
    /// # Panics
    /// Never: the name is a DNS label for every number.
    pub fn id(self) -> NodeId {
        NodeId::new(&self.to_string()).expect("a letter and digits are a DNS label")
    }

    /// The place of the node of this name, if it is such a name.
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
    // First what every message looks at, in this order, so that it takes few lines of the cache.
    pub id: NodeId,
    pub clock: Clock,
    /// How much later than it should it handles what comes, and wakes.
    pub slow: Duration,
    pub traffic: Traffic,
    pub process: Option<Process>,
    pub addr: NodeAddr,
    /// How far its time of day has been set back.
    pub set_back: Duration,
    /// The last incarnation of its former life, if it remembers that.
    pub remembered: Option<Incarnation>,
    /// What has come for it while it pauses or is blocked.
    pub waiting: VecDeque<Arrival>,
    /// What it is stuck with while it is blocked.
    pub held: VecDeque<Letter>,
    /// Whether its machine was told that it waits for them to go out.
    pub congested: bool,
}

/// One life of a node.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Process {
    /// The requests that wait for their one end, each with its deadline, in the order of their numbers.
    requests: Vec<(RequestId, Ticket)>,
    pub health: Option<Box<HealthChecker>>,
    /// The machine's registry, which the tests write to plant a fault.
    pub registry: SharedNodeRegistry,
    pub machine: Machine,
    /// What observers have seen of its view.
    pub seen: Arc<Snapshot>,
    /// Whom the machine watches.
    pub subjects: Vec<NodeId>,
    pub commands: Commands,
}

/// Who waits for the answer to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Asker {
    pub node: NodeIndex,
    pub life: u32,
    pub request: RequestId,
}

impl Asker {
    /// The bits of a [`ReplyId`] for each part; they suffice for a million nodes with 255 lives of 68 billion requests.
    const REQUEST_BITS: u32 = 36;
    const LIFE_BITS: u32 = 8;

    /// The name that the receiver has for the request: it says itself who asked.
    pub(crate) fn name(self) -> ReplyId {
        let fits = self.request.0 >> Self::REQUEST_BITS == 0 && self.life >> Self::LIFE_BITS == 0;
        assert!(fits, "{} has had too many lives or requests", self.node);
        let node_and_life = (self.node.0 as u64) << Self::LIFE_BITS | u64::from(self.life);
        ReplyId(node_and_life << Self::REQUEST_BITS | self.request.0)
    }

    pub(crate) fn of(name: ReplyId) -> Self {
        let low = |value: u64, bits: u32| value & ((1 << bits) - 1);
        let node_and_life = name.0 >> Self::REQUEST_BITS;
        let part = |value: u64| u32::try_from(value).expect("each part has fewer than 32 bits");
        Self {
            node: NodeIndex(part(node_and_life >> Self::LIFE_BITS) as usize),
            life: part(low(node_and_life, Self::LIFE_BITS)),
            request: RequestId(low(name.0, Self::REQUEST_BITS)),
        }
    }
}

/// The application's commands that have not ended.
#[derive(Debug, Default)]
pub(crate) struct Commands {
    open: BTreeMap<CommandId, Asked>,
    made: u64,
}

/// What a command was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// A join through a node, after so many failed ones.
    Join(NodeIndex, u32),
    /// Anything that is not tried again.
    Once,
}

impl Node {
    pub(crate) fn new(index: NodeIndex) -> Self {
        let place = u32::try_from(index.0).unwrap_or(u32::MAX);
        let [_, high, middle, low] = place.to_be_bytes();
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
            congested: false,
            traffic: Traffic::default(),
        }
    }
}

impl Process {
    /// Begins a life with what is known already; `phi` says whether the silence of others is watched.
    pub(crate) fn start(
        me: NodeStatus,
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
            machine: Machine::new(Arc::clone(config), me, registry.clone(), rng, now),
            registry,
            health,
            seen: Arc::default(),
            subjects: Vec::new(),
            requests: Vec::new(),
            commands: Commands::default(),
        }
    }

    /// A request goes out, to be ended by that deadline.
    pub(crate) fn open(&mut self, request: RequestId, deadline: Ticket) {
        let is_next = self.requests.last().is_none_or(|(last, _)| *last < request);
        assert!(is_next, "a machine numbers its requests upwards");
        self.requests.push((request, deadline));
    }

    /// Whether a request has not ended yet.
    pub(crate) fn waits(&self, request: RequestId) -> bool {
        self.place_of(request).is_some()
    }

    /// This is the one end of a request, unless it has ended before: its deadline.
    pub(crate) fn close(&mut self, request: RequestId) -> Option<Ticket> {
        self.place_of(request).map(|place| self.requests.remove(place).1)
    }

    /// How many requests have not ended.
    pub(crate) fn requests(&self) -> usize {
        self.requests.len()
    }

    fn place_of(&self, request: RequestId) -> Option<usize> {
        self.requests.binary_search_by_key(&request, |(request, _)| *request).ok()
    }

    /// Names a new command.
    pub(crate) fn command(&mut self, asked: Asked, command: Command) -> kinfolk_swim::Input {
        let id = CommandId(self.commands.made);
        self.commands.made += 1;
        self.commands.open.insert(id, asked);
        kinfolk_swim::Input::Command { id, command }
    }

    /// A command has ended: what it was for, once.
    pub(crate) fn ended(&mut self, id: CommandId) -> Option<Asked> {
        self.commands.open.remove(&id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_ordered_as_places_are() {
        let ids: Vec<_> = [0, 9, 10, 99, 100, 9_999].map(|place| NodeIndex(place).id()).into();
        assert!(ids.is_sorted());
        assert_eq!(ids[2].as_str(), "n0010");
    }

    #[test]
    fn a_place_is_found_by_its_name_and_nonsense_by_none() {
        for place in [0, 7, 9_999, 10_000] {
            assert_eq!(NodeIndex::of(&NodeIndex(place).id()), Some(NodeIndex(place)));
        }
        for name in ["n1", "m0001", "n", "node-0001"] {
            assert_eq!(NodeIndex::of(&NodeId::new(name).unwrap()), None, "{name}");
        }
    }

    #[test]
    fn a_request_is_found_by_the_name_that_its_receiver_has_for_it() {
        for (node, life, request) in [(0, 1, 0), (9_999, 255, 1), (1_048_575, 0, (1 << 36) - 1)] {
            let asker = Asker { node: NodeIndex(node), life, request: RequestId(request) };
            assert_eq!(Asker::of(asker.name()), asker);
        }
    }

    #[test]
    fn addresses_differ() {
        assert_ne!(Node::new(NodeIndex(1)).addr, Node::new(NodeIndex(257)).addr);
    }
}
