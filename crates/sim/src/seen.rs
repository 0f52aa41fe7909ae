//! What members were told of others, as a light world keeps it: small, and in the world's own numbers.

use kinfolk_core::{ClusterEvent, Instant, NodeId, Reason};

use crate::node::NodeIndex;

/// One member was told one thing of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// When.
    pub at: Instant,
    /// Who was told.
    pub node: NodeIndex,
    /// Of whom.
    pub subject: NodeIndex,
    /// What.
    pub what: What,
}

/// What a member was told of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// It is a member.
    Joined,
    /// Its address or tags are others.
    Updated,
    /// It is suspect.
    Suspected(Verdict),
    /// It is not suspect any more.
    Recovered,
    /// It has failed.
    Failed(Verdict),
    /// It has left.
    Left,
    /// Its tombstone was forgotten.
    Reaped,
}

/// Where a verdict comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Verdict {
    /// The first of its accusers, if any is known.
    pub accuser: Option<NodeIndex>,
    /// Whether the member found it itself; else it has heard of it.
    pub own: bool,
}

impl Seen {
    /// What `event` tells `node`; `None` if it is not about the place of a member in the group.
    pub(crate) fn of(at: Instant, node: NodeIndex, event: &ClusterEvent) -> Option<Self> {
        let verdict = |cause: &kinfolk_core::Cause| Verdict {
            accuser: cause.accusers.first().and_then(NodeIndex::of),
            own: !matches!(cause.reason, Reason::Reported),
        };
        let what = match event {
            ClusterEvent::NodeJoined { .. } => What::Joined,
            ClusterEvent::NodeUpdated { .. } => What::Updated,
            ClusterEvent::NodeSuspected { cause, .. } => What::Suspected(verdict(cause)),
            ClusterEvent::NodeRecovered { .. } => What::Recovered,
            ClusterEvent::NodeFailed { cause, .. } => What::Failed(verdict(cause)),
            ClusterEvent::NodeLeft { .. } => What::Left,
            ClusterEvent::NodeReaped { .. } => What::Reaped,
            _ => return None,
        };
        let subject = event.node().and_then(|id: &NodeId| NodeIndex::of(id))?;
        Some(Self { at, node, subject, what })
    }
}
