//! Members that only an exchange of views speaks of. A member that was cut off for longer than the
//! tombstones live still knows members that left or failed meanwhile, as alive. Nobody else
//! remembers them, so nothing outranks that claim. Such a member is asked for its own statement
//! first, and enters the view only by its answer.
//!
//! ```text
//!   exchange ──> claim about a member that is unknown here, and older than a tombstone
//!                   └──> Describe to the member itself ──┬─ its own statement ──> it is taken in
//!                                                        └─ no answer ──> the claim is dropped
//! ```
//!
//! The other side, which holds such a claim, watches the member itself from then on: see
//! [`Admission::missed`](super::Admission::missed).

use std::collections::BTreeMap;
use std::sync::Arc;

use kinfolk_core::{NodeId, NodeStatus};

use crate::purpose::ASKED_MAX;

/// How many members wait for their introduction. One more is dropped and counted; the next exchange
/// brings it again.
const WAITING_MAX: usize = 4_096;
/// The members that wait until they have spoken for themselves.
#[derive(Debug, Default)]
pub(super) struct Introductions {
    waiting: BTreeMap<NodeId, Introduction>,
}

#[derive(Debug)]
struct Introduction {
    claim: Arc<NodeStatus>,
    /// Who spoke of it.
    teller: NodeId,
    asked: bool,
}

impl Introductions {
    /// Adds a claim. Returns whether there was room.
    pub(super) fn add(&mut self, claim: &Arc<NodeStatus>, teller: &NodeId) -> bool {
        if !self.waiting.contains_key(&claim.id) {
            if self.waiting.len() >= WAITING_MAX {
                return false;
            }
            let introduction =
                Introduction { claim: Arc::clone(claim), teller: teller.clone(), asked: false };
            self.waiting.insert(claim.id.clone(), introduction);
        }
        true
    }

    /// The next claim whose subject is to be asked, if not too many are asked already.
    pub(super) fn next(&mut self) -> Option<Arc<NodeStatus>> {
        let asked = self.waiting.values().filter(|introduction| introduction.asked).count();
        let free = asked < ASKED_MAX;
        let next = self.waiting.values_mut().find(|introduction| free && !introduction.asked)?;
        next.asked = true;
        Some(Arc::clone(&next.claim))
    }

    /// Ends an introduction. Returns who spoke of the member.
    pub(super) fn end(&mut self, id: &NodeId) -> Option<NodeId> {
        self.waiting.remove(id).map(|introduction| introduction.teller)
    }
}
