//! What an owner has found, or wants of another one. An owner knows no other: it says what is so, and
//! `machine/facts.rs` says who has to know.

use std::sync::Arc;
use std::time::Duration;

use kinfolk_core::{Cause, Incarnation, NodeAddr, NodeId, NodeStatus};
use kinfolk_detector::Evidence;

use crate::interface::input::RequestId;
use crate::interface::output::Output;
use crate::interface::priority::Priority;
use crate::purpose::{Checked, Purpose};
use crate::wire::message::{Message, Update};

/// Something that concerns more than the owner that says it.
#[derive(Debug)]
pub(crate) enum Fact {
    /// The driver has something to do, after what the facts before this one lead to.
    Output(Output),
    /// A member is to be asked something.
    Ask(Ask),
    /// What comes as an answer to this request, if anything does, comes too late.
    TooLate(RequestId),
    /// A member is to be told what waits, if anything does.
    Tell(Arc<NodeStatus>),
    /// There is news to pass on.
    News {
        update: Update,
        priority: Priority,
        /// Who told us, and need not be told.
        teller: Option<NodeId>,
    },
    /// The word that this member is forgotten is no longer to be passed on.
    WordDropped(NodeId),
    /// By our own evidence a member is suspect, or has failed.
    Judged { status: NodeStatus, cause: Cause },
    /// We say anew what we are.
    Stated { status: NodeStatus, priority: Priority },
    /// What the wall clock said when we started was wrong: this is our incarnation now.
    ClockSetBack(Incarnation),
    /// We hold that others declared us failed, and have to see whether we reach them.
    TrialWanted,
    /// We are back, and who told us may hold all others for failed.
    CameBack,
    /// A finding about a member that is no change of its state.
    Found {
        id: NodeId,
        evidence: Evidence,
        /// Whether it is noted only if the last one was another.
        once: bool,
    },
    /// The port of a member is to be checked.
    CheckPort { id: NodeId, checked: Checked },
    /// Something speaks against a subject that has not been judged yet.
    Doubted(NodeId),
    /// The view of this member may differ from ours.
    CompareWith(NodeId),
    /// A tombstone was removed; `known` says whether the member was still in the view.
    Reaped { id: NodeId, known: bool },
}

/// A request that is on its way to the driver.
#[derive(Debug)]
pub(crate) struct Ask {
    pub request: RequestId,
    pub to: NodeId,
    pub addr: NodeAddr,
    pub message: Message,
    pub riding: Riding,
    pub purpose: Purpose,
    pub within: Duration,
}

/// Which updates ride on a request, if its message carries any.
#[derive(Debug)]
pub(crate) enum Riding {
    /// Those that it has.
    Nothing,
    /// What we hold against this member, so that it can refute at once, and what waits.
    For(Arc<NodeStatus>),
    /// What we say of ourselves, and what waits.
    Ourselves,
}

/// To whom a change is passed on.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Spread<'a> {
    /// The group knows it already.
    Nobody,
    All,
    /// To all but the one who told us.
    AllBut(&'a NodeId),
}
