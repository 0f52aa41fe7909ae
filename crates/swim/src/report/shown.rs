//! Which suspicions the application is told. A member that accuses all others again and again must
//! not fill the event stream: each accuser has one suspicion a minute shown. All suspicions still
//! count.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kinfolk_core::{ClusterEvent, Instant, NodeId};

/// One suspicion of each accuser is shown in this time.
const SHOWN_EVERY: Duration = Duration::from_mins(1);
/// How many accusers are remembered. Of one more, no suspicion is shown for now.
const ACCUSERS_MAX: usize = 4_096;

/// The suspicions that were shown, and the suspects that were not.
#[derive(Debug, Default)]
pub(super) struct ShownSuspicions {
    /// When a suspicion of this accuser was shown last.
    at: BTreeMap<NodeId, Instant>,
    /// The suspects whose suspicion was not shown, so that their recovery is not shown either.
    hidden: BTreeSet<NodeId>,
}

impl ShownSuspicions {
    /// Whether the application is told this event. This member's own suspicions are always shown.
    pub(super) fn is_shown(&mut self, now: Instant, me: &NodeId, event: &ClusterEvent) -> bool {
        match event {
            ClusterEvent::NodeSuspected { node, cause } => {
                let is_shown = cause.accusers.is_empty()
                    || cause.accusers.contains(me)
                    || self.is_any_due(now, &cause.accusers);
                if is_shown {
                    self.hidden.remove(&node.id);
                } else {
                    self.hidden.insert(node.id.clone());
                }
                is_shown
            }
            ClusterEvent::NodeRecovered { node } => !self.hidden.remove(&node.id),
            ClusterEvent::NodeFailed { node, .. } | ClusterEvent::NodeLeft { node } => {
                self.hidden.remove(&node.id);
                true
            }
            _ => true,
        }
    }

    fn is_any_due(&mut self, now: Instant, accusers: &[NodeId]) -> bool {
        self.at.retain(|_, at| now.since(*at) < SHOWN_EVERY);
        let due: Vec<&NodeId> = accusers.iter().filter(|accuser| !self.at.contains_key(*accuser)).collect();
        if due.is_empty() || self.at.len() + due.len() > ACCUSERS_MAX {
            return false;
        }
        self.at.extend(due.into_iter().map(|accuser| (accuser.clone(), now)));
        true
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use kinfolk_core::{Cause, Incarnation, NodeAddr, NodeStatus, Reason, Tags};

    use super::*;

    fn id(name: &str) -> NodeId {
        NodeId::new(name).unwrap()
    }

    fn node(name: &str) -> Arc<NodeStatus> {
        let addr = NodeAddr::new(([127, 0, 0, 1], 1).into());
        NodeStatus::alive(id(name), addr, Incarnation::new(1), Tags::empty()).into()
    }

    fn suspected(name: &str, accuser: &str) -> ClusterEvent {
        ClusterEvent::NodeSuspected { node: node(name), cause: Cause::by(id(accuser), Reason::Reported) }
    }

    #[test]
    fn one_suspicion_of_each_accuser_and_minute_is_shown() {
        let (mut shown, now, me) = (ShownSuspicions::default(), Instant::ORIGIN, id("me"));
        assert!(shown.is_shown(now, &me, &suspected("a", "liar")));
        assert!(!shown.is_shown(now, &me, &suspected("b", "liar")));
        assert!(shown.is_shown(now, &me, &suspected("b", "other")));
        assert!((0..9).all(|_| shown.is_shown(now, &me, &suspected("c", "me"))), "the own ones");
        assert!(shown.is_shown(now + SHOWN_EVERY, &me, &suspected("b", "liar")));
    }

    #[test]
    fn recovery_of_a_hidden_suspicion_is_hidden() {
        let (mut shown, now, me) = (ShownSuspicions::default(), Instant::ORIGIN, id("me"));
        let recovered = |name| ClusterEvent::NodeRecovered { node: node(name) };
        shown.is_shown(now, &me, &suspected("a", "liar"));
        assert!(shown.is_shown(now, &me, &recovered("a")));
        shown.is_shown(now, &me, &suspected("b", "liar"));
        assert!(!shown.is_shown(now, &me, &recovered("b")));
        shown.is_shown(now, &me, &suspected("b", "liar"));
        let failed =
            ClusterEvent::NodeFailed { node: node("b"), cause: Cause::by(id("x"), Reason::Reported) };
        assert!(shown.is_shown(now, &me, &failed), "a failure is always shown");
        assert!(shown.hidden.is_empty());
    }
}
