//! What is really so, as only the simulator can know it. Invariants compare it with what the members believe.

use kinfolk_core::{Incarnation, Instant, NodeId};

use crate::node::NodeIndex;

/// The real state of one node.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, and most pairs of them can be")]
pub struct TrueNode {
    /// Its name.
    pub id: NodeId,
    /// Counts its lives: 0 before the first.
    pub life: u32,
    /// The incarnation with which its present or last life began.
    pub born: Incarnation,
    /// Whether its process exists.
    pub running: bool,
    /// Whether it exists but does nothing.
    pub paused: bool,
    /// Whether what it sends and what comes for it waits.
    pub blocked: bool,
    /// Whether its host is gone, so that nothing answers there.
    pub silent: bool,
    /// Whether it has been told to leave in its last life.
    pub left: bool,
    /// Whether a member had it forgotten since it was gone.
    pub forgotten: bool,
    /// Whether it has joined in its present life: it has exchanged views with somebody, or it is the first.
    pub joined: bool,
    /// When it was last in trouble that might excuse a false verdict: pause, cut or loss, its own or that of a peer.
    pub disturbed: Option<Instant>,
}

/// The real state of all.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Truth {
    nodes: Vec<TrueNode>,
}

impl Truth {
    /// Nodes that have not started yet.
    pub fn new(ids: impl IntoIterator<Item = NodeId>) -> Self {
        let unborn = |id| TrueNode {
            id,
            life: 0,
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

    /// The node of this place.
    pub fn node(&self, node: NodeIndex) -> &TrueNode {
        &self.nodes[node.0]
    }

    /// The same, to change it.
    pub fn node_mut(&mut self, node: NodeIndex) -> &mut TrueNode {
        &mut self.nodes[node.0]
    }

    /// The node of this name.
    pub fn find(&self, id: &NodeId) -> Option<NodeIndex> {
        NodeIndex::of(id).filter(|place| self.nodes.get(place.0).is_some_and(|node| node.id == *id))
    }

    /// All nodes, with their places.
    pub fn all(&self) -> impl Iterator<Item = (NodeIndex, &TrueNode)> {
        self.nodes.iter().enumerate().map(|(at, node)| (NodeIndex(at), node))
    }

    /// Those that ought to know what the group knows: they run, have joined, and were not told to leave.
    pub fn members(&self) -> impl Iterator<Item = (NodeIndex, &TrueNode)> {
        self.all().filter(|(_, node)| node.is_member())
    }

    /// Marks every node as disturbed.
    pub fn disturb_all(&mut self, now: Instant) {
        self.nodes.iter_mut().for_each(|node| node.disturbed = Some(now));
    }
}

impl TrueNode {
    /// Whether it ought to know what the group knows.
    pub fn is_member(&self) -> bool {
        self.running && self.joined && !self.left
    }
}
