//! What the machine wants done. One enum, so that tests can assert it whole.

use std::sync::Arc;

use kinfolk_core::{ClusterEvent, Incarnation, NodeAddr, NodeId, NodeStatus};

use super::delivery::Delivery;
use super::error::{CommandError, ForgetError};
use super::input::{CheckId, CommandId, NoReply, ReplyId, RequestId};
use crate::wire::message::Message;

/// Something is to be done. The driver takes outputs in order and never blocks on one.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Send `message` to a member.
    Send {
        /// To whom: the certificate of whoever answers must name it.
        to: NodeId,
        /// Where it listens, as far as is known.
        addr: NodeAddr,
        /// What.
        message: Message,
        /// Set if an answer is expected: it must come back, once, as [`Input::Reply`](crate::Input::Reply) or
        /// [`Input::NoReply`](crate::Input::NoReply).
        request: Option<RequestId>,
        /// How.
        delivery: Delivery,
    },
    /// Answer a peer's request.
    Reply {
        /// Which.
        to: ReplyId,
        /// With what.
        message: Message,
    },
    /// Ask the host of a member whether anybody listens at its port. It must come back, once and within a second, as
    /// [`Input::PortChecked`](crate::Input::PortChecked).
    CheckPort {
        /// Which check.
        check: CheckId,
        /// Of whom.
        node: NodeId,
        /// Where it listens.
        addr: NodeAddr,
    },
    /// From now on these are the members that we watch: they, and only they, are heard from regularly.
    Watch {
        /// Whom, ordered by name.
        subjects: Vec<NodeId>,
    },
    /// A statement of ours waits: its incarnation lies above those that are [reserved](crate::Input::Reserved).
    Reserve {
        /// Up to which incarnation at the least more have to be reserved.
        at_least: Incarnation,
    },
    /// A member sent a claim that lies too far ahead of our wall clock. It was refused. Put it into
    /// the log: at most one comes a minute.
    Refused(RefusedClaim),
    /// A member wanted to join through us, and our wall clocks differ too much. Put it into the
    /// log: at most one comes a minute.
    RefusedJoin(RefusedJoin),
    /// A member is forgotten up to this incarnation, here and wherever the word comes. Whoever
    /// keeps its address should contact it no more.
    Forgotten {
        /// Which member.
        id: NodeId,
        /// Up to which incarnation. With a higher one it is a member again.
        incarnation: Incarnation,
    },
    /// Tell the application.
    Event(ClusterEvent),
    /// A command has ended.
    Done {
        /// Which.
        id: CommandId,
        /// How.
        outcome: Outcome,
    },
}

/// A claim that was refused because its incarnation lies more than
/// [`CLOCK_ERROR_MAX`](Incarnation::CLOCK_ERROR_MAX) ahead of our wall clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedClaim {
    /// Who sent it: the name in its connection's certificate.
    pub from: NodeId,
    /// The member that it is about.
    pub about: NodeId,
    /// The incarnation that it gives that member.
    pub claimed: Incarnation,
    /// The incarnation that a member would start with now, by our wall clock.
    pub clock: Incarnation,
    /// How many claims were refused since the last report, this one included.
    pub refused: u64,
}

/// A join that was refused because two wall clocks differ by more than
/// [`CLOCK_ERROR_MAX`](Incarnation::CLOCK_ERROR_MAX).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedJoin {
    /// Who wanted to join: the name in its connection's certificate.
    pub from: NodeId,
    /// What its wall clock says.
    pub theirs: Incarnation,
    /// What our wall clock says.
    pub ours: Incarnation,
}

/// Why a join failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinFailure {
    /// The peer gave no answer.
    NoAnswer(NoReply),
    /// The two wall clocks differ by more than [`CLOCK_ERROR_MAX`](Incarnation::CLOCK_ERROR_MAX).
    ClocksDiffer {
        /// What our wall clock says.
        ours: Incarnation,
        /// What that of the peer says.
        theirs: Incarnation,
    },
    /// Our incarnation lies too far ahead of the peer's wall clock, though the clocks agree.
    FarAhead,
    /// The peer has no room for one more member.
    Full,
    /// The peer leaves the group itself.
    Leaving,
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Views are exchanged: we are in.
    Joined {
        /// How many members we now know, ourselves included.
        members: usize,
    },
    /// The member that we wanted to join through did not go through with it.
    JoinFailed {
        /// Why.
        why: JoinFailure,
    },
    /// Our leave was told.
    Left {
        /// How many members have confirmed it.
        confirmed: usize,
        /// How many were told directly; all others hear of it by gossip.
        told: usize,
    },
    /// Our tags are replaced and on their way, or why they are not.
    TagsSet(Result<(), CommandError>),
    /// The broadcast is on its way, or why it is not.
    Broadcast(Result<(), CommandError>),
    /// The member is forgotten here and the word is on its way, with what was known of it; or why
    /// it is not.
    Forgotten(Result<Arc<NodeStatus>, ForgetError>),
}
