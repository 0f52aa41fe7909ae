//! What happens to a group, and when: faults of nodes and of the network, and requests of
//! applications. The whole script exists before the run, so the script and the seed determine the
//! run.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use kinfolk_core::{Instant, Tags};

use crate::network::LinkRule;
use crate::node::NodeIndex;

/// A fault, or the end of one.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// The process ends without a leave. Its host stays up, and answers a port check with "closed".
    Crash(NodeIndex),
    /// The host stops, and the process with it. Nothing answers there, not even a port check.
    Silence(NodeIndex),
    /// A node that crashed or whose host stopped starts again under its name, with a higher
    /// incarnation, and joins. It keeps nothing of its previous instance, except what the scenario
    /// says that it [remembers](crate::Scenario::remembers).
    Restart {
        /// The node.
        node: NodeIndex,
        /// The member through which it joins.
        via: NodeIndex,
    },
    /// The process is stopped but not ended, as under SIGSTOP. Messages to it wait.
    Pause(NodeIndex),
    /// A paused process continues. First it handles the messages that waited, in their order, then
    /// the timers that are due.
    Resume(NodeIndex),
    /// All messages that the node sends, and all that arrive for it, wait: the anomaly of
    /// Lifeguard's paper (section V). The node's driver blocks in the first message that does not
    /// go out. From then on its outbox counts as full, and the ends of its requests wait too.
    Block(NodeIndex),
    /// The block ends. First the messages that waited go out, then the machine learns that the
    /// outbox is free, then the messages that arrived come in. Each kind keeps its order.
    Unblock(NodeIndex),
    /// From now on the node handles messages, and wakes, this much later. Zero ends it.
    Slow {
        /// The node.
        node: NodeIndex,
        /// The delay.
        by: Duration,
    },
    /// From now on the node's clock runs at this rate. 1 ends it, but the clock keeps what it
    /// gained or lost.
    Drift {
        /// The node.
        node: NodeIndex,
        /// The clock's seconds in a true second, 0.1 to 10.
        rate: f64,
    },
    /// The node's clock jumps ahead, as after a suspension of its host.
    Jump {
        /// The node.
        node: NodeIndex,
        /// The distance.
        by: Duration,
    },
    /// The node's wall clock is set back. This matters at its next restart, because the new
    /// incarnation starts from the wall clock.
    SetBack {
        /// The node.
        node: NodeIndex,
        /// The distance.
        by: Duration,
    },
    /// No message from one node reaches the other. The opposite direction stays open.
    Cut {
        /// The sender.
        from: NodeIndex,
        /// The receiver.
        to: NodeIndex,
    },
    /// No message passes between these nodes and all others, in either direction.
    Partition(Vec<NodeIndex>),
    /// All cuts, partitions, and rules of nodes and links end.
    Heal,
    /// From now on this share of all messages is lost, 0 to 1.
    Loss(f64),
    /// From now on this share of the messages to a node is lost, 0 to 1, in addition to the general
    /// loss.
    Ingress {
        /// The node.
        node: NodeIndex,
        /// The share, 0 to 1.
        loss: f64,
    },
    /// From now on this share of the messages that a node sends is lost, 0 to 1, in addition to the
    /// general loss.
    Egress {
        /// The node.
        node: NodeIndex,
        /// The share, 0 to 1.
        loss: f64,
    },
    /// From now on this rule holds for messages from one node to another. The opposite direction
    /// stays as it is.
    Link {
        /// The sender.
        from: NodeIndex,
        /// The receiver.
        to: NodeIndex,
        /// The rule.
        rule: LinkRule,
    },
    /// From now on this share of all messages without a reply arrives twice, 0 to 1.
    Duplication(f64),
    /// From now on this share of all messages is delayed, so that later messages overtake them, 0
    /// to 1.
    Reordering(f64),
}

/// One step of a script.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// A node starts for the first time and joins through another. The first node has no other.
    Start {
        /// The node.
        node: NodeIndex,
        /// The member through which it joins; `None` for the first node.
        via: Option<NodeIndex>,
    },
    /// A fault begins or ends.
    Fault(Fault),
    /// A node leaves, and its process ends soon afterwards.
    Leave(NodeIndex),
    /// A node replaces its tags.
    SetTags(NodeIndex, Tags),
    /// A node broadcasts.
    Broadcast(NodeIndex, Bytes),
    /// A node requests that all members forget another node. This works only if that node failed or
    /// left.
    Forget {
        /// The node that requests it.
        node: NodeIndex,
        /// The node to forget.
        of: NodeIndex,
    },
}

/// The steps of a run, each at its time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Script {
    steps: Vec<(Instant, Step)>,
}

impl Script {
    /// Adds a step at this time after the origin.
    pub fn at(&mut self, after: Duration, step: Step) {
        self.steps.push((Instant::ORIGIN + after, step));
    }

    /// Adds a fault at this time after the origin.
    pub fn fault(&mut self, after: Duration, fault: Fault) {
        self.at(after, Step::Fault(fault));
    }

    /// All steps in the order in which they were added. Steps of equal time happen in this order.
    pub fn steps(&self) -> &[(Instant, Step)] {
        &self.steps
    }

    /// The time of the last step; the origin if there is none.
    pub fn last(&self) -> Instant {
        self.steps.iter().map(|(at, _)| *at).max().unwrap_or(Instant::ORIGIN)
    }
}

impl Fault {
    /// The one node that the fault affects; `None` if it may affect any node.
    pub(crate) fn affected(&self) -> Option<NodeIndex> {
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
