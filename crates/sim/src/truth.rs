//! The true state of all nodes, which only the simulator knows. Invariants compare the members'
//! views with it.

use kinfolk_core::{Incarnation, Instant, NodeId};

use crate::node::NodeIndex;

/// The true state of one node.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an independent fact, and most pairs of them are possible"
)]
pub struct TrueNode {
    /// The name of the node.
    pub id: NodeId,
    /// The number of its current or last instance; 0 before the first.
    pub instance: u32,
    /// The incarnation with which its current or last instance started.
    pub born: Incarnation,
    /// Whether its process exists.
    pub running: bool,
    /// Whether its process exists but is paused.
    pub paused: bool,
    /// Whether the messages that it sends, and those that arrive for it, wait.
    pub blocked: bool,
    /// Whether its host is down, so that nothing answers there.
    pub silent: bool,
    /// Whether its application requested a leave in its last instance.
    pub left: bool,
    /// Whether a member requested to forget it after it failed or left.
    pub forgotten: bool,
    /// Whether it has joined in its current instance: it has exchanged views with another member,
    /// or it is the first node.
    pub joined: bool,
    /// The last time of a fault that may excuse a false verdict: a pause, a cut, or loss, at the
    /// node itself or at a peer.
    pub disturbed: Option<Instant>,
}

/// The true state of all nodes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Truth {
    nodes: Vec<TrueNode>,
}

impl Truth {
    /// The truth of nodes that have not started.
    pub fn new(ids: impl IntoIterator<Item = NodeId>) -> Self {
        let unborn = |id| TrueNode {
            id,
            instance: 0,
            born: Incarnation::ZERO,
            running: false,
            paused: false,
            blocked: false,
            silent: false,
            left: false,
            forgotten: false,
            joined: false,
            disturbed: None,
        };
        Self { nodes: ids.into_iter().map(unborn).collect() }
    }

    /// The node with this index.
    pub fn node(&self, node: NodeIndex) -> &TrueNode {
        &self.nodes[node.0]
    }

    /// The node with this index, for changes.
    pub fn node_mut(&mut self, node: NodeIndex) -> &mut TrueNode {
        &mut self.nodes[node.0]
    }

    /// The index of the node with this name.
    pub fn find(&self, id: &NodeId) -> Option<NodeIndex> {
        // The name holds the index, so no search is needed. A name beyond the last node does not
        // exist.
        NodeIndex::of(id).filter(|place| self.nodes.get(place.0).is_some_and(|node| node.id == *id))
    }

    /// All nodes, with their indices.
    pub fn all(&self) -> impl Iterator<Item = (NodeIndex, &TrueNode)> {
        self.nodes.iter().enumerate().map(|(at, node)| (NodeIndex(at), node))
    }

    /// The nodes that should know what the group knows: they run, have joined, and did not request
    /// a leave.
    pub fn members(&self) -> impl Iterator<Item = (NodeIndex, &TrueNode)> {
        self.all().filter(|(_, node)| node.is_member())
    }

    /// Marks every node as disturbed, for a fault that may affect any of them.
    pub fn disturb_all(&mut self, now: Instant) {
        self.nodes.iter_mut().for_each(|node| node.disturbed = Some(now));
    }
}

impl TrueNode {
    /// Whether the node should know what the group knows.
    pub fn is_member(&self) -> bool {
        self.running && self.joined && !self.left
    }
}
