//! What happens to a group and when: faults of nodes and network, and what applications ask for. One structure for all,
//! made before the run, so that a run is its script and its seed.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use kinfolk_core::{Instant, Tags};

use crate::network::LinkRule;
use crate::node::NodeIndex;

/// Something that goes wrong, or its end.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// The process dies. Its host lives on, and says that nobody listens there any more to whoever checks the port.
    Crash(NodeIndex),
    /// The host falls silent, and the process with it: no answer to anything, not even to a check of the port.
    Silence(NodeIndex),
    /// A node that crashed or fell silent starts again under its name, with a higher incarnation, and joins. It has
    /// forgotten all but what the scenario says that it [remembers](crate::Scenario::remembers).
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
    /// Whatever the node sends, and whatever comes for it, waits: the anomaly of Lifeguard's paper (section V). The first
    /// message that does not go out is what its driver is stuck with; from then on its machine is congested, and the ends
    /// of requests wait too.
    Block(NodeIndex),
    /// What waited goes out, its machine hears that it is clear, then what waited comes in, each in its order.
    Unblock(NodeIndex),
    /// From now on the node handles whatever comes, and wakes, this much later; zero ends it.
    Slow {
        /// Which.
        node: NodeIndex,
        /// How much later.
        by: Duration,
    },
    /// From now on the node's clock runs at this rate; 1 ends it, but what it has gained or lost stays.
    Drift {
        /// Which.
        node: NodeIndex,
        /// Its seconds in a true second, 0.1 to 10.
        rate: f64,
    },
    /// The node's clock leaps ahead, as after the suspension of its host.
    Jump {
        /// Which.
        node: NodeIndex,
        /// How far.
        by: Duration,
    },
    /// The node's time of day is set back. It matters at the next restart, whose incarnation begins with it.
    SetBack {
        /// Which.
        node: NodeIndex,
        /// How far.
        by: Duration,
    },
    /// No message gets from one node to another; the way back stays open.
    Cut {
        /// Whose messages.
        from: NodeIndex,
        /// Whom they do not reach.
        to: NodeIndex,
    },
    /// No message gets from these nodes to any other, or back.
    Partition(Vec<NodeIndex>),
    /// All cuts, partitions, and rules of single nodes and links end.
    Heal,
    /// From now on this share of all messages is lost, 0 to 1.
    Loss(f64),
    /// From now on this share of what is sent to a node is lost, 0 to 1, beside the loss of all.
    Ingress {
        /// Which.
        node: NodeIndex,
        /// How much.
        loss: f64,
    },
    /// From now on this share of what a node sends is lost, 0 to 1, beside the loss of all.
    Egress {
        /// Which.
        node: NodeIndex,
        /// How much.
        loss: f64,
    },
    /// From now on messages from one node to another fare like this; the way back stays as it is.
    Link {
        /// Whose messages.
        from: NodeIndex,
        /// To whom.
        to: NodeIndex,
        /// How.
        rule: LinkRule,
    },
    /// From now on this share of all messages that nobody answers arrives twice, 0 to 1.
    Duplication(f64),
    /// From now on this share of all messages is held up, so that later ones overtake them, 0 to 1.
    Reordering(f64),
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
    /// A node has another forgotten by all, if that has failed or left.
    Forget {
        /// Who says so.
        node: NodeIndex,
        /// Whom.
        of: NodeIndex,
    },
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

impl Fault {
    /// Whose trouble it is or was; `None` if it may be anybody's.
    pub(crate) fn sufferer(&self) -> Option<NodeIndex> {
        match self {
            Self::Crash(node)
            | Self::Silence(node)
            | Self::Restart { node, .. }
            | Self::Pause(node)
            | Self::Resume(node)
            | Self::Block(node)
            | Self::Unblock(node)
            | Self::Slow { node, .. }
            | Self::Drift { node, .. }
            | Self::Jump { node, .. }
            | Self::SetBack { node, .. } => Some(*node),
            Self::Cut { .. }
            | Self::Partition(_)
            | Self::Heal
            | Self::Loss(_)
            | Self::Ingress { .. }
            | Self::Egress { .. }
            | Self::Link { .. }
            | Self::Duplication(_)
            | Self::Reordering(_) => None,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Crash(node) => write!(f, "{node} crashes"),
            Self::Silence(node) => write!(f, "{node} falls silent, and its host"),
            Self::Restart { node, via } => write!(f, "{node} restarts and joins through {via}"),
            Self::Pause(node) => write!(f, "{node} pauses"),
            Self::Resume(node) => write!(f, "{node} resumes"),
            Self::Block(node) => write!(f, "{node} neither sends nor receives"),
            Self::Unblock(node) => write!(f, "{node} sends and receives again"),
            Self::Slow { node, by } => write!(f, "{node} is slow by {by:?}"),
            Self::Drift { node, rate } => write!(f, "{node} counts {rate} s a second"),
            Self::Jump { node, by } => write!(f, "{node}'s clock jumps by {by:?}"),
            Self::SetBack { node, by } => write!(f, "{node}'s time of day is set back by {by:?}"),
            Self::Cut { from, to } => write!(f, "no way from {from} to {to}"),
            Self::Partition(group) => {
                write!(f, "cut off:")?;
                group.iter().try_for_each(|node| write!(f, " {node}"))
            }
            Self::Heal => write!(f, "every cut and rule ends"),
            Self::Loss(loss) => write!(f, "{} % of all messages are lost", loss * 100.0),
            Self::Ingress { node, loss } => write!(f, "{} % of what goes to {node} is lost", loss * 100.0),
            Self::Egress { node, loss } => write!(f, "{} % of what {node} sends is lost", loss * 100.0),
            Self::Link { from, to, rule } => {
                write!(f, "{from} to {to}: {} % lost, {:?} later", rule.loss * 100.0, rule.delay)
            }
            Self::Duplication(share) => write!(f, "{} % of what nobody answers comes twice", share * 100.0),
            Self::Reordering(share) => write!(f, "{} % of all messages are overtaken", share * 100.0),
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
            Self::Forget { node, of } => write!(f, "{node} has {of} forgotten"),
        }
    }
}
