//! No view holds an invented member: one that never started.

use std::collections::BTreeSet;

use super::Invariant;
use crate::node::NodeIndex;
use crate::observed::{Moment, Observed};

/// Checks each new entry; see the module. The views of liars do not count.
#[derive(Debug)]
pub struct NothingInvented {
    liars: BTreeSet<NodeIndex>,
}

impl NothingInvented {
    /// All nodes are honest, except these.
    pub fn despite(liars: impl IntoIterator<Item = NodeIndex>) -> Self {
        Self { liars: liars.into_iter().collect() }
    }
}

impl Invariant for NothingInvented {
    fn name(&self) -> &'static str {
        "no view holds an invented member"
    }

    fn observe(&mut self, moment: &Moment<'_>) -> Result<(), String> {
        let Observed::View { node, after: Some(after), .. } = &moment.what else { return Ok(()) };
        let exists = moment.truth.find(&after.id).is_some_and(|of| moment.truth.node(of).instance > 0);
        if exists || self.liars.contains(node) {
            return Ok(());
        }
        Err(format!("{node} has {} as {:?}, but no such member ever started", after.id, after.state))
    }
}

#[cfg(test)]
mod tests {
    use kinfolk_core::NodeState::Alive;

    use super::super::testing::{A, B, C, status, truth, view};
    use super::*;

    #[test]
    fn invented_or_unborn_member_is_caught() {
        let (mut rule, mut truth) = (NothingInvented::despite([C]), truth(3));
        let mut holds = |truth: &_, by, of| view(&mut rule, truth, by, None, &status(of, 10, Alive)).is_ok();
        assert!(holds(&truth, A, B) && !holds(&truth, A, NodeIndex(9)) && holds(&truth, C, NodeIndex(9)));
        truth.node_mut(B).instance = 0;
        assert!(!holds(&truth, A, B));
    }
}
