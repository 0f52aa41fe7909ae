//! A name whose tombstone a member has reaped does not become alive there again through an old
//! claim. It needs an incarnation above the reaped one (death certificates: Demers et al., PODC
//! 1987, section 2; incarnations: SWIM, section 4.2).

use std::collections::BTreeMap;

use kinfolk_core::{Incarnation, NodeId};

use super::Invariant;
use crate::node::NodeIndex;
use crate::observed::{Moment, Observed};

/// Tracks the names that each member reaped; see the module.
#[derive(Debug, Default)]
pub struct NoResurrection {
    /// The incarnation at which each instance of each member reaped each name.
    reaped: BTreeMap<(NodeIndex, u32, NodeId), Incarnation>,
}

impl Invariant for NoResurrection {
    fn name(&self) -> &'static str {
        "a reaped name comes back only with a new incarnation"
    }

    fn observe(&mut self, moment: &Moment<'_>) -> Result<(), String> {
        let Observed::View { node, before, after } = &moment.what else { return Ok(()) };
        let instance = moment.truth.node(*node).instance;
        match (before, after) {
            // Only the instance that reaped the name is bound: a new instance starts without that
            // knowledge.
            (Some(before), None) => {
                self.reaped.insert((*node, instance, before.id.clone()), before.incarnation);
                Ok(())
            }
            (None, Some(after)) if after.state.is_member() => {
                match self.reaped.get(&(*node, instance, after.id.clone())) {
                    Some(reaped) if after.incarnation <= *reaped => Err(format!(
                        "{node} has {} alive @{}, but it reaped it @{reaped}",
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
    fn reaped_name_returns_only_with_new_incarnation() {
        let (mut rule, truth) = reaped();
        assert!(view(&mut rule, &truth, B, None, &status(A, 11, Alive)).is_ok());
        for state in [Alive, Suspect] {
            assert!(view(&mut rule, &truth, B, None, &status(A, 10, state)).is_err());
        }
    }

    #[test]
    /// A reaped name may return as a tombstone. Another member, or a new instance of the same one,
    /// may learn the old incarnation.
    fn reap_binds_one_instance_and_only_live_states() {
        let (mut rule, mut truth) = reaped();
        assert!(view(&mut rule, &truth, B, None, &status(A, 10, Failed)).is_ok());
        assert!(view(&mut rule, &truth, A, None, &status(A, 10, Alive)).is_ok());
        truth.node_mut(B).instance = 2;
        assert!(view(&mut rule, &truth, B, None, &status(A, 10, Alive)).is_ok());
    }
}
