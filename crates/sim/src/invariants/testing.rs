//! Shared by the tests of invariants: a truth of running members, statuses, and moments made by
//! hand.

use std::time::Duration;

use kinfolk_core::{Incarnation, Instant, NodeAddr, NodeState, NodeStatus, Tags};

use super::Invariant;
use crate::node::NodeIndex;
use crate::observed::{Moment, Observed};
use crate::truth::Truth;

pub(super) const A: NodeIndex = NodeIndex(0);
pub(super) const B: NodeIndex = NodeIndex(1);
pub(super) const C: NodeIndex = NodeIndex(2);

/// Members that all run, in their first instance, with incarnation 10.
pub(super) fn truth(nodes: usize) -> Truth {
    let mut truth = Truth::new((0..nodes).map(|place| NodeIndex(place).id()));
    for place in (0..nodes).map(NodeIndex) {
        let node = truth.node_mut(place);
        (node.instance, node.born, node.running, node.joined) = (1, Incarnation::new(10), true, true);
    }
    truth
}

pub(super) fn status(node: NodeIndex, incarnation: u64, state: NodeState) -> NodeStatus {
    let addr = NodeAddr::new(([10, 0, 0, 1], 1).into());
    NodeStatus::alive(node.id(), addr, Incarnation::new(incarnation), Tags::empty()).with_state(state)
}

/// Passes one observation to the invariant, at this second.
pub(super) fn show(
    invariant: &mut impl Invariant,
    truth: &Truth,
    second: u64,
    what: Observed<'_>,
) -> Result<(), String> {
    let now = Instant::ORIGIN + Duration::from_secs(second);
    invariant.observe(&Moment { now, truth, what })
}

/// Passes a change of `node`'s view to the invariant.
pub(super) fn view(
    invariant: &mut impl Invariant,
    truth: &Truth,
    node: NodeIndex,
    before: Option<&NodeStatus>,
    after: &NodeStatus,
) -> Result<(), String> {
    show(invariant, truth, 1, Observed::View { node, before, after: Some(after) })
}
