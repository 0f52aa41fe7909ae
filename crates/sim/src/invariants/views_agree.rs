//! A stated time after the last fault, all members have equal views: the same verdict about every
//! node, and the same description of every member. A tombstone may be missing, because a member
//! that joins later does not receive tombstones.

use kinfolk_core::{NodeStatus, Snapshot};

use super::Invariant;
use crate::observed::{Ending, Moment};
use crate::trace::View;

/// Compares all views; see the module. The check happens at the end of a run, which a scenario
/// places the stated time after its last step.
#[derive(Debug, Default)]
pub struct ViewsAgree;

impl Invariant for ViewsAgree {
    fn name(&self) -> &'static str {
        "all views are equal at the end"
    }

    fn observe(&mut self, _: &Moment<'_>) -> Result<(), String> {
        Ok(())
    }

    fn finish(&mut self, ending: &Ending<'_>) -> Result<(), String> {
        let mut views = ending.views.iter().filter(|(node, _)| ending.truth.node(*node).is_member());
        let Some((one, of_one)) = views.next() else { return Ok(()) };
        for (other, of_other) in views {
            for (_, subject) in ending.truth.all() {
                let id = &subject.id;
                let (a, b) = (known(of_one, id), known(of_other, id));
                if !agree(a, b) {
                    return Err(format!(
                        "the views of {id} differ: {one} has {}, {other} has {}",
                        View(a),
                        View(b)
                    ));
                }
            }
        }
        Ok(())
    }
}

fn known<'a>(view: &'a Snapshot, id: &kinfolk_core::NodeId) -> Option<&'a NodeStatus> {
    view.get(id).map(|status| &**status)
}

fn agree(a: Option<&NodeStatus>, b: Option<&NodeStatus>) -> bool {
    match (a, b) {
        (Some(one), None) | (None, Some(one)) => !one.state.is_member(),
        _ => a.map(essence) == b.map(essence),
    }
}

/// The part of a status that must be equal. The description of a failed or left node does not
/// matter any more.
fn essence(status: &NodeStatus) -> impl PartialEq {
    let description = (status.described_at, status.addr, status.tags.clone());
    (status.incarnation, status.state, status.state.is_member().then_some(description))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use kinfolk_core::NodeState::{Alive, Failed, Left, Suspect};
    use kinfolk_core::{Instant, SharedNodeRegistry, Tags};

    use super::super::testing::{A, B, status, truth};
    use super::*;

    fn snapshot(statuses: &[NodeStatus]) -> Arc<Snapshot> {
        let registry = SharedNodeRegistry::new();
        for status in statuses {
            assert!(registry.apply(status.clone()).after().is_some());
        }
        registry.snapshot()
    }

    fn holds(of_a: &[NodeStatus], of_b: &[NodeStatus]) -> bool {
        let views = vec![(A, snapshot(of_a)), (B, snapshot(of_b))];
        ViewsAgree.finish(&Ending { now: Instant::ORIGIN, truth: &truth(2), views }).is_ok()
    }

    #[test]
    fn each_kind_of_difference_is_caught() {
        let both = [status(A, 10, Alive), status(B, 10, Alive)];
        let mut tagged = status(B, 10, Alive);
        tagged.tags = Tags::new([("k", "v")]).unwrap();
        assert!(holds(&both, &both));
        assert!(!holds(&both, &both[..1]), "a member is unknown");
        let with_b = |state| [both[0].clone(), status(B, 10, state)];
        assert!(holds(&with_b(Failed), &both[..1]), "a later member has no tombstone");
        assert!(!holds(&with_b(Failed), &with_b(Left)), "two verdicts");
        assert!(!holds(&both, &[both[0].clone(), status(B, 10, Suspect)]), "another state");
        assert!(!holds(&both, &[both[0].clone(), status(B, 11, Alive)]), "another incarnation");
        assert!(!holds(&both, &[both[0].clone(), tagged]), "other tags");
    }
}
