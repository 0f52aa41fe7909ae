//! An incarnation only grows, and only its owner raises it (SWIM, section 4.2): nobody ever knows of one that its owner
//! has not had, and a new life begins above the former one.

use std::collections::BTreeMap;

use kinfolk_core::{Incarnation, NodeId};

use super::Invariant;
use crate::observed::{Moment, Observed};

/// See the file's head.
#[derive(Debug, Default)]
pub struct Incarnations {
    /// The highest that each owner has had, and in which life.
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
                    "{node} knows of {} @{}, which has only got to {highest}",
                    after.id, after.incarnation
                ))
            };
        }
        let grows = match known {
            Some((life, highest)) if life == owner.life => after.incarnation >= highest,
            Some((_, highest)) => after.incarnation > highest,
            None => true,
        };
        self.highest.insert(after.id.clone(), (owner.life, after.incarnation));
        if grows { Ok(()) } else { Err(format!("{node} goes back from {highest} to {}", after.incarnation)) }
    }
}

#[cfg(test)]
mod tests {
    use kinfolk_core::NodeState::{Alive, Suspect};

    use super::super::testing::{A, B, status, truth, view};
    use super::*;

    #[test]
    fn an_owner_that_raises_it_before_others_know_is_right() {
        let (rule, truth) = (&mut Incarnations::default(), &truth(2));
        assert!(view(rule, truth, A, None, &status(A, 10, Alive)).is_ok());
        assert!(view(rule, truth, A, None, &status(A, 11, Alive)).is_ok());
        assert!(view(rule, truth, B, None, &status(A, 11, Suspect)).is_ok());
    }

    #[test]
    fn one_that_somebody_else_has_raised_is_caught() {
        let (rule, truth) = (&mut Incarnations::default(), &truth(2));
        assert!(view(rule, truth, A, None, &status(A, 10, Alive)).is_ok());
        assert!(view(rule, truth, B, None, &status(A, 11, Suspect)).is_err());
    }

    #[test]
    fn an_owner_that_goes_back_is_caught() {
        let (rule, truth) = (&mut Incarnations::default(), &truth(1));
        assert!(view(rule, truth, A, None, &status(A, 10, Alive)).is_ok());
        assert!(view(rule, truth, A, None, &status(A, 9, Alive)).is_err());
    }

    #[test]
    fn a_new_life_at_the_incarnation_of_the_former_one_is_caught() {
        let (rule, mut truth) = (&mut Incarnations::default(), truth(1));
        assert!(view(rule, &truth, A, None, &status(A, 10, Alive)).is_ok());
        truth.node_mut(A).life = 2;
        assert!(view(rule, &truth, A, None, &status(A, 10, Alive)).is_err());
    }
}
