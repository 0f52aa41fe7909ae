//! The items that were verified a short time ago. Several neighbours send the same update, and
//! only the first copy costs a signature.

use std::collections::{HashSet, VecDeque};

use kinfolk_core::signed::{Attested, ContentHash};

/// The hashes of the items that were verified last. Bounded: a further item replaces the oldest,
/// which then costs a signature again.
#[derive(Debug, Default)]
pub(super) struct Recent {
    hashes: HashSet<ContentHash>,
    by_age: VecDeque<ContentHash>,
}

impl Recent {
    /// How many items are remembered.
    pub(super) const ITEMS_MAX: usize = 4_096;

    /// Whether exactly this item was verified, its signature included.
    pub(super) fn contains(&self, item: &dyn Attested) -> bool {
        self.hashes.contains(&hash(item))
    }

    /// The item is verified.
    pub(super) fn insert(&mut self, item: &dyn Attested) {
        let hash = hash(item);
        if self.hashes.insert(hash) {
            self.by_age.push_back(hash);
        }
        if self.by_age.len() > Self::ITEMS_MAX {
            let oldest = self.by_age.pop_front();
            oldest.map(|hash| self.hashes.remove(&hash));
        }
    }
}

/// A hash of all that makes an item what it is. It is cryptographic: otherwise a peer could find a
/// forged item with the hash of a verified one.
pub(super) fn hash(item: &dyn Attested) -> ContentHash {
    let (signer, proof) = (item.signer().as_str().as_bytes(), item.proof());
    let signature = proof.signature.as_bytes();
    let mut bytes = Vec::with_capacity(256);
    bytes.push(item.kind() as u8);
    // The lengths go first, so that no two items have the same bytes.
    bytes.extend_from_slice(&(signer.len() as u64).to_be_bytes());
    bytes.extend_from_slice(&(signature.len() as u64).to_be_bytes());
    bytes.extend_from_slice(signer);
    bytes.extend_from_slice(signature);
    bytes.extend_from_slice(proof.certificate.as_bytes());
    item.write_content(&mut bytes);
    ContentHash::of(&bytes)
}

#[cfg(test)]
mod tests {
    use kinfolk_core::{Incarnation, NodeAddr, NodeId, NodeState, NodeStatus, Tags};

    use super::*;

    fn statement(number: u64) -> NodeStatus {
        let addr = NodeAddr::new(([127, 0, 0, 1], 1).into());
        NodeStatus::alive(NodeId::new("a").unwrap(), addr, Incarnation::new(number), Tags::empty())
    }

    #[test]
    fn only_the_same_item_is_contained() {
        let mut recent = Recent::default();
        recent.insert(&statement(1));
        assert!(recent.contains(&statement(1)) && !recent.contains(&statement(2)));
        assert!(recent.contains(&statement(1).with_state(NodeState::Suspect)), "a verdict is not signed");
        assert!(!recent.contains(&statement(1).with_state(NodeState::Left)));
        let mut other = statement(1);
        other.addr = NodeAddr::new(([127, 0, 0, 1], 2).into());
        assert!(!recent.contains(&other));
    }

    #[test]
    fn oldest_item_is_replaced_at_the_bound() {
        let mut recent = Recent::default();
        let count = Recent::ITEMS_MAX as u64;
        (0..=count).for_each(|number| recent.insert(&statement(number)));
        recent.insert(&statement(count));
        assert!(!recent.contains(&statement(0)) && recent.contains(&statement(1)));
        assert_eq!((recent.hashes.len(), recent.by_age.len()), (Recent::ITEMS_MAX, Recent::ITEMS_MAX));
    }
}
