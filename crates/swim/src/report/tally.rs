//! Counts the changes of the view by what they mean, with the rules of `ClusterEvent::of_change`.
//! The damping of events does not apply: a flapping member has no events, and its failures count.

use kinfolk_core::{Change, NodeId, NodeState, Reason};

use crate::interface::stats::ViewChanges;

/// Counts one change of another member than `me`, which this member knows for this `reason`.
pub(super) fn count(counts: &mut ViewChanges, me: &NodeId, change: &Change, reason: &Reason) {
    use NodeState::{Alive, Failed, Left, Suspect};
    let Change::Applied { before, after } = change else { return };
    if after.id == *me {
        return;
    }
    let was = before.as_ref().map(|before| before.state);
    counts.joined += u64::from(after.state.is_member() && !was.is_some_and(NodeState::is_member));
    match (was, after.state) {
        (Some(Suspect), Suspect) => {}
        (_, Suspect) => counts.suspected += 1,
        (Some(Suspect), Alive) => counts.recovered += 1,
        (Some(Alive | Suspect), Failed) => counts.failed[reason.index()] += 1,
        (Some(Alive | Suspect), Left) => counts.left += 1,
        // A new tombstone of an unknown member, or another end of a member that had ended.
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use kinfolk_core::NodeState::{Alive, Failed, Left, Suspect};
    use kinfolk_core::{Incarnation, NodeAddr, NodeStatus, Tags};

    use super::*;

    const CLOSED: Reason = Reason::PortClosed { silence: std::time::Duration::from_millis(40), witnesses: 1 };

    fn status(state: NodeState) -> Arc<NodeStatus> {
        let addr = NodeAddr::new(([127, 0, 0, 1], 1).into());
        let id = NodeId::new("a").unwrap();
        NodeStatus::alive(id, addr, Incarnation::new(1), Tags::empty()).with_state(state).into()
    }

    fn counted(me: &str, before: Option<NodeState>, after: NodeState) -> ViewChanges {
        let mut counts = ViewChanges::default();
        let change = Change::Applied { before: before.map(status), after: status(after) };
        count(&mut counts, &NodeId::new(me).unwrap(), &change, &CLOSED);
        counts
    }

    #[test]
    fn each_change_has_its_counter() {
        let none = ViewChanges::default();
        let (joined, suspected) = (ViewChanges { joined: 1, ..none }, ViewChanges { suspected: 1, ..none });
        let (recovered, left) = (ViewChanges { recovered: 1, ..none }, ViewChanges { left: 1, ..none });
        let mut failed = none;
        failed.failed[CLOSED.index()] = 1;
        for (before, after, expected) in [
            (None, Alive, joined),
            (Some(Failed), Alive, joined),
            (Some(Left), Alive, joined),
            (None, Suspect, ViewChanges { suspected: 1, ..joined }),
            (Some(Alive), Alive, none),
            (Some(Alive), Suspect, suspected),
            (Some(Suspect), Suspect, none),
            (Some(Suspect), Alive, recovered),
            (Some(Alive), Failed, failed),
            (Some(Suspect), Failed, failed),
            (Some(Alive), Left, left),
            (Some(Failed), Left, none),
            (None, Failed, none),
            (None, Left, none),
        ] {
            assert_eq!(counted("me", before, after), expected, "{before:?} to {after}");
        }
    }

    #[test]
    fn own_changes_do_not_count() {
        assert_eq!(counted("a", Some(Alive), Left), ViewChanges::default());
        assert_eq!(counted("a", Some(Alive), Suspect), ViewChanges::default());
    }
}
