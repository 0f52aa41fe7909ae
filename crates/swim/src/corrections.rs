//! Tombstones in an exchange of views: a page holds members only, and a tombstone goes to a peer
//! that holds its member for alive or suspect.
//!
//! Who never knew a member needs no tombstone of it. Were all tombstones exchanged, 10,000 old
//! names would make a join 70 times as large, and each new member would keep them for another day,
//! so that they never end. An old claim that the member is alive may still reach one that has no
//! tombstone. Then its view differs from others, the comparison finds that, and the correction
//! follows.
//!
//! ```text
//!   asker ── Sync(its members) ──> answerer ── Page(corrections of these, its members) ──> asker
//!   asker ── Sync(corrections of that page, more members) ──> ...
//! ```

use std::sync::Arc;

use kinfolk_core::{Instant, NodeStatus};

use crate::codec::{self, INLINE_CLAIM_MAX, PAGE_BYTES_MAX};
use crate::machine::Machine;

impl Machine {
    /// The tombstones that contradict these claims of a peer, as many as fit into a page. What does
    /// not fit comes with the next exchange.
    pub(crate) fn corrections(&self, now: Instant, claims: &[Arc<NodeStatus>]) -> Vec<Arc<NodeStatus>> {
        let mut bytes = 0;
        let fits = |tombstone: &Arc<NodeStatus>| {
            bytes += codec::encoded_len(tombstone);
            bytes <= PAGE_BYTES_MAX
        };
        claims.iter().filter_map(|claim| self.correction(now, claim)).take_while(fits).collect()
    }

    fn correction(&self, now: Instant, claim: &NodeStatus) -> Option<Arc<NodeStatus>> {
        if !claim.state.is_member() {
            return None;
        }
        let known = self.registry.get(&claim.id);
        let Some(known) = known else { return self.forgotten_tombstone(now, claim) };
        let outranks = (known.incarnation, known.state) > (claim.incarnation, claim.state);
        if known.state.is_member() || !outranks {
            return None;
        }
        // Tags of a member that is gone matter to nobody who does not ask for them.
        let large = codec::encoded_len(&known) > INLINE_CLAIM_MAX;
        Some(if large { known.without_description().into() } else { known })
    }

    /// Whether a peer's page has a tombstone of a member that we do not know. It would only begin
    /// another day here.
    pub(crate) fn is_of_no_use(&self, claim: &NodeStatus) -> bool {
        !claim.state.is_member() && self.registry.get(&claim.id).is_none()
    }

    /// Whether an entry of ours goes into a page whoever receives it.
    pub(crate) fn is_for_pages(&self, node: &NodeStatus) -> bool {
        node.state.is_member() || node.id == self.me.id
    }
}

/// How many bytes of nodes still fit into a page with these.
pub(crate) fn room_beside(nodes: &[Arc<NodeStatus>]) -> usize {
    PAGE_BYTES_MAX.saturating_sub(nodes.iter().map(codec::encoded_len).sum())
}
