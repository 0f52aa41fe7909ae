//! The purpose of a request or a port check: what its owner needs when the answer arrives. Only
//! that owner reads it.

use std::sync::Arc;

use kinfolk_core::{Instant, NodeAddr, NodeId, NodeStatus};

use crate::interface::delivery::{Dial, Traffic};
use crate::interface::input::{CommandId, ReplyId, RequestId};
use crate::timer::TimerKey;
use crate::wire::buckets::Buckets;

/// How many indirect probes run for other members at a time. A further one is not made.
pub(crate) const RELAYS_MAX: usize = 256;
/// How many of them run for one requester. A watcher asks the same witness about few subjects at a
/// time. Without this bound one member could keep this one from helping all others.
pub(crate) const RELAYS_OF_EACH_MAX: usize = 32;
/// How many requests for descriptions run at a time. A further one waits for the next exchange of
/// views.
pub(crate) const DESCRIBES_MAX: usize = 32;
/// How many joins run at a time. A further one fails at once.
pub(crate) const JOINS_MAX: usize = 16;
/// How many members are asked for their own statement at a time. Bounded, because each costs a
/// connection.
pub(crate) const INTRODUCTIONS_MAX: usize = 16;
/// How many members a leaving member pings directly. All others receive the leave by gossip.
pub(crate) const LEAVE_RECEIVERS_MAX: usize = 32;

/// The purpose of a request.
#[derive(Debug)]
pub(crate) enum Purpose {
    /// The present direct probe (`Mode::Swim`, `Mode::Lifeguard`).
    Probe,
    /// An indirect probe of the same target, through a helper.
    IndirectProbe,
    /// A probe of a subject (`Mode::Verified`).
    Watch {
        /// The subject.
        id: NodeId,
        /// When the probe was sent.
        sent: Instant,
    },
    /// An indirect probe of a subject, through a witness (`Mode::Verified`).
    Witness {
        /// The subject.
        id: NodeId,
        /// The number of the round of witnesses.
        round: u64,
    },
    /// A probe of the subject of a verdict that came by an exchange of views.
    PendingVerdict(NodeId),
    /// A probe of the return check of this number.
    ReturnCheck(u64),
    /// A probe for another member.
    Relay(Relay),
    /// A ping that only asks whether the peer's view has another digest.
    DigestPing,
    /// A request for the buckets in which the peer's view differs.
    Compare,
    /// A request to join through a peer.
    Join(Joining),
    /// A request to a member, known only from an exchange of views, for its own statement.
    Introduction(NodeId),
    /// A page of an exchange of views.
    Sync(Session),
    /// A request for a description that was too large for gossip.
    Describe(Describe),
    /// A ping with the statement that this member leaves.
    Leave,
}

impl Purpose {
    /// Whether the request may open a connection, and how soon. What decides who is alive goes
    /// first, and repair can wait (`docs/decisions/0014-too-little-cpu-is-no-storm.md`).
    pub(crate) const fn dial(&self) -> Dial {
        match self.traffic() {
            Traffic::Probe | Traffic::Gossip | Traffic::Other => Dial::First,
            Traffic::AntiEntropy => Dial::Later,
        }
    }

    /// The kind of traffic that its bytes count as.
    pub(crate) const fn traffic(&self) -> Traffic {
        match self {
            Self::Probe
            | Self::IndirectProbe
            | Self::Watch { .. }
            | Self::Witness { .. }
            | Self::PendingVerdict(_)
            | Self::ReturnCheck(_)
            | Self::Relay(_) => Traffic::Probe,
            Self::Leave => Traffic::Gossip,
            // A join has its pages too, so a session of a command is no anti-entropy.
            Self::Join(_) | Self::Sync(Session { command: Some(_), .. }) => Traffic::Other,
            Self::DigestPing | Self::Compare | Self::Introduction(_) | Self::Sync(_) | Self::Describe(_) => {
                Traffic::AntiEntropy
            }
        }
    }

    /// Whether the receiver answers at once. A helper first waits for the answer of the target.
    pub(crate) const fn is_prompt(&self) -> bool {
        !matches!(self, Self::IndirectProbe | Self::Witness { .. })
    }

    /// Whether it is a step of a join.
    pub(crate) fn is_join(&self) -> bool {
        match self {
            Self::Join(_) => true,
            Self::Sync(session) => session.command.is_some(),
            _ => false,
        }
    }
}

/// A description that this member lacks.
#[derive(Debug)]
pub(crate) struct Describe {
    /// The member that it describes.
    pub id: NodeId,
    /// Whether that member itself was asked. It always has its own description.
    pub itself: bool,
}

/// A probe for another member, the requester.
#[derive(Debug)]
pub(crate) struct Relay {
    /// The member that asked.
    pub requester: NodeId,
    /// The member that is probed.
    pub target: NodeId,
    /// The requester's request.
    pub reply_to: ReplyId,
    /// Whether the requester wants a nack if the target does not answer.
    pub nack: bool,
    /// Whether this member found the target lossy when the request arrived.
    pub lossy: bool,
    /// The timer of the nack.
    pub timer: TimerKey,
}

/// A join that waits for its `Welcome`.
#[derive(Debug)]
pub(crate) struct Joining {
    pub command: CommandId,
    pub peer: NodeId,
    pub addr: NodeAddr,
    /// Whether this member knows no other member. Then the pages are new only to this member.
    /// Otherwise two groups meet, and each must learn the other's members.
    pub alone: bool,
}

/// An exchange of views that this member started.
#[derive(Debug)]
pub(crate) struct Session {
    /// The join command of the application, if the exchange is part of a join.
    pub command: Option<CommandId>,
    /// Whether this member joined without knowing another member (see [`Joining::alone`]).
    pub alone: bool,
    pub peer: NodeId,
    pub addr: NodeAddr,
    /// How far this member's nodes are sent.
    pub sent: Cursor,
    /// How far the peer's nodes are received.
    pub received: Cursor,
    /// Tombstones of members that the peer's last page reports as alive or suspect.
    pub corrections: Vec<Arc<NodeStatus>>,
    /// How many more pages this member asks for. It bounds an exchange with a faulty peer.
    pub pages_left: u32,
    /// The buckets that the exchange is limited to.
    pub only: Buckets,
}

/// How far the nodes of one direction are sent or received, in the order of names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cursor {
    /// All nodes up to this name. `None`: no node yet.
    After(Option<NodeId>),
    End,
}

/// Why a port is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Checked {
    /// It is the port of a subject of this member.
    Subject(NodeId),
    /// This member is the witness of another member. The request is its own probe of the target.
    Relay(RequestId),
}
