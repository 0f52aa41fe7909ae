//! No forged field is ever visible. What an honest view says about a member, the member itself has
//! said: its address, its tags, its incarnation, and that it left.

use std::collections::{BTreeMap, BTreeSet};

use kinfolk_core::{Incarnation, NodeId, NodeState, NodeStatus};

use super::Invariant;
use crate::node::NodeIndex;
use crate::observed::{Moment, Observed};

/// Compares each entry with what its owner has said; see the module.
#[derive(Debug)]
pub struct NothingForged {
    liars: BTreeSet<NodeIndex>,
    said: BTreeMap<NodeId, Said>,
}

/// What a member has said about itself.
#[derive(Debug, Default)]
struct Said {
    highest: Incarnation,
    /// One statement with each description.
    descriptions: Vec<NodeStatus>,
}

impl NothingForged {
    /// All nodes are honest, except these. A liar may say of itself what it wants.
    pub fn despite(liars: impl IntoIterator<Item = NodeIndex>) -> Self {
        Self { liars: liars.into_iter().collect(), said: BTreeMap::new() }
    }

    fn note(&mut self, own: &NodeStatus) {
        let said = self.said.entry(own.id.clone()).or_default();
        said.highest = said.highest.max(own.incarnation);
        if !said.descriptions.iter().any(|known| is_same(known, own)) {
            said.descriptions.push(own.clone());
        }
    }
}

/// Whether two statements describe a member in the same way, at any incarnation.
fn is_same(one: &NodeStatus, other: &NodeStatus) -> bool {
    one.addr == other.addr && one.about() == other.about()
}

impl Invariant for NothingForged {
    fn name(&self) -> &'static str {
        "no forged field is visible"
    }

    fn observe(&mut self, moment: &Moment<'_>) -> Result<(), String> {
        let Observed::View { node, after: Some(after), .. } = &moment.what else { return Ok(()) };
        let Some(subject) = moment.truth.find(&after.id) else { return Ok(()) };
        if subject == *node {
            self.note(after);
            return Ok(());
        }
        if self.liars.contains(node) || self.liars.contains(&subject) {
            return Ok(());
        }
        let of = |what: &str| Err(format!("{node} has {what} of {subject} that it never stated: {after:?}"));
        let Some(said) = self.said.get(&after.id) else { return of("a statement") };
        if after.incarnation > said.highest {
            return of("an incarnation");
        }
        if after.is_complete() && !said.descriptions.iter().any(|known| is_same(known, after)) {
            return of("a description");
        }
        if after.state == NodeState::Left && !moment.truth.node(subject).left {
            return of("a leave");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use kinfolk_core::NodeState::{Alive, Failed, Left};
    use kinfolk_core::{NodeAddr, Tags};

    use super::super::testing::{A, B, C, status, truth, view};
    use super::*;

    #[test]
    fn each_forged_field_is_caught() {
        let (mut rule, truth) = (NothingForged::despite([C]), truth(3));
        let said = status(A, 10, Alive);
        view(&mut rule, &truth, A, None, &said).unwrap();
        let mut holds = |by, claim: &NodeStatus| view(&mut rule, &truth, by, None, claim).is_ok();
        assert!(holds(B, &said) && holds(B, &status(A, 9, Failed)));
        let elsewhere = NodeAddr::new(([10, 0, 0, 9], 1).into());
        let tags = Tags::new([("a", "b")]).unwrap();
        let forged = [
            NodeStatus::alive(A.id(), elsewhere, said.incarnation, Tags::empty()),
            NodeStatus::alive(A.id(), said.addr, said.incarnation, tags),
            status(A, 11, Alive),
            status(A, 10, Left),
            status(B, 10, Alive),
        ];
        assert!(forged[..4].iter().all(|claim| !holds(B, claim) && holds(C, claim)));
        assert!(!holds(A, &forged[4]), "B has said nothing");
    }
}
