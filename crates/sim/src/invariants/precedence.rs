//! Precedence never decreases at any node: neither the verdict about a member nor its description.
//! Only a tombstone may be removed (the rule of `kinfolk_core::precedence`).

use super::Invariant;
use crate::observed::{Moment, Observed};
use crate::trace::View;

/// Checks each change of an entry; see the module.
#[derive(Debug, Default)]
pub struct Precedence;

impl Invariant for Precedence {
    fn name(&self) -> &'static str {
        "precedence never decreases"
    }

    fn observe(&mut self, moment: &Moment<'_>) -> Result<(), String> {
        let Observed::View { node, before: Some(before), after } = &moment.what else { return Ok(()) };
        let holds = match after {
            Some(after) => {
                // The order of precedence: first the incarnation, then the state, from alive to
                // left.
                (after.incarnation, after.state) >= (before.incarnation, before.state)
                    && after.described_at >= before.described_at
            }
            None => !before.state.is_member(),
        };
        if holds {
            return Ok(());
        }
        Err(format!("{node} had {} as {}, and then as {}", before.id, View(Some(before)), View(*after)))
    }
}

#[cfg(test)]
mod tests {
    use kinfolk_core::NodeState::{Alive, Failed, Suspect};

    use super::super::testing::{A, B, show, status, truth, view};
    use super::*;

    #[test]
    fn verdict_never_decreases() {
        let (rule, truth) = (&mut Precedence, &truth(2));
        let rising = [status(A, 1, Alive), status(A, 1, Suspect), status(A, 1, Failed), status(A, 2, Alive)];
        for (at, lower) in rising.iter().enumerate() {
            for higher in &rising[at + 1..] {
                assert!(view(rule, truth, B, Some(lower), higher).is_ok());
                assert!(view(rule, truth, B, Some(higher), lower).is_err());
            }
        }
    }

    #[test]
    fn older_description_is_caught() {
        let known = status(A, 2, Alive);
        let mut older = status(A, 2, Suspect);
        older.described_at = kinfolk_core::Incarnation::new(1);
        assert!(view(&mut Precedence, &truth(2), B, Some(&known), &older).is_err());
    }

    #[test]
    fn only_a_tombstone_may_be_removed() {
        for (state, holds) in [(Failed, true), (Suspect, false)] {
            let known = status(A, 1, state);
            let forgotten = Observed::View { node: B, before: Some(&known), after: None };
            assert_eq!(show(&mut Precedence, &truth(2), 1, forgotten).is_ok(), holds);
        }
    }
}
