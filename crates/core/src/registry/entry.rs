//! A status as the registry's set keeps it: one pointer, found by the name that the status holds itself.

use std::borrow::Borrow;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::node::NodeId;
use crate::status::NodeStatus;

/// One entry: equal to any other of the same name, and hashed by it alone.
#[derive(Debug, Clone)]
pub(super) struct Entry(pub(super) Arc<NodeStatus>);

impl Borrow<NodeId> for Entry {
    fn borrow(&self) -> &NodeId {
        &self.0.id
    }
}

impl Hash for Entry {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.id.hash(state);
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.0.id == other.0.id
    }
}

impl Eq for Entry {}
