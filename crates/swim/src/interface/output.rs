//! The outputs of the machine: what the driver must do. One enum, so that tests can compare whole
//! sequences.

use std::sync::Arc;

use kinfolk_core::signed::Revocation;
use kinfolk_core::{ClusterEvent, Incarnation, NodeAddr, NodeId, NodeStatus};

use super::delivery::Delivery;
use super::error::{CommandError, ForgetError};
use super::input::{CheckId, CommandId, NoReply, ReplyId, RequestId};
use crate::wire::message::Message;

/// Something for the driver to do. The driver takes outputs in order and never blocks on one.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Send `message` to a member.
    Send {
        /// The receiver. The certificate of the process that answers must have this name.
        to: NodeId,
        /// The address at which the receiver listens, as far as this member knows.
        addr: NodeAddr,
        /// The message.
        message: Message,
        /// Set if the machine expects an answer. The driver must return exactly one
        /// [`Input::Reply`](crate::Input::Reply) or [`Input::NoReply`](crate::Input::NoReply).
        request: Option<RequestId>,
        /// How to deliver the message.
        delivery: Delivery,
    },
    /// Answer a request of a peer.
    Reply {
        /// The request.
        to: ReplyId,
        /// The answer.
        message: Message,
    },
    /// Decline a request of a peer. It learns at once that there is no answer.
    Decline {
        /// The request.
        to: ReplyId,
    },
    /// Check whether a process listens at the port of a member. The driver must return exactly one
    /// [`Input::PortChecked`](crate::Input::PortChecked), within a second.
    CheckPort {
        /// Names the check.
        check: CheckId,
        /// The member.
        node: NodeId,
        /// The address at which it listens.
        addr: NodeAddr,
    },
    /// These are the subjects from now on. This member regularly hears from them, and from no other
    /// member.
    Watch {
        /// The subjects, ordered by name.
        subjects: Vec<NodeId>,
    },
    /// A statement of this member waits: its incarnation is above the
    /// [reserved](crate::Input::Reserved) ones.
    Reserve {
        /// The driver must reserve incarnations at least up to this one.
        at_least: Incarnation,
    },
    /// A member sent a claim that is too far ahead of the wall clock, and the machine refused it.
    /// The driver logs it. There is at most one such output a minute.
    RefusedClaim(RefusedClaim),
    /// A join was refused because the two wall clocks differ too much. The driver logs it. There is
    /// at most one such output a minute.
    RefusedJoin(RefusedJoin),
    /// A member is forgotten up to this incarnation, here and at each member that receives the
    /// forget update. A component that keeps its address should not contact it any more.
    Forgotten {
        /// The forgotten member.
        id: NodeId,
        /// The highest incarnation that is forgotten. With a higher one it is a member again.
        incarnation: Incarnation,
    },
    /// A revocation is new here. The driver refuses the certificates that it covers from now on,
    /// closes the connections of their member, and returns [`Input::Evict`](crate::Input::Evict).
    Revoked(Revocation),
    /// Report this event to the application.
    Event(ClusterEvent),
    /// A command has ended.
    Done {
        /// The command.
        id: CommandId,
        /// Its outcome.
        outcome: Outcome,
    },
}

/// A claim that was refused because its incarnation is more than
/// [`CLOCK_ERROR_MAX`](Incarnation::CLOCK_ERROR_MAX) ahead of this member's wall clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedClaim {
    /// The sender: the name in the certificate of its connection.
    pub from: NodeId,
    /// The member that the claim is about.
    pub about: NodeId,
    /// The incarnation in the claim.
    pub claimed: Incarnation,
    /// The incarnation that a member would start with now, by this member's wall clock.
    pub clock: Incarnation,
    /// The number of claims that were refused since the last report, with this one.
    pub refused: u64,
}

/// A join that was refused because two wall clocks differ by more than
/// [`CLOCK_ERROR_MAX`](Incarnation::CLOCK_ERROR_MAX).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedJoin {
    /// The peer that tried to join: the name in the certificate of its connection.
    pub from: NodeId,
    /// The time of the peer's wall clock.
    pub theirs: Incarnation,
    /// The time of this member's wall clock.
    pub ours: Incarnation,
}

/// Why a join failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinFailure {
    /// The peer gave no answer.
    NoAnswer(NoReply),
    /// The two wall clocks differ by more than [`CLOCK_ERROR_MAX`](Incarnation::CLOCK_ERROR_MAX).
    ClocksDiffer {
        /// The time of this member's wall clock.
        ours: Incarnation,
        /// The time of the peer's wall clock.
        theirs: Incarnation,
    },
    /// This member's incarnation is too far ahead of the peer's wall clock, though the clocks
    /// agree.
    FarAhead,
    /// The peer's registry has no room for a further member.
    Full,
    /// The peer itself leaves the group.
    Leaving,
}

/// What became of a revocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revoked {
    /// It is kept from now on, and spreads.
    New,
    /// It is known already, or a wider one.
    Known,
    /// All certificates that it covers have ended.
    Ended,
    /// 4,096 revocations are kept already.
    Full,
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The views are exchanged, and this member is in the group.
    Joined {
        /// The number of members that this member knows now, itself included.
        members: usize,
    },
    /// The join failed.
    JoinFailed {
        /// Why it failed.
        why: JoinFailure,
    },
    /// The leave is announced.
    Left {
        /// The number of members that confirmed it.
        confirmed: usize,
        /// The number of members that received it directly. All others receive it by gossip.
        notified: usize,
    },
    /// The new description is set and waits to be sent, or why it does not.
    Described(Result<(), CommandError>),
    /// Whether the member is asked. It is not while another comparison of views runs, nor if it is
    /// no living member here.
    Comparing(bool),
    /// What became of the revocation.
    Revoked(Revoked),
    /// The broadcast waits to be sent, or why it does not.
    Broadcast(Result<(), CommandError>),
    /// The member is forgotten here and the forget update waits to be sent, with the last known
    /// status of the member; or why it is not forgotten.
    Forgotten(Result<Arc<NodeStatus>, ForgetError>),
}
