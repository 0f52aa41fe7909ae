//! The handle that writes to the registry.

use std::ops::Deref;
use std::sync::Arc;

use super::{Change, RegistryView, SharedNodeRegistry};
use crate::incarnation::Incarnation;
use crate::node::NodeId;
use crate::status::NodeStatus;

/// The write handle of a registry. It cannot be cloned, so only its owner changes the members. All
/// other code gets a [`view`](RegistryView::view). The write handle also reads like a
/// [`RegistryView`].
#[derive(Debug)]
pub struct RegistryWriter(RegistryView);

impl RegistryWriter {
    /// The writer of a new registry with the default bound, [`RegistryView::NODES_MAX`].
    pub fn new() -> Self {
        Self::with_nodes_max(RegistryView::NODES_MAX)
    }

    /// The writer of a new registry that holds at most `nodes_max` nodes, tombstones included.
    pub fn with_nodes_max(nodes_max: usize) -> Self {
        Self(RegistryView::empty(nodes_max))
    }

    /// Joins `claim` with what is known, by the rule of [`precedence`](crate::precedence).
    pub fn apply(&mut self, claim: impl Into<Arc<NodeStatus>>) -> Change {
        self.0.apply(claim.into())
    }

    /// Replaces what is known of the member by `status`, whatever its incarnation. This is for an
    /// incarnation that was accepted while this member's wall clock was wrong; no later claim could
    /// outrank it.
    pub fn replace(&mut self, status: impl Into<Arc<NodeStatus>>) -> Change {
        self.0.replace(status.into())
    }

    /// Removes a tombstone: removes `id` if it is failed or left and still at this incarnation.
    /// Returns what was known.
    pub fn reap(&mut self, id: &NodeId, incarnation: Incarnation) -> Option<Arc<NodeStatus>> {
        self.0.reap(id, incarnation)
    }

    /// Returns a handle that can close the registry, and nothing else.
    pub fn closer(&self) -> RegistryCloser {
        RegistryCloser(self.view())
    }
}

/// Closes a registry without its writer: the fifth phase of a shutdown.
///
/// ```
/// use kinfolk_core::{Change, Incarnation, NodeAddr, NodeId, NodeStatus, RegistryWriter, Tags};
///
/// let mut writer = RegistryWriter::new();
/// let addr = NodeAddr::new("127.0.0.1:7000".parse()?);
/// let n1 = NodeStatus::alive(NodeId::new("n1")?, addr, Incarnation::new(1), Tags::empty());
/// let _change = writer.apply(n1.clone());
/// writer.closer().close();
/// assert!(writer.is_empty());
/// assert_eq!(writer.apply(n1), Change::None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct RegistryCloser(RegistryView);

impl RegistryCloser {
    /// Empties the registry permanently. Later claims change nothing: [`Change::None`].
    pub fn close(&self) {
        self.0.close();
    }
}

impl Default for RegistryWriter {
    fn default() -> Self {
        Self::new()
    }
}

impl Deref for RegistryWriter {
    type Target = RegistryView;

    fn deref(&self) -> &RegistryView {
        &self.0
    }
}

/// The writer of a registry that other code may write to as well. For tests, and for programs that
/// coordinate the writers themselves.
impl From<SharedNodeRegistry> for RegistryWriter {
    fn from(shared: SharedNodeRegistry) -> Self {
        Self(shared.view())
    }
}
