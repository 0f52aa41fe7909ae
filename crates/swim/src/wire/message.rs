//! What members say to each other. The wire format is these types in postcard's encoding;
//! `docs/protocol.md` has the rules, and [`codec`](crate::codec) checks what types cannot hold.

use std::sync::Arc;

use bytes::Bytes;
use kinfolk_core::{Incarnation, NodeId, NodeStatus};
use serde::{Deserialize, Serialize};

use super::buckets::Buckets;

/// A message from one member to another. Who sent it is known from its connection and stands
/// nowhere in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Message {
    /// "Are you there?" Answered by [`Ack`](Self::Ack) (SWIM, section 3.1).
    Ping {
        /// The digest of the sender's view, 0 if it wants no comparison.
        digest: u32,
        /// Updates that ride along.
        gossip: Vec<Update>,
    },
    /// "I am here", or, from a helper, "it answered me".
    Ack {
        /// Whether the sender does not know whom it answers; then the other tells it.
        stranger: bool,
        /// Whether the digest that came with the ping is not that of the sender's view.
        differs: bool,
        /// By how many milliseconds the next probe should come later (or earlier) than it would, so
        /// that those who watch the sender do so at evenly spread times.
        shift_ms: i16,
        /// How many milliseconds late the sender is with what it has to do: it needs more time for
        /// its answers.
        late_ms: u16,
        /// Updates that ride along.
        gossip: Vec<Update>,
    },
    /// "Ask `target` for me": answered by [`Ack`](Self::Ack) if it answers, and else, where `nack`
    /// asks for it, by [`Nack`](Self::Nack) (SWIM, section 3.1; Lifeguard, section IV-A).
    PingReq {
        /// Whom to probe.
        target: NodeId,
        /// For how many milliseconds the sender waits.
        within_ms: u32,
        /// Whether the sender wants to hear that there was no answer.
        nack: bool,
        /// Whether the helper should also check if anybody listens at the target's port.
        check_port: bool,
        /// Updates that ride along.
        gossip: Vec<Update>,
    },
    /// "I am well, but it did not answer me."
    Nack {
        /// Whether its host said that nobody listens at its port.
        closed: bool,
        /// Whether the sender watches it and finds that it can be reached only now and then.
        lossy: bool,
    },
    /// Updates alone; not answered.
    Gossip {
        /// The updates.
        gossip: Vec<Update>,
    },
    /// "I want to join through you." Answered by [`Welcome`](Self::Welcome).
    Join {
        /// What the sender's wall clock says: the incarnation that it would start with now.
        clock: Incarnation,
        /// The sender's statement about itself.
        me: Arc<NodeStatus>,
    },
    /// How the sender receives a member that wants to join through it.
    Welcome {
        /// What the sender's wall clock says.
        clock: Incarnation,
        /// How.
        reception: Reception,
    },
    /// "Here is a page of what I know; send me what you know." Answered by [`Page`](Self::Page).
    Sync {
        /// What the sender knows, one page of it.
        nodes: Vec<Arc<NodeStatus>>,
        /// Send what comes after this name; `None` begins at the first; see `want`.
        after: Option<NodeId>,
        /// Whether an answer with nodes is wanted at all: false once the sender has them all.
        want: bool,
        /// In which buckets the members are that this is about, on both sides.
        only: Buckets,
    },
    /// "These are the digests of the buckets of my view." Answered by [`Differ`](Self::Differ).
    Compare {
        /// One each, [`BUCKETS`](crate::codec::BUCKETS) of them.
        buckets: Vec<u32>,
    },
    /// "In these buckets my view differs from yours."
    Differ {
        /// Which.
        buckets: Buckets,
    },
    /// "Send me all that you know of this member": its tags were too large to ride on gossip.
    /// Answered by [`Page`](Self::Page).
    Describe {
        /// Of whom.
        id: NodeId,
    },
    /// A page of what the sender knows, ordered by name.
    Page {
        /// The nodes.
        nodes: Vec<Arc<NodeStatus>>,
        /// Whether more come after the last one.
        more: bool,
    },
}

impl Message {
    /// An answer that says no more than that its sender is there, and the news that ride along.
    pub(crate) fn ack(gossip: Vec<Update>) -> Self {
        Self::Ack { stranger: false, differs: false, shift_ms: 0, late_ms: 0, gossip }
    }

    /// The updates that ride along; `None` for a message that carries none.
    pub(crate) fn gossip_mut(&mut self) -> Option<&mut Vec<Update>> {
        match self {
            Self::Ping { gossip, .. }
            | Self::Ack { gossip, .. }
            | Self::PingReq { gossip, .. }
            | Self::Gossip { gossip } => Some(gossip),
            _ => None,
        }
    }
}

/// How a peer receives a member that wants to join through it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reception {
    /// The peer has the member in its view, or knows a claim that the member can refute.
    Seen,
    /// Their wall clocks differ by more than [`Incarnation::CLOCK_ERROR_MAX`].
    ClocksDiffer,
    /// The member's incarnation lies too far ahead of the peer's wall clock, though their clocks
    /// agree.
    FarAhead,
    /// The peer's registry is full.
    Full,
    /// The peer leaves the group itself.
    Leaving,
}

/// One piece of news.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Update {
    /// A claim about a member.
    Node {
        /// The claim. Without its description where that is too large, see
        /// [`NodeStatus::without_description`].
        status: Arc<NodeStatus>,
        /// Who accuses, if the claim is that it is suspect or failed.
        accusers: Vec<NodeId>,
    },
    /// An application's message to all members.
    User(UserMessage),
    /// A failed or left member is forgotten, up to this incarnation.
    Forget {
        /// Which member.
        id: NodeId,
        /// The highest incarnation that the word counts for.
        incarnation: Incarnation,
    },
}

/// An application's message to all members, passed on once by each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserMessage {
    /// Who sent it.
    pub origin: NodeId,
    /// The origin's incarnation when it started, so that the numbers of a restarted member do not
    /// look like old ones.
    pub life: Incarnation,
    /// The origin's count of its messages, from 0.
    pub number: u64,
    /// The message.
    pub payload: Bytes,
}
