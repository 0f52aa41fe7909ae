//! What is known of one member: the value that the registry keeps and that gossip carries.

use serde::{Deserialize, Serialize};

use crate::incarnation::Incarnation;
use crate::node::{NodeAddr, NodeId};
use crate::state::NodeState;
use crate::tags::Tags;

/// All that is known of one member.
///
/// It has two halves. The *verdict* (`incarnation`, `state`) is small and moves fast. The *description* (`addr`,
/// `tags`) is the member's own word, said with the Alive statement of the incarnation `described_at`. The two can come
/// apart for a moment when tags are too large to ride on gossip: then the verdict arrives first and the status is not
/// [complete](Self::is_complete) until the description follows. How two statuses of one member combine is in
/// [`precedence`](crate::precedence).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeStatus {
    /// Whom this is about.
    pub id: NodeId,
    /// Where the member listens.
    pub addr: NodeAddr,
    /// The incarnation that `state` is about.
    pub incarnation: Incarnation,
    /// What is believed of it.
    pub state: NodeState,
    /// What the member says about itself.
    pub tags: Tags,
    /// The incarnation whose Alive statement brought `addr` and `tags`; never above `incarnation`.
    pub described_at: Incarnation,
}

impl NodeStatus {
    /// A member's own statement that it is alive.
    pub fn alive(id: NodeId, addr: NodeAddr, incarnation: Incarnation, tags: Tags) -> Self {
        Self { id, addr, incarnation, state: NodeState::Alive, tags, described_at: incarnation }
    }

    /// The same member with another verdict at the same incarnation.
    #[must_use]
    pub fn with_state(&self, state: NodeState) -> Self {
        Self { state, ..self.clone() }
    }

    /// Whether address and tags are those of the incarnation that the verdict is about.
    pub fn is_complete(&self) -> bool {
        self.described_at == self.incarnation
    }

    /// Whether the two halves fit together as an honest member would send them.
    pub fn is_well_formed(&self) -> bool {
        self.described_at <= self.incarnation && self.incarnation > Incarnation::ZERO
    }

    /// The verdict alone, for a message that has no room for the tags: the receiver keeps the description that it has,
    /// or asks for the new one.
    #[must_use]
    pub fn without_description(&self) -> Self {
        Self { tags: Tags::empty(), described_at: Incarnation::ZERO, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(incarnation: u64, described_at: u64) -> NodeStatus {
        let (id, addr) = (NodeId::new("a").unwrap(), NodeAddr::new(([127, 0, 0, 1], 7_946).into()));
        let alive = NodeStatus::alive(id, addr, Incarnation::new(incarnation), Tags::empty());
        NodeStatus { described_at: Incarnation::new(described_at), ..alive }
    }

    #[test]
    fn a_verdict_alone_has_no_tags_and_is_incomplete() {
        let mut whole = status(3, 3);
        whole.tags = Tags::new([("role", "db")]).unwrap();
        let verdict = whole.without_description();
        assert!(verdict.tags.is_empty() && !verdict.is_complete() && whole.is_complete());
        assert_eq!(
            (verdict.addr, verdict.incarnation, verdict.state),
            (whole.addr, whole.incarnation, whole.state)
        );
    }

    #[test]
    fn an_honest_status_has_an_incarnation_and_no_later_description() {
        assert!(status(1, 0).is_well_formed() && status(1, 1).is_well_formed());
        assert!(!status(1, 2).is_well_formed(), "nobody describes a life to come");
        assert!(!status(0, 0).is_well_formed(), "no member starts at zero");
    }
}
