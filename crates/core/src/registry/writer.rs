//! The handle that writes.

use std::ops::Deref;
use std::sync::Arc;

use super::{Change, RegistryView, SharedNodeRegistry};
use crate::incarnation::Incarnation;
use crate::node::NodeId;
use crate::status::NodeStatus;

/// The writing handle of a registry. It cannot be cloned: whoever owns it is the only one who changes the members. Others
/// get a [`view`](RegistryView::view). It reads as a [`RegistryView`] does.
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

    /// Joins `claim` with what is known, by the law of [`precedence`](crate::precedence).
    pub fn apply(&mut self, claim: impl Into<Arc<NodeStatus>>) -> Change {
        self.0.apply(claim.into())
    }

    /// Puts `status` in the place of what is known of its member, whatever its incarnation: for
    /// what was taken by a wall clock that was wrong, and which nothing could outrank otherwise.
    pub fn replace(&mut self, status: impl Into<Arc<NodeStatus>>) -> Change {
        self.0.replace(status.into())
    }

    /// Forgets a tombstone: removes `id` if it is failed or left and still at this incarnation. Returns what was known.
    pub fn reap(&mut self, id: &NodeId, incarnation: Incarnation) -> Option<Arc<NodeStatus>> {
        self.0.reap(id, incarnation)
    }

    /// A handle that can end the registry, and nothing else.
    pub fn closer(&self) -> RegistryCloser {
        RegistryCloser(self.view())
    }
}

/// Ends a registry from beside its writer: the fifth phase of a shutdown.
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
    /// Empties the registry for good. Later claims change nothing: [`Change::None`].
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

/// The writer of a registry that others may write too: for tests, and for those who keep both in step themselves.
impl From<SharedNodeRegistry> for RegistryWriter {
    fn from(shared: SharedNodeRegistry) -> Self {
        Self(shared.view())
    }
}
