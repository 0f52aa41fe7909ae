//! No member that runs is declared failed. Where trouble could explain it, the scenario says whether it is an excuse.

use std::time::Duration;

use kinfolk_core::NodeState;

use super::Invariant;
use crate::observed::{Moment, Observed};

/// See the file's head.
#[derive(Debug)]
pub struct NoFalseFailure {
    excuse: Option<Duration>,
}

impl NoFalseFailure {
    /// No failure of a running member, whatever else goes on: for faults that the protocol must ride out.
    pub fn strict() -> Self {
        Self { excuse: None }
    }

    /// Trouble of its own or of the network excuses a failure for this long after.
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
        if after.state != NodeState::Failed || before.is_some_and(|before| before.state == NodeState::Failed)
        {
            return Ok(());
        }
        let Some(subject) = moment.truth.find(&after.id).map(|subject| moment.truth.node(subject)) else {
            return Err(format!("{node} has {} as failed, which never existed", after.id));
        };
        let excused = |excuse| subject.disturbed.is_some_and(|at| moment.now.since(at) <= excuse);
        // What is said of a former life of the name may well be true.
        if !subject.running || after.incarnation < subject.born || self.excuse.is_some_and(excused) {
            return Ok(());
        }
        Err(format!("{node} has {} @{} as failed, and it runs", after.id, after.incarnation))
    }
}

#[cfg(test)]
mod tests {
    use kinfolk_core::Instant;
    use kinfolk_core::NodeState::{Failed, Suspect};

    use super::super::testing::{A, B, show, status, truth, view};
    use super::*;

    #[test]
    fn a_running_member_that_is_declared_failed_is_caught_and_a_crashed_one_is_right() {
        let (rule, mut truth) = (&mut NoFalseFailure::strict(), truth(2));
        let suspect = status(A, 10, Suspect);
        assert!(view(rule, &truth, B, Some(&suspect), &status(A, 10, Failed)).is_err());
        truth.node_mut(A).running = false;
        assert!(view(rule, &truth, B, Some(&suspect), &status(A, 10, Failed)).is_ok());
    }

    #[test]
    fn the_failure_of_a_former_life_is_right() {
        assert!(view(&mut NoFalseFailure::strict(), &truth(2), B, None, &status(A, 9, Failed)).is_ok());
    }

    #[test]
    fn trouble_excuses_as_long_as_was_said_and_not_where_it_is_none() {
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
