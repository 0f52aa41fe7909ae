//! Once faults have ended for a stated time, every view is true: who runs is alive, with what it says of itself; who has
//! crashed is failed; who has left has left; who is forgotten is in none; nobody else exists.

use kinfolk_core::{NodeState, NodeStatus, Snapshot};

use super::Invariant;
use crate::node::NodeIndex;
use crate::observed::{Ending, Moment};
use crate::trace::View;
use crate::truth::TrueNode;

/// See the file's head. Checked at the end of a run, which a scenario places the stated time after its last step.
#[derive(Debug, Default)]
pub struct ViewsTrue;

impl Invariant for ViewsTrue {
    fn name(&self) -> &'static str {
        "all views are true at the end"
    }

    fn observe(&mut self, _: &Moment<'_>) -> Result<(), String> {
        Ok(())
    }

    fn finish(&mut self, ending: &Ending<'_>) -> Result<(), String> {
        if let Some((node, _)) = ending.truth.all().find(|(_, truth)| truth.running && !truth.joined) {
            return Err(format!("{node} has not joined"));
        }
        for (node, view) in &ending.views {
            if ending.truth.node(*node).is_member() {
                one_is_true(ending, *node, view)?;
            }
        }
        Ok(())
    }
}

fn one_is_true(ending: &Ending<'_>, node: NodeIndex, view: &Snapshot) -> Result<(), String> {
    for (subject, truth) in ending.truth.all() {
        let known = view.get(&truth.id).map(|status| &**status);
        let own =
            ending.views.iter().find(|(of, _)| *of == subject).and_then(|(_, view)| view.get(&truth.id));
        if !is_true(truth, known, own.map(|status| &**status)) {
            let so = match truth {
                _ if truth.life == 0 => "has never started",
                _ if truth.forgotten => "is forgotten",
                _ if truth.left => "has left",
                _ if truth.running => "runs",
                _ => "has crashed",
            };
            return Err(format!("{node} has {subject} as {}, and it {so}", View(known)));
        }
    }
    if let Some(stranger) = view.nodes().iter().find(|status| ending.truth.find(&status.id).is_none()) {
        return Err(format!("{node} knows {}, which does not exist", stranger.id));
    }
    Ok(())
}

fn is_true(truth: &TrueNode, known: Option<&NodeStatus>, own: Option<&NodeStatus>) -> bool {
    let state = known.map(|status| status.state);
    match truth {
        _ if truth.life == 0 || truth.forgotten => known.is_none(),
        // Who came after it was gone need not know that it ever was.
        _ if truth.left => matches!(state, None | Some(NodeState::Left)),
        _ if truth.running => state == Some(NodeState::Alive) && known == own,
        _ => matches!(state, None | Some(NodeState::Failed)),
    }
}

#[cfg(test)]
mod tests {
    use kinfolk_core::NodeState::{Alive, Failed, Left, Suspect};
    use kinfolk_core::{Instant, SharedNodeRegistry};

    use super::super::testing::{A, B, status, truth};
    use super::*;
    use crate::truth::Truth;

    /// Whether it holds that A has `known` of B, while B's own view is right.
    fn holds(truth: &Truth, known: Option<NodeStatus>) -> bool {
        let view = |of_b: Option<NodeStatus>| {
            let registry = SharedNodeRegistry::new();
            for status in [Some(status(A, 10, Alive)), of_b].into_iter().flatten() {
                assert!(registry.apply(status).after().is_some());
            }
            registry.snapshot()
        };
        let views = vec![(A, view(known)), (B, view(Some(status(B, 10, Alive))))];
        let views = views.into_iter().filter(|(node, _)| truth.node(*node).running).collect();
        ViewsTrue.finish(&Ending { now: Instant::ORIGIN, truth, views }).is_ok()
    }

    #[test]
    fn each_false_belief_is_caught_and_each_true_one_is_right() {
        let runs = truth(2);
        let mut crashed = truth(2);
        crashed.node_mut(B).running = false;
        let mut left = crashed.clone();
        left.node_mut(B).left = true;
        let mut unborn = crashed.clone();
        unborn.node_mut(B).life = 0;
        let believed = [None, Some(Alive), Some(Suspect), Some(Failed), Some(Left)];
        for (name, truth, expected) in [
            ("runs", &runs, [false, true, false, false, false]),
            ("crashed", &crashed, [true, false, false, true, false]),
            ("left", &left, [true, false, false, false, true]),
            ("unborn", &unborn, [true, false, false, false, false]),
        ] {
            let found = believed.map(|state| holds(truth, state.map(|state| status(B, 10, state))));
            assert_eq!(found, expected, "{name}");
        }
    }

    #[test]
    fn a_former_incarnation_of_a_running_member_is_caught() {
        assert!(!holds(&truth(2), Some(status(B, 9, Alive))));
    }

    #[test]
    fn a_node_that_never_got_in_is_caught() {
        let mut truth = truth(2);
        truth.node_mut(B).joined = false;
        assert!(!holds(&truth, Some(status(B, 10, Alive))));
    }
}
