//! A name whose tombstone a member has forgotten does not come back to life there by old news: only with an incarnation
//! above the one that died (death certificates: Demers et al., PODC 1987, section 2; the incarnations: SWIM, section 4.2).

use std::collections::BTreeMap;

use kinfolk_core::{Incarnation, NodeId};

use super::Invariant;
use crate::node::NodeIndex;
use crate::observed::{Moment, Observed};

/// See the file's head.
#[derive(Debug, Default)]
pub struct NoResurrection {
    /// The incarnation at which each member, in each of its lives, has forgotten each name.
    reaped: BTreeMap<(NodeIndex, u32, NodeId), Incarnation>,
}

impl Invariant for NoResurrection {
    fn name(&self) -> &'static str {
        "a reaped name comes back only with a new incarnation"
    }

    fn observe(&mut self, moment: &Moment<'_>) -> Result<(), String> {
        let Observed::View { node, before, after } = &moment.what else { return Ok(()) };
        let life = moment.truth.node(*node).life;
        match (before, after) {
            (Some(before), None) => {
                self.reaped.insert((*node, life, before.id.clone()), before.incarnation);
                Ok(())
            }
            (None, Some(after)) if after.state.is_member() => {
                match self.reaped.get(&(*node, life, after.id.clone())) {
                    Some(reaped) if after.incarnation <= *reaped => Err(format!(
                        "{node} has {} alive @{}, and has reaped it @{reaped}",
                        after.id, after.incarnation
                    )),
                    _ => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use kinfolk_core::NodeState::{Alive, Failed, Suspect};

    use super::super::testing::{A, B, show, status, truth, view};
    use super::*;
    use crate::truth::Truth;

    fn reaped() -> (NoResurrection, Truth) {
        let (mut rule, truth) = (NoResurrection::default(), truth(2));
        let tombstone = status(A, 10, Failed);
        show(&mut rule, &truth, 1, Observed::View { node: B, before: Some(&tombstone), after: None })
            .unwrap();
        (rule, truth)
    }

    #[test]
    fn a_reaped_name_at_its_old_incarnation_is_caught_and_a_new_one_is_right() {
        let (mut rule, truth) = reaped();
        assert!(view(&mut rule, &truth, B, None, &status(A, 11, Alive)).is_ok());
        for state in [Alive, Suspect] {
            assert!(view(&mut rule, &truth, B, None, &status(A, 10, state)).is_err());
        }
    }

    #[test]
    fn a_tombstone_that_comes_back_as_such_is_right_and_so_is_what_another_life_hears() {
        let (mut rule, mut truth) = reaped();
        assert!(view(&mut rule, &truth, B, None, &status(A, 10, Failed)).is_ok());
        assert!(view(&mut rule, &truth, A, None, &status(A, 10, Alive)).is_ok());
        truth.node_mut(B).life = 2;
        assert!(view(&mut rule, &truth, B, None, &status(A, 10, Alive)).is_ok());
    }
}
