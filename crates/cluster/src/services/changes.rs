//! The changes of a view since a snapshot. A subscription starts before its snapshot, so that no
//! change is missed; the first events may then tell what the snapshot holds already. This module
//! finds those, so that no change is told twice.

use std::collections::BTreeMap;
use std::sync::Arc;

use kinfolk_core::{ClusterEvent, Incarnation, NodeId, NodeState, NodeStatus, Snapshot};

use super::instance::ServiceInstance;

/// What is known of the nodes from a snapshot and the events after it.
#[derive(Debug)]
pub(super) struct Known {
    /// The latest version of each node.
    of: BTreeMap<NodeId, Version>,
    /// The status of the last event that was new. One change may cause two events, which share it.
    last: Option<Arc<NodeStatus>>,
}

/// The order of the statuses of one node: by the verdict, and by the description.
type Version = ((Incarnation, NodeState), Incarnation);

fn version(node: &NodeStatus) -> Version {
    ((node.incarnation, node.state), node.described_at)
}

impl Known {
    /// What a snapshot holds.
    pub(super) fn new(snapshot: &Snapshot) -> Self {
        let of = snapshot.nodes().iter().map(|node| (node.id.clone(), version(node))).collect();
        Self { of, last: None }
    }

    /// Whether the event tells something that the snapshot does not hold. An event that is about no
    /// status is always new.
    pub(super) fn is_new(&mut self, event: &ClusterEvent) -> bool {
        match event {
            ClusterEvent::NodeReaped { id } => self.of.remove(id).is_some(),
            // It repeats the status of an earlier event.
            ClusterEvent::NodeSettled { .. } => true,
            other => status_of(other).is_none_or(|node| self.advances(node)),
        }
    }

    /// Whether this status is newer than what is known of its node. Both halves of a status only
    /// rise, so a status with neither half above the known one is old.
    fn advances(&mut self, node: &Arc<NodeStatus>) -> bool {
        if self.last.as_ref().is_some_and(|last| Arc::ptr_eq(last, node)) {
            return true;
        }
        let (verdict, described_at) = version(node);
        if let Some((known_verdict, known_description)) = self.of.get(&node.id)
            && verdict <= *known_verdict
            && described_at <= *known_description
        {
            return false;
        }
        self.of.insert(node.id.clone(), (verdict, described_at));
        self.last = Some(Arc::clone(node));
        true
    }
}

/// The status that an event is about.
pub(super) fn status_of(event: &ClusterEvent) -> Option<&Arc<NodeStatus>> {
    match event {
        ClusterEvent::NodeJoined { node }
        | ClusterEvent::NodeUpdated { node }
        | ClusterEvent::NodeSuspected { node, .. }
        | ClusterEvent::NodeRecovered { node }
        | ClusterEvent::NodeFailed { node, .. }
        | ClusterEvent::NodeLeft { node }
        | ClusterEvent::NodeSettled { node } => Some(node),
        _ => None,
    }
}

/// A change of the instances of one service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    Added(ServiceInstance),
    Changed(ServiceInstance),
    Removed(NodeId),
}

/// The instances of one service, followed through events.
#[derive(Debug)]
pub(super) struct Instances {
    service: String,
    of: BTreeMap<NodeId, ServiceInstance>,
}

impl Instances {
    /// Those of a snapshot.
    pub(super) fn new(service: &str, snapshot: &Snapshot) -> Self {
        let each = snapshot.nodes().iter().filter_map(|node| ServiceInstance::of(node, service));
        let of = each.map(|instance| (instance.node.clone(), instance)).collect();
        Self { service: service.to_owned(), of }
    }

    /// All present ones, ordered by name.
    pub(super) fn present(&self) -> Vec<ServiceInstance> {
        self.of.values().cloned().collect()
    }

    /// A node has this status now. Returns the change, if the service changed with it.
    pub(super) fn follow(&mut self, node: &NodeStatus) -> Option<Change> {
        match ServiceInstance::of(node, &self.service) {
            None => self.remove(&node.id),
            Some(instance) => {
                let before = self.of.insert(instance.node.clone(), instance.clone());
                match before {
                    None => Some(Change::Added(instance)),
                    Some(before) => (before != instance).then_some(Change::Changed(instance)),
                }
            }
        }
    }

    /// A node is no longer in the view.
    pub(super) fn remove(&mut self, id: &NodeId) -> Option<Change> {
        self.of.remove(id).map(|_| Change::Removed(id.clone()))
    }

    /// Compares with a whole view. Needed where events were dropped, or withheld because a member
    /// flaps.
    pub(super) fn reconcile(&mut self, snapshot: &Snapshot) -> Vec<Change> {
        let gone: Vec<NodeId> = self.of.keys().filter(|id| snapshot.get(id).is_none()).cloned().collect();
        let mut changes: Vec<Change> = gone.iter().filter_map(|id| self.remove(id)).collect();
        changes.extend(snapshot.nodes().iter().filter_map(|node| self.follow(node)));
        changes
    }
}

#[cfg(test)]
mod tests {
    use kinfolk_core::{
        About, Cause, Condition, NodeAddr, Reason, RegistryWriter, Service, ServiceName, Services,
    };
    use proptest::prelude::*;

