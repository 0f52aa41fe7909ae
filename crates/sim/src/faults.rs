//! What happens to a group and when: faults of nodes and network, and what applications ask for. One structure for all,
//! made before the run, so that a run is its script and its seed.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use kinfolk_core::{Instant, Tags};

use crate::node::NodeIndex;

/// Something that goes wrong, or its end.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// The process dies and forgets all. Whoever asks it hears nothing.
    Crash(NodeIndex),
    /// A crashed node starts again under its name, with a higher incarnation, and joins.
    Restart {
        /// Which.
        node: NodeIndex,
        /// Through whom it joins.
        via: NodeIndex,
    },
    /// The process stops without dying, as under SIGSTOP. Messages for it wait.
    Pause(NodeIndex),
    /// It goes on: first with the messages that waited, in their order, then with what is due.
    Resume(NodeIndex),
    /// No message gets from one node to another; the way back stays open.
    Cut {
        /// Whose messages.
        from: NodeIndex,
        /// Whom they do not reach.
        to: NodeIndex,
    },
    /// No message gets from these nodes to any other, or back.
    Partition(Vec<NodeIndex>),
    /// All cuts and partitions end.
    Heal,
    /// From now on this share of all messages is lost, 0 to 1.
    Loss(f64),
}

/// One step of a script.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// A node starts for the first time and joins through another; the first one has none.
    Start {
        /// Which.
        node: NodeIndex,
        /// Through whom.
        via: Option<NodeIndex>,
    },
    /// A fault begins or ends.
    Fault(Fault),
    /// A node leaves, and stops soon after it has said so.
    Leave(NodeIndex),
    /// A node replaces its tags.
    SetTags(NodeIndex, Tags),
    /// A node broadcasts.
    Broadcast(NodeIndex, Bytes),
}

/// The steps of a run, each at its time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Script {
    steps: Vec<(Instant, Step)>,
}

impl Script {
    /// Adds a step at this time after the beginning.
    pub fn at(&mut self, after: Duration, step: Step) {
        self.steps.push((Instant::ORIGIN + after, step));
    }

    /// Adds a fault at this time after the beginning.
    pub fn fault(&mut self, after: Duration, fault: Fault) {
        self.at(after, Step::Fault(fault));
    }

    /// All steps, in the order in which they were added, which is the order among those at one time.
    pub fn steps(&self) -> &[(Instant, Step)] {
        &self.steps
    }

    /// When the last step is.
    pub fn last(&self) -> Instant {
        self.steps.iter().map(|(at, _)| *at).max().unwrap_or(Instant::ORIGIN)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Crash(node) => write!(f, "{node} crashes"),
            Self::Restart { node, via } => write!(f, "{node} restarts and joins through {via}"),
            Self::Pause(node) => write!(f, "{node} pauses"),
            Self::Resume(node) => write!(f, "{node} resumes"),
            Self::Cut { from, to } => write!(f, "no way from {from} to {to}"),
            Self::Partition(group) => {
                write!(f, "cut off:")?;
                group.iter().try_for_each(|node| write!(f, " {node}"))
            }
            Self::Heal => write!(f, "every cut ends"),
            Self::Loss(loss) => write!(f, "{} % of all messages are lost", loss * 100.0),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start { node, via: None } => write!(f, "{node} starts"),
            Self::Start { node, via: Some(via) } => write!(f, "{node} starts and joins through {via}"),
            Self::Fault(fault) => write!(f, "{fault}"),
            Self::Leave(node) => write!(f, "{node} leaves"),
            Self::SetTags(node, tags) => write!(f, "{node} has new tags of {} bytes", tags.byte_len()),
            Self::Broadcast(node, payload) => write!(f, "{node} broadcasts {} bytes", payload.len()),
        }
    }
}
