//! The events that members reported about others, as a light world keeps them: small, with indices
//! instead of names.

use kinfolk_core::{ClusterEvent, Instant, NodeId, Reason};

use crate::node::NodeIndex;

/// One event that one member reported about another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// The time.
    pub at: Instant,
    /// The member that reported it.
    pub node: NodeIndex,
    /// The member that it is about.
    pub subject: NodeIndex,
    /// The event.
    pub what: What,
}

/// What a member reported about another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// The subject is a member.
    Joined,
    /// The address or the tags of the subject changed.
    Updated,
    /// The subject is suspect.
    Suspected(Verdict),
    /// The subject is not suspect any more.
    Recovered,
    /// The subject failed.
    Failed(Verdict),
    /// The subject left.
    Left,
    /// The tombstone of the subject was reaped.
    Reaped,
}

/// The source of a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Verdict {
    /// The first accuser, if any is known.
    pub accuser: Option<NodeIndex>,
    /// Whether no other accuser is known.
    pub alone: bool,
    /// Whether the member found it by its own evidence; otherwise another member reported it.
    pub own: bool,
}

impl Seen {
    /// The event as a light world keeps it; `None` if it is not about the state of a member.
    pub(crate) fn of(at: Instant, node: NodeIndex, event: &ClusterEvent) -> Option<Self> {
        let verdict = |cause: &kinfolk_core::Cause| Verdict {
            accuser: cause.accusers.first().and_then(NodeIndex::of),
            alone: cause.accusers.len() <= 1,
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
