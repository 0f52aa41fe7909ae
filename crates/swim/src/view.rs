//! The members as everybody may see them. Only [`Members`](crate::members::Members) changes them.

use std::sync::Arc;

use kinfolk_core::{NodeId, NodeState, NodeStatus, RegistryView, Snapshot};

/// The registry, to be read.
#[derive(Debug)]
pub(crate) struct View(RegistryView);

impl View {
    pub(crate) fn of(registry: &RegistryView) -> Self {
        Self(registry.view())
    }

    pub(crate) fn get(&self, id: &NodeId) -> Option<Arc<NodeStatus>> {
        self.0.get(id)
    }

    /// What is known of `id`, if it is a member.
    pub(crate) fn member(&self, id: &NodeId) -> Option<Arc<NodeStatus>> {
        self.get(id).filter(|node| node.state.is_member())
    }

    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.0.snapshot()
    }

    pub(crate) fn count(&self, state: NodeState) -> usize {
        self.0.count(state)
    }

    pub(crate) fn member_count(&self) -> usize {
        self.0.member_count()
    }

    /// Which of these claims would change something.
    pub(crate) fn are_new<'a>(&self, claims: impl Iterator<Item = &'a NodeStatus> + Clone) -> Vec<bool> {
        self.0.news(claims)
    }

    /// How many members lack their description.
    pub(crate) fn incomplete_count(&self) -> usize {
        self.0.incomplete_count()
    }

    /// The digest of the view as it rides on probes: never 0, which means that no comparison is wanted.
    pub(crate) fn digest(&self) -> u32 {
        folded(self.0.digest()).max(1)
    }

    /// The digests of the 256 buckets.
    pub(crate) fn bucket_digests(&self) -> impl Iterator<Item = u32> {
        self.0.bucket_digests().into_iter().map(folded)
    }
}

/// A digest in half as many bits, which are enough: a difference that they hide once, they do not hide the next time.
fn folded(digest: u64) -> u32 {
    let low = (digest ^ (digest >> 32)) & u64::from(u32::MAX);
    u32::try_from(low).expect("the upper half is masked off")
}
