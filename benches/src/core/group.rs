//! A made-up group: members by number, and a source of claims about them that are always news.

use std::sync::Arc;

use kinfolk_core::{Incarnation, NodeAddr, NodeId, NodeStatus, Rng, SharedNodeRegistry, Tags};

/// The name of a member.
pub(super) fn id(number: usize) -> NodeId {
    NodeId::new(&format!("member-{number:05}")).expect("it is a label")
}

/// A member's own statement at this incarnation, with two tags as an application would set them.
pub(super) fn status(number: usize, incarnation: u64) -> NodeStatus {
    let addr = NodeAddr::new(([10, 0, 0, 1], 7946).into());
    let tags =
        Tags::new([("role", "database"), ("zone", "b")]).expect("two short tags are within the bounds");
    NodeStatus::alive(id(number), addr, Incarnation::new(incarnation), tags)
}

/// A registry that knows this many members at incarnation 1.
pub(super) fn registry(members: usize) -> SharedNodeRegistry {
    let registry = SharedNodeRegistry::new();
    for number in 0..members {
        let _change = registry.apply(status(number, 1));
    }
    registry
}

/// Claims about random members, each at a higher incarnation than all before.
pub(super) struct News {
    known: Vec<Arc<NodeStatus>>,
    rng: Rng,
    incarnation: u64,
}

impl News {
    pub(super) fn about(members: usize) -> Self {
        let known = (0..members).map(|number| Arc::new(status(number, 1))).collect();
        Self { known, rng: Rng::from_seed(1), incarnation: 1 }
    }

    /// One of the members.
    pub(super) fn known(&mut self) -> &Arc<NodeStatus> {
        let number = self.rng.below(self.known.len());
        &self.known[number]
    }

    /// The next claim.
    pub(super) fn next(&mut self) -> Arc<NodeStatus> {
        self.incarnation += 1;
        let incarnation = Incarnation::new(self.incarnation);
        Arc::new(NodeStatus { incarnation, described_at: incarnation, ..(**self.known()).clone() })
    }
}
