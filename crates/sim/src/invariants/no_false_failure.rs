//! No running member is declared failed. If a fault could explain the failure, the scenario says
//! whether it excuses it.

use std::time::Duration;

use kinfolk_core::NodeState;

use super::Invariant;
use crate::observed::{Moment, Observed};

/// Checks each failure against the truth; see the module.
#[derive(Debug)]
pub struct NoFalseFailure {
    excuse: Option<Duration>,
}

impl NoFalseFailure {
    /// Allows no failure of a running member, for faults that the protocol must tolerate.
    pub fn strict() -> Self {
        Self { excuse: None }
    }

    /// Excuses a failure for this time after a fault of the member or of the network.
    pub fn excused_for(after: Duration) -> Self {
        Self { excuse: Some(after) }
    }
}

impl Invariant for NoFalseFailure {
    fn name(&self) -> &'static str {
        "no member that runs is declared failed"
    }

    fn observe(&mut self, moment: &Moment<'_>) -> Result<(), String> {
        let Observed::View { node, before, after: Some(after) } = &moment.what else { return Ok(()) };
        // Only the transition counts: a tombstone that stays is reported once.
        if after.state != NodeState::Failed || before.is_some_and(|before| before.state == NodeState::Failed)
        {
            return Ok(());
        }
        let Some(subject) = moment.truth.find(&after.id).map(|subject| moment.truth.node(subject)) else {
            return Err(format!("{node} has {} as failed, but no such node exists", after.id));
        };
        let excused = |excuse| subject.disturbed.is_some_and(|at| moment.now.since(at) <= excuse);
        // A claim about the previous instance of the name may be true.
        if !subject.running || after.incarnation < subject.born || self.excuse.is_some_and(excused) {
            return Ok(());
        }
        Err(format!("{node} has {} @{} as failed, but it runs", after.id, after.incarnation))
    }
}

#[cfg(test)]
mod tests {
    use kinfolk_core::Instant;
    use kinfolk_core::NodeState::{Failed, Suspect};

    use super::super::testing::{A, B, show, status, truth, view};
    use super::*;

    #[test]
    fn failure_of_running_member_is_caught() {
        let (rule, mut truth) = (&mut NoFalseFailure::strict(), truth(2));
        let suspect = status(A, 10, Suspect);
        assert!(view(rule, &truth, B, Some(&suspect), &status(A, 10, Failed)).is_err());
        truth.node_mut(A).running = false;
        assert!(view(rule, &truth, B, Some(&suspect), &status(A, 10, Failed)).is_ok());
    }

    #[test]
    fn failure_of_previous_instance_is_accepted() {
        assert!(view(&mut NoFalseFailure::strict(), &truth(2), B, None, &status(A, 9, Failed)).is_ok());
    }

    #[test]
    fn fault_excuses_only_for_the_stated_time() {
        let mut truth = truth(2);
        truth.node_mut(A).disturbed = Some(Instant::ORIGIN);
        let failed = status(A, 10, Failed);
        let at = |mut rule: NoFalseFailure, second| {
            let seen = Observed::View { node: B, before: None, after: Some(&failed) };
            show(&mut rule, &truth, second, seen).is_ok()
        };
        let excusing = || NoFalseFailure::excused_for(Duration::from_secs(5));
        assert!(at(excusing(), 5) && !at(excusing(), 6) && !at(NoFalseFailure::strict(), 1));
    }
}
