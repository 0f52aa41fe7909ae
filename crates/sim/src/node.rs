//! One simulated node: its name and address, which stay, and its process, which comes and goes with each life.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;

use kinfolk_core::{Incarnation, NodeAddr, NodeId, NodeStatus, Rng, SharedNodeRegistry, Snapshot, Tags};
use kinfolk_detector::{HealthChecker, HealthConfig, PhiConfig};
use kinfolk_swim::{Command, CommandId, Machine, ReplyId, RequestId, SwimConfig};

use crate::world::{Arrival, Key};

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
}

impl fmt::Display for NodeIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("n{:04}", self.0))
    }
}

/// A node.
#[derive(Debug)]
pub(crate) struct Node {
    pub id: NodeId,
    pub addr: NodeAddr,
    pub process: Option<Process>,
    /// What has come for it while it pauses.
    pub waiting: VecDeque<Arrival>,
}

/// One life of a node.
#[derive(Debug)]
pub(crate) struct Process {
    pub machine: Machine,
    pub health: HealthChecker,
    /// What observers have seen of its view.
    pub seen: Arc<Snapshot>,
    /// When the machine will be woken, in the world's queue.
    pub wake: Option<Key>,
    /// The requests that wait for their one answer.
    pub requests: BTreeMap<RequestId, Flight>,
    pub commands: Commands,
}

/// A request on its way: the name that the receiver has for it, and its deadline in the world's queue.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flight {
    pub reply: ReplyId,
    pub deadline: Key,
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
        Self { id: index.id(), addr, process: None, waiting: VecDeque::new() }
    }
}

impl Process {
    pub(crate) fn start(
        node: &Node,
        incarnation: Incarnation,
        config: &SwimConfig,
        rng: Rng,
        now: kinfolk_core::Instant,
    ) -> Self {
        let registry = SharedNodeRegistry::new();
        let me = NodeStatus::alive(node.id.clone(), node.addr, incarnation, Tags::empty());
        let machine = Machine::new(config.clone(), me, registry.clone(), rng, now);
        let phi = PhiConfig { expected_interval: config.probe_interval, ..PhiConfig::default() };
        let health = HealthConfig { phi, ..HealthConfig::default() };
        let health = HealthChecker::new(health, node.id.clone(), registry, now)
            .expect("the default settings are valid");
        Self {
            machine,
            health,
            seen: Arc::default(),
            wake: None,
            requests: BTreeMap::new(),
            commands: Commands::default(),
        }
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
    fn addresses_differ() {
        assert_ne!(Node::new(NodeIndex(1)).addr, Node::new(NodeIndex(257)).addr);
    }
}
