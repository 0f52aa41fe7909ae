//! Introductions: old members that only an exchange of views or a suspicion mentions. A member that
//! was isolated for longer than `tombstone_ttl` still takes members for alive that left or failed
//! meanwhile. All tombstones of these have expired, so no claim outranks its claims. Such a member
//! is asked for its own statement first. It enters the view only by its answer.
//!
//! ```text
//!   exchange ──> claim about an unknown member, older than half of tombstone_ttl
//!                   └──> Describe to the member itself ──┬─ its own statement ──> enters the view
//!                                                        └─ no answer ──> the claim is dropped
//! ```
//!
//! The peer that made the claim watches the member itself from then on: see
//! [`Admission::missed`](super::Admission::missed).

use std::collections::BTreeMap;
use std::sync::Arc;

use kinfolk_core::{NodeId, NodeStatus};

use crate::purpose::INTRODUCTIONS_MAX;

/// At most this many members wait for their introduction. One more is dropped and counted; the next
/// exchange brings it again.
const WAITING_MAX: usize = 4_096;
/// The members that wait until they have stated themselves.
#[derive(Debug, Default)]
pub(super) struct Introductions {
    waiting: BTreeMap<NodeId, Introduction>,
}

#[derive(Debug)]
struct Introduction {
    claim: Arc<NodeStatus>,
    /// The member that sent the claim.
    source: NodeId,
    asked: bool,
}

impl Introductions {
    /// Adds a claim. Returns false if there was no room.
    pub(super) fn add(&mut self, claim: &Arc<NodeStatus>, source: &NodeId) -> bool {
        if !self.waiting.contains_key(&claim.id) {
            if self.waiting.len() >= WAITING_MAX {
                return false;
            }
            let introduction =
                Introduction { claim: Arc::clone(claim), source: source.clone(), asked: false };
            self.waiting.insert(claim.id.clone(), introduction);
        }
        true
    }

    /// The next claim whose member is to be asked, if fewer than [`INTRODUCTIONS_MAX`] are asked
    /// at the moment.
    pub(super) fn next(&mut self) -> Option<Arc<NodeStatus>> {
        let asked = self.waiting.values().filter(|introduction| introduction.asked).count();
        let free = asked < INTRODUCTIONS_MAX;
        let next = self.waiting.values_mut().find(|introduction| free && !introduction.asked)?;
        next.asked = true;
        Some(Arc::clone(&next.claim))
    }

    /// Ends an introduction. Returns the source of its claim.
    pub(super) fn end(&mut self, id: &NodeId) -> Option<NodeId> {
        self.waiting.remove(id).map(|introduction| introduction.source)
    }
}
