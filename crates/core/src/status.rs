//! What is known of one member: the value that the registry keeps and that gossip carries.

use serde::{Deserialize, Serialize};

use crate::incarnation::Incarnation;
use crate::node::{NodeAddr, NodeId};
use crate::service::{Condition, Services};
use crate::state::NodeState;
use crate::tags::Tags;

/// All that is known of one member.
///
/// It has two halves. The *verdict* (`incarnation`, `state`) is small and spreads fast. The
/// *description* (`addr`, `tags`, `services`, `condition`) is the member's own statement, sent with
/// the Alive statement of the incarnation `described_at`.
///
/// A large description does not fit into a gossip message. Then the verdict arrives first, and
/// the status is not [complete](Self::is_complete) until the description follows.
/// [`precedence`](crate::precedence) says how two statuses of one member combine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeStatus {
    /// The member that this is about.
    pub id: NodeId,
    /// Where the member listens.
    pub addr: NodeAddr,
    /// The incarnation that `state` is about.
    pub incarnation: Incarnation,
    /// What this member believes of it.
    pub state: NodeState,
    /// What the member states about itself.
    pub tags: Tags,
    /// The services that the member offers.
    pub services: Services,
    /// How well the member is, by its own word.
    pub condition: Condition,
    /// The incarnation whose Alive statement brought the description; never above
    /// `incarnation`.
    pub described_at: Incarnation,
}

impl NodeStatus {
    /// A member's own statement that it is alive.
    pub fn alive(id: NodeId, addr: NodeAddr, incarnation: Incarnation, tags: Tags) -> Self {
        Self::described(id, addr, incarnation, tags.into())
    }

    /// As [`alive`](Self::alive), with services and a condition too.
    pub fn described(id: NodeId, addr: NodeAddr, incarnation: Incarnation, about: About) -> Self {
        let About { tags, services, condition } = about;
        let (state, described_at) = (NodeState::Alive, incarnation);
        Self { id, addr, incarnation, state, tags, services, condition, described_at }
    }

    /// What the member says about itself. Cheap: the parts are shared.
    pub fn about(&self) -> About {
        About { tags: self.tags.clone(), services: self.services.clone(), condition: self.condition.clone() }
    }

    /// Whether both say the same about the member: address, tags, services, and condition.
    pub fn is_described_as(&self, other: &Self) -> bool {
        (self.addr, &self.tags, &self.services, &self.condition)
            == (other.addr, &other.tags, &other.services, &other.condition)
    }

    /// The same member with another state at the same incarnation.
    #[must_use]
    pub fn with_state(&self, state: NodeState) -> Self {
        Self { state, ..self.clone() }
    }

    /// Whether the description belongs to the incarnation that the verdict is about.
    pub fn is_complete(&self) -> bool {
        self.described_at == self.incarnation
    }

    /// Whether the two halves fit together as a correct member would send them.
    pub fn is_well_formed(&self) -> bool {
        self.described_at <= self.incarnation && self.incarnation > Incarnation::ZERO
    }

    /// The verdict alone, for a message that has no room for the description. The receiver keeps
    /// the description that it has, or asks for the new one.
    #[must_use]
    pub fn without_description(&self) -> Self {
        let About { tags, services, condition } = About::default();
        Self { tags, services, condition, described_at: Incarnation::ZERO, ..self.clone() }
    }
}

/// What a member says about itself beyond its address.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct About {
    /// Its tags.
    pub tags: Tags,
    /// The services that it offers.
    pub services: Services,
    /// How well it is.
    pub condition: Condition,
}

impl From<Tags> for About {
    fn from(tags: Tags) -> Self {
        Self { tags, ..Self::default() }
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
    fn verdict_alone_has_no_tags_and_is_incomplete() {
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
    fn later_description_or_zero_incarnation_is_malformed() {
        assert!(status(1, 0).is_well_formed() && status(1, 1).is_well_formed());
        assert!(!status(1, 2).is_well_formed(), "a description is never younger than the verdict");
        assert!(!status(0, 0).is_well_formed(), "no member starts at zero");
    }
}
