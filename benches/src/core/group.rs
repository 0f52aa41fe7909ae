//! An invented group: members by number, and claims about them that are always new.

use std::sync::Arc;

use kinfolk_core::signed::simulated::SimulatedKeys;
use kinfolk_core::{ClusterId, Incarnation, NodeAddr, NodeId, NodeStatus, Rng, SharedNodeRegistry, Tags};

/// The name of a member.
pub(super) fn id(number: usize) -> NodeId {
    NodeId::new(&format!("member-{number:05}")).expect("letters and digits make a label")
}

/// A member's own statement at this incarnation, with two tags as an application would set them.
pub(super) fn status(number: usize, incarnation: u64) -> NodeStatus {
    let addr = NodeAddr::new(([10, 0, 0, 1], 7946).into());
    let tags =
        Tags::new([("role", "database"), ("zone", "b")]).expect("two short tags are within the bounds");
    signed(NodeStatus::alive(id(number), addr, Incarnation::new(incarnation), tags))
}

/// The keys of the group.
pub(super) fn keys() -> SimulatedKeys {
    SimulatedKeys::new(ClusterId::new("bench").expect("a label"), 1)
}

fn signed(status: NodeStatus) -> NodeStatus {
    let key = keys().key_of(status.id.clone());
    status.signed(&key)
}

/// A registry that knows this many members at incarnation 1.
pub(super) fn registry(members: usize) -> SharedNodeRegistry {
    let registry = SharedNodeRegistry::new();
    for number in 0..members {
        let _change = registry.apply(status(number, 1));
    }
    registry
}

/// A source of claims about random members. Each new claim has a higher incarnation than all
/// before, so that it changes the registry.
pub(super) struct Claims {
    known: Vec<Arc<NodeStatus>>,
    rng: Rng,
    incarnation: u64,
}

impl Claims {
    pub(super) fn about(members: usize) -> Self {
        let known = (0..members).map(|number| Arc::new(status(number, 1))).collect();
        Self { known, rng: Rng::from_seed(1), incarnation: 1 }
    }

    /// A claim at incarnation 1 about a random member.
    pub(super) fn known(&mut self) -> &Arc<NodeStatus> {
        let number = self.rng.below(self.known.len());
        &self.known[number]
    }

    /// The next new claim.
    pub(super) fn next(&mut self) -> Arc<NodeStatus> {
        self.incarnation += 1;
        let incarnation = Incarnation::new(self.incarnation);
        signed(NodeStatus { incarnation, described_at: incarnation, ..(**self.known()).clone() }).into()
    }
}