    use super::*;

    /// One step of a made-up history of a member.
    #[derive(Debug, Clone, Copy)]
    enum Step {
        Offer(u16),
        Withdraw,
        Suspect,
        Fail,
        Leave,
    }

    fn any_step() -> impl Strategy<Value = (u8, Step)> {
        let step = prop_oneof![
            4 => (1..4_u16).prop_map(Step::Offer),
            2 => Just(Step::Withdraw),
            1 => Just(Step::Suspect),
            1 => Just(Step::Fail),
            1 => Just(Step::Leave),
        ];
        (0..3_u8, step)
    }

    fn node_id(node: u8) -> NodeId {
        NodeId::new(&format!("n{node}")).unwrap()
    }

    /// The status after a step. A member that failed or left comes back with its next offer.
    fn status(before: Option<&NodeStatus>, node: u8, step: Step) -> NodeStatus {
        let next = before.map_or(Incarnation::new(1), |before| before.incarnation.next());
        let described = |services, condition| {
            let about = About { services, condition, ..About::default() };
            let addr = NodeAddr::new(([10, 0, 0, node], 1).into());
            NodeStatus::described(node_id(node), addr, next, about)
        };
        let state = |state| before.map(|before| before.with_state(before.state.max(state)));
        let withdrawn = || described(Services::none(), Condition::Passing);
        match step {
            Step::Offer(port) => {
                let services = Services::none().with(ServiceName::new("db").unwrap(), Service::new(port));
                described(services.unwrap(), Condition::Passing)
            }
            Step::Withdraw => withdrawn(),
            Step::Suspect => state(NodeState::Suspect).unwrap_or_else(withdrawn),
            Step::Fail => state(NodeState::Failed).unwrap_or_else(withdrawn),
            Step::Leave => state(NodeState::Left).unwrap_or_else(withdrawn),
        }
    }

    /// Applies the steps to a registry. Returns the events, and the snapshot after `taken` steps.
    fn history(steps: &[(u8, Step)], taken: usize) -> (Vec<ClusterEvent>, Arc<Snapshot>) {
        let mut writer = RegistryWriter::new();
        let (mut events, mut taken_then) = (Vec::new(), writer.view().snapshot());
        let cause = Cause::by(node_id(9), Reason::Reported);
        for (number, (node, step)) in steps.iter().enumerate() {
            if number == taken {
                taken_then = writer.view().snapshot();
            }
            let before = writer.view().get(&node_id(*node));
            let change = writer.apply(status(before.as_deref(), *node, *step));
            events.extend(ClusterEvent::of_change(&change, &cause));
        }
        if taken >= steps.len() {
            taken_then = writer.view().snapshot();
        }
        (events, taken_then)
    }

    proptest! {
        /// A watch that starts at any moment of a history tells the rest of the history, and
        /// nothing twice: the changes from its first set are those of a watch that saw all.
        #[test]
        fn watch_from_any_moment_misses_and_repeats_nothing(
            steps in prop::collection::vec(any_step(), 1..40),
            taken in 0..41_usize,
        ) {
            let (events, snapshot) = history(&steps, taken);
            let (mut known, mut instances) = (Known::new(&snapshot), Instances::new("db", &snapshot));
            let mut told = Vec::new();
            for event in events.iter().filter(|event| known.is_new(event)) {
                told.extend(status_of(event).and_then(|node| instances.follow(node)));
            }
            // The same history, from the snapshot on only.
            let (later, _) = history(&steps, steps.len());
            let earlier = history(&steps[..taken.min(steps.len())], 0).0.len();
            let mut expected = Instances::new("db", &snapshot);
            let rest = later[earlier..].iter().filter_map(status_of);
            let expected_changes: Vec<Change> = rest.filter_map(|node| expected.follow(node)).collect();
            prop_assert_eq!(told, expected_changes);
            prop_assert_eq!(instances.present(), expected.present());
        }

        /// The same for all events: those that are new are exactly those after the snapshot.
        #[test]
        fn new_events_are_those_after_the_snapshot(
            steps in prop::collection::vec(any_step(), 1..40),
            taken in 0..41_usize,
        ) {
            let (events, snapshot) = history(&steps, taken);
            let mut known = Known::new(&snapshot);
            let earlier = history(&steps[..taken.min(steps.len())], 0).0.len();
            let new: Vec<bool> = events.iter().map(|event| known.is_new(event)).collect();
            prop_assert!(new[..earlier].iter().all(|new| !new), "an old event is told again");
            prop_assert!(new[earlier..].iter().all(|new| *new), "an event is missed");
        }

        /// Without any event, a comparison with the whole view finds the same instances.
        #[test]
        fn reconciling_finds_what_events_would_have_told(
            steps in prop::collection::vec(any_step(), 1..40),
            taken in 0..41_usize,
        ) {
            let (_, snapshot) = history(&steps, taken);
            let (_, last) = history(&steps, steps.len());
            let mut instances = Instances::new("db", &snapshot);
            instances.reconcile(&last);
            prop_assert_eq!(instances.present(), Instances::new("db", &last).present());
            prop_assert_eq!(instances.reconcile(&last), Vec::new());
        }
    }
}
