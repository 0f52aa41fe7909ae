//! A short digest of a view. With it two members find out where their views differ, without sending
//! the views.
//!
//! Every change updates the digest, at the cost of two hashes. Equal views have equal digests, on
//! every platform and in every release: the hash is part of the protocol. The digest finds
//! differences between correct members. It does not protect against a hostile member, which can
//! claim what it wants about itself anyway.

use crate::node::NodeId;
use crate::status::NodeStatus;

/// The number of buckets of a digest.
pub(super) const BUCKETS: usize = 256;

/// For each bucket the wrapping sum of the hashes of its members (alive or suspect). Tombstones do
/// not count: each member removes them at its own time, so they would make equal views differ.
#[derive(Debug, Clone)]
pub(super) struct Digest {
    /// In a box, so that the root stays close to the other fields: every probe carries the root,
    /// and reads these fields together. The buckets take 2 KiB and are read seldom.
    buckets: Box<[u64; BUCKETS]>,
    /// The wrapping sum of the buckets.
    root: u64,
}

impl Digest {
    /// Updates the digest when what is known of a member changes from `before` to `after`; `None`
    /// if the member is not known.
    pub(super) fn replace(&mut self, before: Option<&NodeStatus>, after: Option<&NodeStatus>) {
        let Some(one) = after.or(before) else { return };
        let name = hash_of_name(&one.id);
        let bucket = &mut self.buckets[usize::from(bucket(name))];
        let change = hash(name, after).wrapping_sub(hash(name, before));
        *bucket = bucket.wrapping_add(change);
        self.root = self.root.wrapping_add(change);
    }

    /// The digest of each bucket.
    pub(super) fn buckets(&self) -> &[u64; BUCKETS] {
        &self.buckets
    }

    /// The digest of the whole view.
    pub(super) fn root(&self) -> u64 {
        self.root
    }
}

impl Default for Digest {
    fn default() -> Self {
        Self { buckets: Box::new([0; BUCKETS]), root: 0 }
    }
}

/// The bucket that a member of this name falls into.
pub(super) fn bucket_of(id: &NodeId) -> u8 {
    bucket(hash_of_name(id))
}

fn bucket(hash_of_name: u64) -> u8 {
    hash_of_name.to_be_bytes()[0]
}

/// The hash of a member's status; 0 for `None` and for a tombstone, so that they add nothing.
fn hash(name: u64, status: Option<&NodeStatus>) -> u64 {
    let Some(status) = status.filter(|status| status.state.is_member()) else { return 0 };
    let verdict = mixed(name ^ status.incarnation.get()).wrapping_add(status.state as u64);
    mixed(mixed(verdict) ^ status.described_at.get())
}

/// FNV-1a. `mixed` then spreads its last bits over all bits, because the bucket is the highest
/// byte.
fn hash_of_name(id: &NodeId) -> u64 {
    let fnv = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    mixed(id.as_str().as_bytes().iter().fold(0xcbf2_9ce4_8422_2325, fnv))
}

