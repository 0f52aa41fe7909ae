//! An incarnation only grows, and only its owner raises it (SWIM, section 4.2). No member knows an
//! incarnation that the owner has not had. A new instance starts above the incarnations of the
//! previous one.

use std::collections::BTreeMap;

use kinfolk_core::{Incarnation, NodeId};

use super::Invariant;
use crate::observed::{Moment, Observed};

/// Tracks the incarnation of each owner; see the module.
#[derive(Debug, Default)]
pub struct Incarnations {
    /// The highest incarnation of each owner, and the instance that had it.
    highest: BTreeMap<NodeId, (u32, Incarnation)>,
}

impl Invariant for Incarnations {
    fn name(&self) -> &'static str {
        "an incarnation grows only, and only by its owner"
    }

    fn observe(&mut self, moment: &Moment<'_>) -> Result<(), String> {
        let Observed::View { node, after: Some(after), .. } = &moment.what else { return Ok(()) };
        let owner = moment.truth.node(*node);
        let known = self.highest.get(&after.id).copied();
        let highest = known.map_or(Incarnation::ZERO, |(_, incarnation)| incarnation);
        if owner.id != after.id {
            return if after.incarnation <= highest {
                Ok(())
            } else {
                Err(format!(
                    "{node} knows {} @{}, but the owner's highest is {highest}",
                    after.id, after.incarnation
                ))
            };
        }
        let grows = match known {
            // Within one instance the same incarnation may appear again, for example with new tags.
            // A new instance needs a higher one, so that claims about the old instance cannot
            // override it.
            Some((instance, highest)) if instance == owner.instance => after.incarnation >= highest,
            Some((_, highest)) => after.incarnation > highest,
            None => true,
        };
        self.highest.insert(after.id.clone(), (owner.instance, after.incarnation));
        if grows { Ok(()) } else { Err(format!("{node} goes back from {highest} to {}", after.incarnation)) }
    }
}

#[cfg(test)]
mod tests {
    use kinfolk_core::NodeState::{Alive, Suspect};

    use super::super::testing::{A, B, status, truth, view};
    use super::*;

    #[test]
    fn owner_that_raises_first_is_accepted() {
        let (rule, truth) = (&mut Incarnations::default(), &truth(2));
        assert!(view(rule, truth, A, None, &status(A, 10, Alive)).is_ok());
        assert!(view(rule, truth, A, None, &status(A, 11, Alive)).is_ok());
        assert!(view(rule, truth, B, None, &status(A, 11, Suspect)).is_ok());
    }

    #[test]
    fn incarnation_raised_by_another_member_is_caught() {
        let (rule, truth) = (&mut Incarnations::default(), &truth(2));
        assert!(view(rule, truth, A, None, &status(A, 10, Alive)).is_ok());
        assert!(view(rule, truth, B, None, &status(A, 11, Suspect)).is_err());
    }

    #[test]
    fn owner_that_lowers_its_incarnation_is_caught() {
        let (rule, truth) = (&mut Incarnations::default(), &truth(1));
        assert!(view(rule, truth, A, None, &status(A, 10, Alive)).is_ok());
        assert!(view(rule, truth, A, None, &status(A, 9, Alive)).is_err());
    }

    #[test]
    fn new_instance_at_old_incarnation_is_caught() {
        let (rule, mut truth) = (&mut Incarnations::default(), truth(1));
        assert!(view(rule, &truth, A, None, &status(A, 10, Alive)).is_ok());
        truth.node_mut(A).instance = 2;
        assert!(view(rule, &truth, A, None, &status(A, 10, Alive)).is_err());
    }
}
