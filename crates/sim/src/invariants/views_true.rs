//! A stated time after the last fault, every view is true. A running node is alive, with its own
//! description. A crashed node is failed, and a left node has left. A forgotten node is in no view.
//! No view holds a node that does not exist.

use kinfolk_core::{NodeState, NodeStatus, Snapshot};

use super::Invariant;
use crate::node::NodeIndex;
use crate::observed::{Ending, Moment};
use crate::trace::View;
use crate::truth::TrueNode;

/// Compares each view with the truth; see the module. The check happens at the end of a run, which
/// a scenario places the stated time after its last step.
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
        // A member's own view is the truth about its description.
        let own =
            ending.views.iter().find(|(of, _)| *of == subject).and_then(|(_, view)| view.get(&truth.id));
        if !is_true(truth, known, own.map(|status| &**status)) {
            let so = match truth {
                _ if truth.instance == 0 => "has never started",
                _ if truth.forgotten => "is forgotten",
                _ if truth.left => "has left",
                _ if truth.running => "runs",
                _ => "has crashed",
            };
            return Err(format!("{node} has {subject} as {}, but it {so}", View(known)));
        }
    }
    if let Some(stranger) = view.nodes().iter().find(|status| ending.truth.find(&status.id).is_none()) {
        return Err(format!("{node} knows {}, but no such node exists", stranger.id));
    }
    Ok(())
}

fn is_true(truth: &TrueNode, known: Option<&NodeStatus>, own: Option<&NodeStatus>) -> bool {
    let state = known.map(|status| status.state);
    match truth {
        _ if truth.instance == 0 || truth.forgotten => known.is_none(),
        // A member that joined after the leave need not know of it.
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

    /// Whether the rule accepts that A has `known` of B, while B's own view is correct.
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
    fn each_false_entry_is_caught() {
        let runs = truth(2);
        let mut crashed = truth(2);
        crashed.node_mut(B).running = false;
        let mut left = crashed.clone();
        left.node_mut(B).left = true;
        let mut unborn = crashed.clone();
        unborn.node_mut(B).instance = 0;
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
    fn old_incarnation_of_running_member_is_caught() {
        assert!(!holds(&truth(2), Some(status(B, 9, Alive))));
    }

    #[test]
    fn node_that_never_joined_is_caught() {
        let mut truth = truth(2);
        truth.node_mut(B).joined = false;
        assert!(!holds(&truth, Some(status(B, 10, Alive))));
    }
}
