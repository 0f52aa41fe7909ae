//! Fewer liars than the quorum remove no honest member. No honest member that runs leaves the view
//! of an honest member: it does not fail there, it does not leave, and its entry does not vanish.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kinfolk_core::{Instant, NodeState};

use super::Invariant;
use crate::faults::{Fault, Step};
use crate::node::NodeIndex;
use crate::observed::{Moment, Observed};

/// How long after a grave pause a member may still be missing: it must hear of it, and return.
const RETURN_WITHIN: Duration = Duration::from_secs(5);

/// Checks each change of an honest view; see the module. `grave` is the pause from which on an
/// honest accusation counts for a failure. A member that pauses for so long is excused, because one
/// liar may then complete the quorum.
#[derive(Debug)]
pub struct HonestStay {
    liars: BTreeSet<NodeIndex>,
    grave: Duration,
    /// The latest pause of each node that had one: its begin and its end.
    pauses: BTreeMap<NodeIndex, (Instant, Option<Instant>)>,
}

impl HonestStay {
    /// All nodes are honest, except these. A pause of at least `grave` excuses.
    pub fn despite(liars: impl IntoIterator<Item = NodeIndex>, grave: Duration) -> Self {
        Self { liars: liars.into_iter().collect(), grave, pauses: BTreeMap::new() }
    }

    fn step(&mut self, now: Instant, fault: &Fault) {
        match fault {
            Fault::Pause(node) => {
                self.pauses.insert(*node, (now, None));
            }
            Fault::Resume(node) => {
                if let Some((_, ended)) = self.pauses.get_mut(node) {
                    ended.get_or_insert(now);
                }
            }
            _ => {}
        }
    }

    fn is_excused(&self, now: Instant, subject: NodeIndex) -> bool {
        let Some((began, ended)) = self.pauses.get(&subject) else { return false };
        ended.unwrap_or(now).since(*began) >= self.grave
            && ended.is_none_or(|ended| now.since(ended) <= RETURN_WITHIN)
    }
}

impl Invariant for HonestStay {
    fn name(&self) -> &'static str {
        "fewer liars than the quorum remove no honest member"
    }

    fn observe(&mut self, moment: &Moment<'_>) -> Result<(), String> {
        let (node, before, after) = match &moment.what {
            Observed::Step(Step::Fault(fault)) => {
                self.step(moment.now, fault);
                return Ok(());
            }
            Observed::View { node, before, after } => (*node, *before, *after),
            _ => return Ok(()),
        };
        // Only the transition counts, and only in honest views.
        let was_member = before.is_some_and(|before| before.state.is_member());
        let is_gone = after.is_none_or(|after| !after.state.is_member());
        let Some(id) = before.filter(|_| was_member && is_gone).map(|before| &before.id) else {
            return Ok(());
        };
        let Some(subject) = moment.truth.find(id) else { return Ok(()) };
        let truth = moment.truth.node(subject);
        let is_old = after.is_some_and(|after| {
            after.incarnation < truth.born && matches!(after.state, NodeState::Failed | NodeState::Left)
        });
        let is_honest = |node| !self.liars.contains(&node);
        if !is_honest(node)
            || !is_honest(subject)
            || !truth.running
            || truth.left
            || is_old
            || self.is_excused(moment.now, subject)
        {
            return Ok(());
        }
        let how =
            after.map_or("gone", |after| if after.state == NodeState::Left { "left" } else { "failed" });
        Err(format!("{node} has {subject} as {how}, but it runs and is honest"))
    }
}

#[cfg(test)]
mod tests {
    use kinfolk_core::NodeState::{Alive, Failed, Left, Suspect};

    use super::super::testing::{A, B, C, show, status, truth, view};
    use super::*;

    const GRAVE: Duration = Duration::from_secs(3);

    fn rule() -> HonestStay {
        HonestStay::despite([C], GRAVE)
    }

    #[test]
    fn honest_member_that_leaves_an_honest_view_is_caught() {
        let (rule, truth, alive) = (&mut rule(), truth(3), status(A, 10, Alive));
        for state in [Failed, Left] {
            assert!(view(rule, &truth, B, Some(&alive), &status(A, 10, state)).is_err());
        }
        let vanished = Observed::View { node: B, before: Some(&alive), after: None };
        assert!(show(rule, &truth, 1, vanished).is_err());
        assert!(view(rule, &truth, B, Some(&alive), &status(A, 10, Suspect)).is_ok());
        let tombstone = status(A, 10, Failed);
        assert!(view(rule, &truth, B, Some(&tombstone), &status(A, 11, Failed)).is_ok(), "no transition");
    }

    #[test]
    fn liars_and_members_that_are_gone_do_not_count() {
        let (rule, mut truth) = (&mut rule(), truth(3));
        let failed = |rule: &mut _, truth: &_, of, by| {
            view(rule, truth, by, Some(&status(of, 10, Alive)), &status(of, 10, Failed)).is_ok()
        };
        assert!(failed(rule, &truth, A, C) && failed(rule, &truth, C, B) && !failed(rule, &truth, A, B));
        truth.node_mut(A).running = false;
        assert!(failed(rule, &truth, A, B));
    }

    #[test]
    fn only_a_grave_pause_excuses_and_not_for_long() {
        let truth = truth(3);
        let at = |pause: u64, second: u64| {
            let mut rule = rule();
            for (at, fault) in [(10, Fault::Pause(A)), (10 + pause, Fault::Resume(A))] {
                show(&mut rule, &truth, at, Observed::Step(&Step::Fault(fault))).unwrap();
            }
            let (alive, failed) = (status(A, 10, Alive), status(A, 10, Failed));
            let seen = Observed::View { node: B, before: Some(&alive), after: Some(&failed) };
            show(&mut rule, &truth, second, seen).is_ok()
        };
        assert!(at(3, 18) && !at(3, 19) && !at(2, 13));
    }
}
