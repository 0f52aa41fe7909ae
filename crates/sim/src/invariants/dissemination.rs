//! One dissemination: the members that it must still reach, and its deadline. The invariants about
//! dissemination use it.

use std::collections::BTreeSet;
use std::time::Duration;

use kinfolk_core::Instant;

use crate::node::NodeIndex;
use crate::observed::Moment;

/// A fact that each member must know by a deadline. It need not reach members that join later or
/// stop: a join brings the whole view anyway.
#[derive(Debug)]
pub(super) struct Dissemination {
    what: String,
    deadline: Instant,
    /// The members that must still know, each with the instance that ran at the start.
    waiting: BTreeSet<(NodeIndex, u32)>,
}

impl Dissemination {
    /// A dissemination that starts now at `source`.
    pub(super) fn new(moment: &Moment<'_>, source: NodeIndex, within: Duration, what: String) -> Self {
        let others = moment.truth.members().filter(|(node, _)| *node != source);
        let waiting = others.map(|(node, truth)| (node, truth.instance)).collect();
        Self { what, deadline: moment.now + within, waiting }
    }

    /// Extends the deadline, but never shortens it.
    pub(super) fn extend(&mut self, deadline: Instant) {
        self.deadline = self.deadline.max(deadline);
    }

    /// Records that `node` knows.
    pub(super) fn reached(&mut self, node: NodeIndex) {
        self.waiting.retain(|(waiting, _)| *waiting != node);
    }

    /// Whether all members know.
    ///
    /// # Errors
    /// The members that still do not know after the deadline.
    pub(super) fn done(&mut self, moment: &Moment<'_>) -> Result<bool, String> {
        // A new instance of a member does not owe what its previous instance owed.
        self.waiting.retain(|(node, instance)| {
            let truth = moment.truth.node(*node);
            truth.is_member() && truth.instance == *instance
        });
        match self.waiting.first() {
            None => Ok(true),
            Some((node, _)) if moment.now > self.deadline => {
                let others = self.waiting.len() - 1;
                Err(format!("{node} and {others} others do not know in time that {}", self.what))
            }
            Some(_) => Ok(false),
        }
    }
}
