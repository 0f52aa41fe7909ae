//! What the world tells the machine.

use std::sync::Arc;
use std::time::Duration;

use kinfolk_core::{Cause, Incarnation, NodeAddr, NodeId, NodeStatus, Tags};

use bytes::Bytes;

use crate::wire::message::Message;

/// Names one request of ours, from the [`Output::Send`](crate::Output::Send) that made it to its one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// Names one request of a peer, so that the machine can answer it; the driver chooses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplyId(pub u64);

/// Names one command of the application, so that it can be told how the command ended; the driver chooses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandId(pub u64);

/// Names one check of a member's port, from the [`Output::CheckPort`](crate::Output::CheckPort) that asked for it to its
/// one end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CheckId(pub u64);

/// Something happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// A peer sent a message.
    Message {
        /// Who: the name in its connection's certificate.
        from: NodeId,
        /// What.
        message: Message,
        /// Set if it waits for an answer.
        reply_to: Option<ReplyId>,
    },
    /// A peer answered a request of ours.
    Reply {
        /// Which request.
        request: RequestId,
        /// Who: the name in its connection's certificate.
        from: NodeId,
        /// What.
        message: Message,
    },
    /// A request of ours ended without an answer.
    NoReply {
        /// Which request.
        request: RequestId,
        /// Why.
        why: NoReply,
    },
    /// A port was checked.
    PortChecked {
        /// Which check.
        check: CheckId,
        /// Whether the host said that nobody listens there. False if it said nothing: that proves nothing.
        closed: bool,
    },
    /// Time has passed: whatever is due is to be done.
    Timeout,
    /// Something else than a timer came to us so much later than it should have: a message that waited in our queue. How late
    /// timers are the machine sees by itself.
    Late {
        /// How long it waited.
        by: Duration,
    },
    /// The health checker found a member silent beyond its threshold. Where it makes a claim, the member becomes suspect.
    Health {
        /// Whom.
        id: NodeId,
        /// That it is suspect, to be applied to the members; `None` if the checker only reports. A claim about another
        /// member, or about us, is left alone.
        claim: Option<Arc<NodeStatus>>,
        /// The evidence.
        cause: Cause,
    },
    /// Our incarnation may rise so far and no further: a record that outlives us says so, and our next life will begin
    /// above it. Without any such input it is not bounded. A lower one than the last changes nothing.
    Reserved {
        /// The highest incarnation that we may take.
        up_to: Incarnation,
    },
    /// What the wall clock says. Until the first one it is the clock that our first statement was
    /// made by. The driver reads it again from time to time, so that a clock that is set right
    /// while we run counts.
    WallClock {
        /// The time since the Unix epoch.
        since_epoch: Duration,
    },
    /// The driver can take no more messages for now, or waits for one of them to go out. Until it is
    /// [`Clear`](Self::Clear), nothing is begun that would send one: what is due waits. Only what can be concluded
    /// without a word to anybody goes on, above all the clocks of suspicions. Saying it twice changes nothing.
    Congested,
    /// The driver can take messages again. Without a [`Congested`](Self::Congested) before, it changes nothing.
    Clear,
    /// The application wants something.
    Command {
        /// Names it.
        id: CommandId,
        /// What.
        command: Command,
    },
}

/// Why a request has no answer: evidence, never a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoReply {
    /// Nothing came back, in time or at all: the peer or the path is at fault.
    Silent,
    /// No answer came in time, but the member's process acknowledges our packets: it lives, and is late.
    Late,
    /// Something came back, but not from that member: another certificate, or a refusal.
    Refused,
    /// We could not even ask: a limit of ours (a full pool, a full queue). Says nothing about the peer.
    Local,
}

/// What the application may want.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Exchange views with this member, which is how one joins.
    Join {
        /// Its name, known from its certificate.
        id: NodeId,
        /// Where it was reached.
        addr: NodeAddr,
    },
    /// Tell all that we leave.
    Leave,
    /// Replace our tags.
    SetTags(Tags),
    /// Send this to all members.
    Broadcast(Bytes),
    /// Remove the tombstone of this member here and at all others.
    Forget {
        /// Of whom.
        id: NodeId,
        /// What is remembered of it beside the registry, which may have removed the tombstone
        /// already. It counts where the registry does not know the member.
        remembered: Option<Arc<NodeStatus>>,
    },
}
