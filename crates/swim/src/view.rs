//! The view of the group for all owners, read-only. Only [`Members`](crate::members::Members)
//! changes it.

use std::sync::Arc;

use kinfolk_core::{NodeId, NodeState, NodeStatus, RegistryView, Snapshot};

/// A read-only view of the registry.
#[derive(Debug)]
pub(crate) struct View(RegistryView);

impl View {
    pub(crate) fn of(registry: &RegistryView) -> Self {
        Self(registry.view())
    }

    pub(crate) fn get(&self, id: &NodeId) -> Option<Arc<NodeStatus>> {
        self.0.get(id)
    }

    /// The status of `id` if it is a member: alive or suspect.
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

    /// For each of these claims, whether it would change the view. One call for all claims of a
    /// message takes the registry's lock once.
    pub(crate) fn are_new<'a>(&self, claims: impl Iterator<Item = &'a NodeStatus> + Clone) -> Vec<bool> {
        self.0.are_new(claims)
    }

    /// The number of members without a description.
    pub(crate) fn incomplete_count(&self) -> usize {
        self.0.incomplete_count()
    }

    /// The digest of the view as probes carry it. Never 0, because a receiver does not compare a
    /// digest of 0.
    pub(crate) fn digest(&self) -> u32 {
        folded(self.0.digest()).max(1)
    }

    /// The digests of the 256 buckets.
    pub(crate) fn bucket_digests(&self) -> impl Iterator<Item = u32> {
        self.0.bucket_digests().into_iter().map(folded)
    }
}

/// A digest in 32 of its 64 bits. Two views with the same folded digest may differ. After the next
/// change of either view the digests differ again with near certainty.
fn folded(digest: u64) -> u32 {
    let low = (digest ^ (digest >> 32)) & u64::from(u32::MAX);
    u32::try_from(low).expect("the upper half is masked off")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Members of other releases must compute the same digest.
    #[test]
    fn folded_digest_is_both_halves_combined() {
        assert_eq!(folded(0x1234_5678_9ABC_DEF0), 0x8888_8888);
        assert_eq!(folded(0x0000_0001_0000_0001), 0);
        assert_eq!(folded(0xFFFF_FFFF_0000_0000), u32::MAX);
    }
}
