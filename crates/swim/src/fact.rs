//! Facts: what one owner found, or wants from another owner. Owners do not call each other. An
//! owner makes a fact, and `machine/facts.rs` gives it to the owner that must handle it.
//! `docs/decisions/0013-owners-and-facts.md` has the reasons.

use std::sync::Arc;

use kinfolk_core::{Cause, Incarnation, NodeId, NodeStatus};
use kinfolk_detector::Evidence;

use crate::interface::input::RequestId;
use crate::interface::output::Output;
use crate::interface::priority::Priority;
use crate::purpose::{Checked, Purpose};
use crate::wire::message::Update;

/// Something that concerns more than the owner that makes it. Large values are boxed: each machine
/// keeps a vector of facts, and thousands of machines share the cache of one simulator.
#[derive(Debug)]
pub(crate) enum Fact {
    /// An output for the driver. It goes after the consequences of the facts before it.
    Output(Box<Output>),
    /// Send a request.
    Ask(Box<Ask>),
    /// An answer to this request is too late from now on.
    TooLate(RequestId),
    /// Send the waiting updates to this member, if any wait.
    SendUpdates(Arc<NodeStatus>),
    /// Queue an update to pass on.
    Disseminate {
        update: Box<Update>,
        priority: Priority,
        /// The member that sent the update. It needs no copy.
        teller: Option<NodeId>,
    },
    /// The forget update about this member is not passed on any more.
    ForgetDropped(NodeId),
    /// A member is suspect or failed by this member's own evidence.
    Judged { status: Arc<NodeStatus>, cause: Box<Cause> },
    /// This member has made a new statement about itself.
    Stated { status: Arc<NodeStatus>, priority: Priority },
    /// The wall clock was wrong when this instance started. This is the correct incarnation.
    ClockSetBack(Incarnation),
    /// Others declared this member failed, as far as it knows. It must check whether it reaches
    /// its neighbours.
    ReturnCheckWanted,
    /// This member has refuted its failure. The group that declared it failed may be the other side
    /// of a partition, so a failed member is contacted now.
    Returned,
    /// A finding about a member that does not change its state.
    Found {
        id: NodeId,
        evidence: Box<Evidence>,
        /// Record the finding only if the last finding was a different one.
        once: bool,
    },
    /// Check the port of a member.
    CheckPort { id: NodeId, checked: Checked },
    /// There is evidence against a subject that has no verdict yet.
    CheckSubject(NodeId),
    /// The view of this member may differ from the own view. Compare them.
    CompareWith(NodeId),
    /// A tombstone was removed. `known` says whether the member was still in the view.
    Reaped { id: NodeId, known: bool },
}

/// A request before the machine hands it to the driver.
#[derive(Debug)]
pub(crate) struct Ask {
    pub request: RequestId,
    /// The message, without the updates that piggyback on it.
    pub output: Output,
    pub piggyback: Piggyback,
    pub purpose: Purpose,
}

/// Which updates piggyback on a request, if its message can carry updates.
#[derive(Debug)]
pub(crate) enum Piggyback {
    /// Only the updates that the message already has.
    Nothing,
    /// The claim against this member, so that it can refute at once, then the waiting updates.
    For(Arc<NodeStatus>),
    /// This member's statement about itself, then the waiting updates.
    OwnStatement,
}

/// Which members receive a change.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Spread<'a> {
    /// No member: the group knows the change already.
    Nobody,
    All,
    /// All members but the one that sent the claim.
    AllBut(&'a NodeId),
}

// Facts move by copy between the vector and the machine. 56 bytes keeps the move short.
const _: () = assert!(size_of::<Fact>() <= 56);
