//! The inputs of the machine: messages, time, port checks, and commands.

use std::sync::Arc;
use std::time::Duration;

use kinfolk_core::signed::{Fingerprint, Revocation, Sign, Verified};
use kinfolk_core::{About, Cause, Incarnation, NodeAddr, NodeId, NodeStatus};

use bytes::Bytes;

use crate::wire::message::Message;

/// Names one request of this member, from the [`Output::Send`](crate::Output::Send) that made it to
/// its one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// Names one request of a peer, so that the machine can answer it. The driver chooses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplyId(pub u64);

/// Names one command of the application, so that the machine can report its outcome. The driver
/// chooses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandId(pub u64);

/// Names one port check, from the [`Output::CheckPort`](crate::Output::CheckPort) that started it
/// to its one result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CheckId(pub u64);

/// Something that happened, for the machine to handle.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// A peer sent a message.
    Message {
        /// The sender: the name in the certificate of its connection.
        from: NodeId,
        /// The message. Each statement in it is verified.
        message: Verified<Message>,
        /// Set if the sender waits for an answer.
        reply_to: Option<ReplyId>,
    },
    /// A peer answered a request of this member.
    Reply {
        /// The request.
        request: RequestId,
        /// The sender: the name in the certificate of its connection.
        from: NodeId,
        /// The answer. Each statement in it is verified.
        message: Verified<Message>,
    },
    /// A message of a peer has a statement that its subject did not sign. The driver used no part
    /// of it. A correct member passes on only what it has verified.
    Forged {
        /// The sender: the name in the certificate of its connection.
        from: NodeId,
    },
    /// A request of this member ended without an answer.
    NoReply {
        /// The request.
        request: RequestId,
        /// Why there is no answer.
        why: NoReply,
    },
    /// A port check has ended.
    PortChecked {
        /// The check.
        check: CheckId,
        /// Whether the host reported that no process listens at the port. False if the host sent
        /// nothing, which proves nothing.
        closed: bool,
    },
    /// Time has passed. The machine handles every timer that is due.
    Timeout,
    /// A message waited in this member's own queue for this time. The machine measures by itself
    /// how late its timers are.
    Late {
        /// How long the message waited.
        by: Duration,
    },
    /// The health checker found a member silent beyond its threshold. With a claim the member
    /// becomes suspect.
    Health {
        /// The silent member.
        id: NodeId,
        /// The claim that the member is suspect, to apply to the view. `None` if the checker only
        /// reports. The machine ignores a claim about another member, or about this member itself.
        claim: Option<Arc<NodeStatus>>,
        /// The evidence.
        cause: Cause,
    },
    /// The highest incarnation that this member may take. It is on stable storage, and the next
    /// instance of this member starts above it. Without such an input there is no bound. A lower
    /// value than before changes nothing.
    Reserved {
        /// The highest incarnation that this member may take.
        up_to: Incarnation,
    },
    /// The key of this member was replaced. From now on it signs with the new one. It states itself
    /// again with a higher incarnation, so that all members have a statement of the new certificate
    /// before the former one ends.
    Signer(Signer),
    /// The certificate of this member's statement is revoked: the machine removes the member from
    /// the view. It changes nothing if the member has a statement of another certificate.
    Evict {
        /// The member.
        id: NodeId,
        /// The fingerprint of the revoked certificate.
        certificate: Fingerprint,
    },
    /// The time of the wall clock. Until the first such input the machine uses the time of its
    /// first statement. The driver reads the clock again from time to time, so that a corrected
    /// clock takes effect while the member runs.
    WallClock {
        /// The time since the Unix epoch.
        since_epoch: Duration,
    },
    /// Back-pressure: the driver takes no more messages for now. Until
    /// [`BackPressureEnded`](Self::BackPressureEnded) the machine starts nothing that sends a
    /// message, and timers that would send one wait. Timers that send nothing still run, such as
    /// those of suspicions. A second `BackPressure` changes nothing.
    BackPressure,
    /// The driver takes messages again. Without a [`BackPressure`](Self::BackPressure) before, it
    /// changes nothing.
    BackPressureEnded,
    /// A command of the application.
    Command {
        /// Names the command.
        id: CommandId,
        /// The command.
        command: Command,
    },
}

/// What signs for this member.
#[derive(Debug, Clone)]
pub struct Signer(pub Arc<dyn Sign>);

impl PartialEq for Signer {
    /// Whether both sign with the key of the same certificate.
    fn eq(&self, other: &Self) -> bool {
        self.0.certificate() == other.0.certificate()
    }
}

/// Why a request has no answer. This is evidence, and never a verdict by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoReply {
    /// No answer came in time, or the path failed. The fault is at the peer or in the network.
    Silent,
    /// No answer came in time, but the peer's process acknowledges packets. The process runs, and
    /// is late.
    Late,
    /// A peer answered, but it is not that member: it has another certificate, or it refused.
    Refused,
    /// This member could not send the request: a limit of its own was reached (a full pool, a full
    /// queue). It says nothing about the peer.
    Local,
}

/// The commands of the application.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Join the group through this member: exchange views with it.
    Join {
        /// The member's name, from its certificate.
        id: NodeId,
        /// The address at which it was reached.
        addr: NodeAddr,
    },
    /// Announce to all members that this member leaves.
    Leave,
    /// Replace what this member says about itself.
    Describe {
        /// The new description.
        about: About,
        /// Orders descriptions that several callers set at the same time. One with a lower revision
        /// than an earlier one changes nothing.
        revision: u64,
    },
    /// Send this payload to all members.
    Broadcast(Bytes),
    /// Ask this member whether its view differs, and exchange views if it does. The protocol does
    /// so with random members anyway. This is for callers that want a round trip to this member.
    Compare(NodeId),
    /// Keep this revocation, and send it to all members. The driver has verified it.
    Revoke(Revocation),
    /// Remove the tombstone of this member here and at all other members.
    Forget {
        /// The name of the member to forget.
        id: NodeId,
        /// The member's status from another source than the registry, which may have removed the
        /// tombstone already. It is used if the registry does not know the member. Other members
        /// refuse the forget update if its member has not signed it.
        remembered: Option<Arc<NodeStatus>>,
    },
}
