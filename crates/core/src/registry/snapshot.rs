//! All nodes at one moment. A reader can look at them for as long as it wants without holding a
//! lock.

use std::sync::Arc;

use crate::node::NodeId;
use crate::status::NodeStatus;

/// The nodes of a registry at one moment, ordered by name, tombstones included.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Snapshot {
    version: u64,
    nodes: Vec<Arc<NodeStatus>>,
}

impl Snapshot {
    pub(super) fn new(version: u64, nodes: impl Iterator<Item = Arc<NodeStatus>>) -> Self {
        let mut nodes: Vec<_> = nodes.collect();
        nodes.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        Self { version, nodes }
    }

    /// The number of changes that the registry had seen. A later snapshot of the same registry
    /// never has a lower one.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// All nodes, ordered by name.
    pub fn nodes(&self) -> &[Arc<NodeStatus>] {
        &self.nodes
    }

    /// The members of the group (alive or suspect), ordered by name.
    pub fn members(&self) -> impl Iterator<Item = &Arc<NodeStatus>> {
        self.nodes.iter().filter(|node| node.state.is_member())
    }

    /// What was known of `id`.
    pub fn get(&self, id: &NodeId) -> Option<&Arc<NodeStatus>> {
        self.nodes.binary_search_by(|node| node.id.cmp(id)).ok().map(|at| &self.nodes[at])
    }
}
