//! A piece of news on its way: whom it must still reach, and by when. The invariants about dissemination are made of it.

use std::collections::BTreeSet;
use std::time::Duration;

use kinfolk_core::Instant;

use crate::node::NodeIndex;
use crate::observed::Moment;

/// News that each member must have by a deadline. It owes nothing to those who come later or do not stay.
#[derive(Debug)]
pub(super) struct News {
    what: String,
    deadline: Instant,
    /// Members in the life in which it is owed to them.
    waiting: BTreeSet<(NodeIndex, u32)>,
}

impl News {
    /// News that begins now with `source`.
    pub(super) fn new(moment: &Moment<'_>, source: NodeIndex, within: Duration, what: String) -> Self {
        let others = moment.truth.members().filter(|(node, _)| *node != source);
        let waiting = others.map(|(node, truth)| (node, truth.life)).collect();
        Self { what, deadline: moment.now + within, waiting }
    }

    /// It may take until then.
    pub(super) fn extend(&mut self, deadline: Instant) {
        self.deadline = self.deadline.max(deadline);
    }

    /// It has reached `node`.
    pub(super) fn reached(&mut self, node: NodeIndex) {
        self.waiting.retain(|(waiting, _)| *waiting != node);
    }

    /// Whether it is all done, or who has been waiting for too long.
    pub(super) fn done(&mut self, moment: &Moment<'_>) -> Result<bool, String> {
        self.waiting.retain(|(node, life)| {
            let truth = moment.truth.node(*node);
            truth.is_member() && truth.life == *life
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
