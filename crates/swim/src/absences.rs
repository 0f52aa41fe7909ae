//! Planned absences: the members that said that they are in maintenance, and until when no member
//! declares them failed.

use std::collections::BTreeMap;

use kinfolk_core::{Incarnation, Instant, NodeId, NodeStatus};

/// The members in maintenance. It follows the view, so it has at most as many entries.
#[derive(Debug, Default)]
pub(crate) struct Absences {
    /// The statement that announced the maintenance, and its end on this member's clock.
    of: BTreeMap<NodeId, (Incarnation, Instant)>,
}

impl Absences {
    /// A member's entry in the view has changed.
    ///
    /// The time counts from when this member learns of the statement: clocks of members may
    /// differ by hours, and a duration is the same everywhere. A member that joins meanwhile
    /// therefore waits longer, by at most the length that was announced.
    pub(crate) fn note(&mut self, now: Instant, node: &NodeStatus) {
        let length = node.condition.maintenance_length().filter(|_| node.state.is_member());
        let Some(length) = length else {
            self.of.remove(&node.id);
            return;
        };
        let announced = self.of.get(&node.id).map(|(statement, _)| *statement);
        // Another claim about the same statement, such as a suspicion, must not lengthen it.
        if announced != Some(node.described_at) {
            self.of.insert(node.id.clone(), (node.described_at, now + length));
        }
    }

    /// Whether the member is in maintenance and its time is not over.
    pub(crate) fn is_absent(&self, now: Instant, id: &NodeId) -> bool {
        self.end(now, id).is_some()
    }

    /// When the maintenance of the member ends; `None` if it is not in maintenance.
    pub(crate) fn end(&self, now: Instant, id: &NodeId) -> Option<Instant> {
        self.of.get(id).map(|(_, until)| *until).filter(|until| *until > now)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use kinfolk_core::{About, Condition, NodeAddr, NodeState};

    use super::*;

    fn at(second: u64) -> Instant {
        Instant::ORIGIN + Duration::from_secs(second)
    }

    fn node(incarnation: u64, condition: Condition) -> NodeStatus {
        let (id, addr) = (NodeId::new("a").unwrap(), NodeAddr::new(([127, 0, 0, 1], 1).into()));
        let about = About { condition, ..About::default() };
        NodeStatus::described(id, addr, Incarnation::new(incarnation), about)
    }

    fn maintenance(incarnation: u64) -> NodeStatus {
        node(incarnation, Condition::maintenance(Duration::from_mins(1), ""))
    }

    fn absent(absences: &Absences, second: u64) -> bool {
        absences.is_absent(at(second), &NodeId::new("a").unwrap())
    }

    #[test]
    fn maintenance_ends_with_its_time() {
        let mut absences = Absences::default();
        absences.note(at(10), &maintenance(1));
        assert_eq!([10, 69, 70].map(|second| absent(&absences, second)), [true, true, false]);
    }

    #[test]
    fn same_statement_does_not_lengthen_it() {
        let mut absences = Absences::default();
        absences.note(at(10), &maintenance(1));
        absences.note(at(50), &maintenance(1).with_state(NodeState::Suspect));
        assert!(!absent(&absences, 70));
        absences.note(at(50), &maintenance(2));
        assert!(absent(&absences, 109) && !absent(&absences, 110));
    }

    #[test]
    fn new_statement_or_failure_ends_it() {
        for end in [node(2, Condition::Passing), maintenance(1).with_state(NodeState::Failed)] {
            let mut absences = Absences::default();
            absences.note(at(10), &maintenance(1));
            absences.note(at(11), &end);
            assert!(!absent(&absences, 11));
        }
    }
}
