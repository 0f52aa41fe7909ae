//! What an owner has found, or wants of another one. An owner knows no other: it says what is so, and
//! `machine/facts.rs` says who has to know.

use std::sync::Arc;

use kinfolk_core::{Cause, Incarnation, NodeId, NodeStatus};
use kinfolk_detector::Evidence;

use crate::interface::input::RequestId;
use crate::interface::output::Output;
use crate::interface::priority::Priority;
use crate::purpose::{Checked, Purpose};
use crate::wire::message::Update;

/// Something that concerns more than the owner that says it. What is large is in a box: facts wait in each machine, and
/// thousands of machines share the cache of one simulator.
#[derive(Debug)]
pub(crate) enum Fact {
    /// The driver has something to do, after what the facts before this one lead to.
    Output(Box<Output>),
    /// A member is to be asked something.
    Ask(Box<Ask>),
    /// What comes as an answer to this request, if anything does, comes too late.
    TooLate(RequestId),
    /// A member is to be told what waits, if anything does.
    Tell(Arc<NodeStatus>),
    /// There is news to pass on.
    Disseminate {
        update: Box<Update>,
        priority: Priority,
        /// Who told us, and need not be told.
        teller: Option<NodeId>,
    },
    /// The word that this member is forgotten is no longer to be passed on.
    WordDropped(NodeId),
    /// By our own evidence a member is suspect, or has failed.
    Judged { status: Arc<NodeStatus>, cause: Box<Cause> },
    /// We say anew what we are.
    Stated { status: Arc<NodeStatus>, priority: Priority },
    /// What the wall clock said when we started was wrong: this is our incarnation now.
    ClockSetBack(Incarnation),
    /// We hold that others declared us failed, and have to see whether we reach them.
    TrialWanted,
    /// We are back, and who told us may hold all others for failed.
    CameBack,
    /// A finding about a member that is no change of its state.
    Found {
        id: NodeId,
        evidence: Box<Evidence>,
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
    /// The message as it is sent, but for what rides on it.
    pub output: Output,
    pub riding: Riding,
    pub purpose: Purpose,
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

// Facts are moved as they are.
const _: () = assert!(size_of::<Fact>() <= 56);
