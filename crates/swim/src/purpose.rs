//! What a request, or a check of a port, was for: what its owner has to know when the answer comes. Nobody else looks into
//! it.

use std::sync::Arc;

use kinfolk_core::{Instant, NodeAddr, NodeId, NodeStatus};

use crate::interface::delivery::{Dial, Traffic};
use crate::interface::input::{CommandId, ReplyId, RequestId};
use crate::timer::TimerKey;
use crate::wire::buckets::Buckets;

/// How many indirect probes we make for others at a time; one more is answered with a nack at once.
pub(crate) const RELAYS_MAX: usize = 256;
/// How many descriptions we ask for at a time; a further one waits for the next exchange of views.
pub(crate) const DESCRIBES_MAX: usize = 32;
/// How many joins run at a time; one more fails at once.
pub(crate) const JOINS_MAX: usize = 16;
/// How many members are asked for their own statement at a time: each costs a connection.
pub(crate) const ASKED_MAX: usize = 16;
/// How many members a leaving member tells directly; all others hear of it by gossip.
pub(crate) const LEAVE_TOLD_MAX: usize = 32;

/// What a request was for.
#[derive(Debug)]
pub(crate) enum Purpose {
    /// The direct probe that is under way.
    Probe,
    /// An indirect probe of it, through a helper.
    IndirectProbe,
    /// A probe of a subject, and when it was sent (`Mode::Verified`).
    Watch {
        /// Whom.
        id: NodeId,
        /// When.
        sent: Instant,
    },
    /// A question to a witness.
    Witness {
        /// About whom.
        id: NodeId,
        /// In which round.
        round: u64,
    },
    /// A probe of the subject of a verdict that came by an exchange.
    PendingVerdict(NodeId),
    /// A probe of the trial of this number, before we come back.
    ReturnCheck(u64),
    /// A probe for somebody else.
    Relay(Relay),
    /// A look at whether a member's view differs.
    Glance,
    /// A comparison of the buckets of two views.
    Compare,
    /// Asking somebody to let us join through it.
    Join(Joining),
    /// Asking a member that only an exchange speaks of for its own statement.
    Introduction(NodeId),
    /// An exchange of views.
    Sync(Session),
    /// A description that was too large for gossip.
    Describe(Describe),
    /// Telling somebody that we leave.
    Leave,
}

impl Purpose {
    /// Whether it is worth a connection of its own.
    pub(crate) const fn dial(&self) -> Dial {
        match self.traffic() {
            Traffic::Probe | Traffic::Gossip | Traffic::Other => Dial::First,
            Traffic::Comparison => Dial::Later,
        }
    }

    /// What its bytes are for.
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
            Self::Join(_) | Self::Sync(Session { command: Some(_), .. }) => Traffic::Other,
            Self::Glance | Self::Compare | Self::Introduction(_) | Self::Sync(_) | Self::Describe(_) => {
                Traffic::Comparison
            }
        }
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

/// A description that we lack.
#[derive(Debug)]
pub(crate) struct Describe {
    /// Of whom.
    pub id: NodeId,
    /// Whether it was the member itself that we asked, who has it for certain.
    pub itself: bool,
}

/// A probe for somebody else.
#[derive(Debug)]
pub(crate) struct Relay {
    /// Whom to answer.
    pub reply_to: ReplyId,
    /// Whether it wants to hear that there was no answer.
    pub nack: bool,
    /// Whether we found the member lossy when we were asked.
    pub lossy: bool,
    /// When its time is over.
    pub timer: TimerKey,
}

/// A join that waits for its welcome.
#[derive(Debug)]
pub(crate) struct Joining {
    pub command: CommandId,
    pub peer: NodeId,
    pub addr: NodeAddr,
    /// Whether we are alone: what we learn is then no news to the group. Else two groups meet.
    pub alone: bool,
}

/// An exchange of views that we began.
#[derive(Debug)]
pub(crate) struct Session {
    /// Set if the application asked for it, as a join.
    pub command: Option<CommandId>,
    /// Whether we joined with nobody at our side: what we learn is then no news to the group. Else two groups meet.
    pub alone: bool,
    pub peer: NodeId,
    pub addr: NodeAddr,
    /// How far our nodes are sent.
    pub sent: Cursor,
    /// How far the peer's are received.
    pub received: Cursor,
    /// Tombstones of members that the peer's last page has alive.
    pub corrections: Vec<Arc<NodeStatus>>,
    pub pages_left: u32,
    pub only: Buckets,
}

/// How far one direction has got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cursor {
    /// All up to this name; none yet.
    After(Option<NodeId>),
    End,
}

/// For whom a port is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Checked {
    /// For ourselves: a subject of ours.
    Subject(NodeId),
    /// For a member that asked us to be its witness, whose probe is this request.
    Relay(RequestId),
}