/// The finalizer of `SplitMix64`: each bit of the input changes each bit of the output with a
/// probability of one half.
fn mixed(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
#[cfg(not(kinfolk_loom))]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::{Incarnation, NodeAddr, NodeState, RegistryView, Rng, SharedNodeRegistry, Tags};

    fn status(name: usize, incarnation: u64, state: NodeState) -> NodeStatus {
        let id = NodeId::new(&format!("n{name}")).unwrap();
        let addr = NodeAddr::new(([127, 0, 0, 1], 1).into());
        NodeStatus::alive(id, addr, Incarnation::new(incarnation), Tags::empty()).with_state(state)
    }

    fn any_status() -> impl Strategy<Value = NodeStatus> {
        (0..12_usize, 1..4_u64, 0..4_usize, any::<bool>()).prop_map(|(name, incarnation, state, whole)| {
            let status = status(name, incarnation, NodeState::ALL[state]);
            if whole { status } else { status.without_description() }
        })
    }

    fn from_scratch(registry: &SharedNodeRegistry) -> [u64; BUCKETS] {
        let mut digest = Digest::default();
        registry.snapshot().nodes().iter().for_each(|node| digest.replace(None, Some(node)));
        *digest.buckets()
    }

    fn filled(claims: &[NodeStatus]) -> SharedNodeRegistry {
        let registry = SharedNodeRegistry::new();
        for claim in claims {
            let _change = registry.apply(claim.clone());
        }
        registry
    }

    proptest! {
        #[test]
        fn updated_digest_equals_a_digest_from_scratch(
            claims in prop::collection::vec(any_status(), 0..40),
        ) {
            let registry = filled(&claims);
            prop_assert_eq!(registry.bucket_digests(), from_scratch(&registry));
            for tombstone in registry.snapshot().nodes() {
                let _reaped = registry.reap(&tombstone.id, tombstone.incarnation);
            }
            prop_assert_eq!(registry.bucket_digests(), from_scratch(&registry));
            registry.clear();
            prop_assert_eq!((registry.digest(), registry.bucket_digests()), (0, [0; BUCKETS]));
        }

        #[test]
        fn digests_are_equal_exactly_where_views_are(
            claims in prop::collection::vec(any_status(), 1..40), seed: u64,
        ) {
            let mut shuffled = claims.clone();
            Rng::from_seed(seed).shuffle(&mut shuffled);
            let (one, other) = (filled(&claims), filled(&shuffled));
            prop_assert_eq!(one.bucket_digests(), other.bucket_digests());
            prop_assert_eq!(one.digest(), other.digest());
            let _change = other.apply(status(3, 9, NodeState::Suspect));
            prop_assert_ne!(one.digest(), other.digest());
            let at = usize::from(RegistryView::bucket_of(&status(3, 9, NodeState::Alive).id));
            let differ = one.bucket_digests().into_iter().zip(other.bucket_digests());
            let differ: Vec<_> = differ.enumerate().filter(|(_, (a, b))| a != b).map(|(at, _)| at).collect();
            prop_assert_eq!(differ, vec![at]);
        }
    }

    /// A tombstone has the digest of no member: 0.
    #[test]
    fn every_digested_field_changes_the_digest() {
        let known = status(1, 5, NodeState::Alive);
        let undescribed = NodeStatus { described_at: Incarnation::new(4), ..known.clone() };
        let others = [
            status(2, 5, NodeState::Alive),
            status(1, 6, NodeState::Alive),
            status(1, 5, NodeState::Suspect),
            undescribed,
        ];
        let digests: BTreeSet<_> =
            others.iter().chain([&known]).map(|one| filled(std::slice::from_ref(one)).digest()).collect();
        assert_eq!(digests.len(), 5);
        assert!(!digests.contains(&0));
        for tombstone in [NodeState::Failed, NodeState::Left] {
            assert_eq!(filled(&[status(1, 5, tombstone)]).digest(), 0);
        }
    }

    #[test]
    fn digest_of_a_view_never_changes_between_releases() {
        let view = filled(&[status(1, 5, NodeState::Alive), status(2, 7, NodeState::Suspect)]);
        assert_eq!(view.digest(), 0x8f5c_839a_09c6_3f7b);
        assert_eq!(RegistryView::bucket_of(&NodeId::new("db-1").unwrap()), 34);
    }

    #[test]
    fn buckets_of_ten_thousand_names_are_evenly_filled() {
        let mut filled = [0_u32; BUCKETS];
        for name in 0..10_000 {
            filled[usize::from(bucket_of(&status(name, 1, NodeState::Alive).id))] += 1;
        }
        // 39 on average. With a fair hash each count stays within 5 standard deviations.
        assert!(filled.iter().all(|count| (8..=71).contains(count)), "{filled:?}");
    }
}
