//! The handle that several places of a program may clone and write through.

use std::ops::Deref;
use std::sync::Arc;

use super::{Change, RegistryView};
use crate::incarnation::Incarnation;
use crate::node::NodeId;
use crate::status::NodeStatus;

/// A registry that several places write to, for a program that uses this crate alone. Clones (one
/// reference count) are handles of the same registry. It reads like a [`RegistryView`] and writes
/// like a [`RegistryWriter`](super::RegistryWriter), but through `&self`: the registry's lock
/// orders concurrent writers.
#[derive(Debug, Clone)]
pub struct SharedNodeRegistry(RegistryView);

impl SharedNodeRegistry {
    /// An empty registry with the default bound, [`RegistryView::NODES_MAX`].
    pub fn new() -> Self {
        Self::with_nodes_max(RegistryView::NODES_MAX)
    }

    /// An empty registry that holds at most `nodes_max` nodes, tombstones included.
    pub fn with_nodes_max(nodes_max: usize) -> Self {
        Self(RegistryView::empty(nodes_max))
    }

    /// Joins `claim` with what is known, by the rule of [`precedence`](crate::precedence).
    pub fn apply(&self, claim: impl Into<Arc<NodeStatus>>) -> Change {
        self.0.apply(claim.into())
    }

    /// Replaces what is known of the member by `status`, whatever its incarnation.
    pub fn replace(&self, status: impl Into<Arc<NodeStatus>>) -> Change {
        self.0.replace(status.into())
    }

    /// Removes a tombstone: removes `id` if it is failed or left and still at this incarnation.
    /// Returns what was known.
    pub fn reap(&self, id: &NodeId, incarnation: Incarnation) -> Option<Arc<NodeStatus>> {
        self.0.reap(id, incarnation)
    }

    /// Removes all nodes.
    pub fn clear(&self) {
        self.0.clear();
    }
}

impl Default for SharedNodeRegistry {
    fn default() -> Self {
        Self::new()
    }
}

impl Deref for SharedNodeRegistry {
    type Target = RegistryView;

    fn deref(&self) -> &RegistryView {
        &self.0
    }
}

impl From<RegistryView> for SharedNodeRegistry {
    fn from(view: RegistryView) -> Self {
        Self(view)
    }
}
