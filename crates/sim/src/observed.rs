//! What an observer of the simulation sees: every change of every member's view, and the events
//! around it.

use std::sync::Arc;

use kinfolk_core::{ClusterEvent, Instant, NodeStatus, Snapshot};
use kinfolk_swim::{Outcome, SwimStats};

use crate::faults::Step;
use crate::node::NodeIndex;
use crate::truth::Truth;

/// One observation.
#[derive(Debug)]
pub enum Observed<'a> {
    /// An entry in the view of one member changed: of another member, or of itself. At least one
    /// side is `Some`.
    View {
        /// The member whose view changed.
        node: NodeIndex,
        /// The entry before.
        before: Option<&'a NodeStatus>,
        /// The entry now; `None` if the member reaped a tombstone.
        after: Option<&'a NodeStatus>,
    },
    /// A member reported an event to its application.
    Event {
        /// The member.
        node: NodeIndex,
        /// The event.
        event: &'a ClusterEvent,
    },
    /// A member's command ended.
    Done {
        /// The member.
        node: NodeIndex,
        /// Its outcome.
        outcome: &'a Outcome,
    },
    /// A member handled an input. This is how much it holds now.
    Load {
        /// The member.
        node: NodeIndex,
        /// The member's own counters.
        stats: &'a SwimStats,
        /// The number of nodes in its view, with tombstones.
        known: usize,
        /// The number of its requests without a reply, as the driver counts them.
        requests: usize,
    },
    /// A step of the script happened; the truth already includes it, so that an invariant can
    /// compare at once.
    Step(&'a Step),
    /// A message was sent.
    Sent {
        /// The encoded length.
        bytes: usize,
    },
    /// A second passed.
    Second,
}

/// An observation, its time, and the truth at that time.
#[derive(Debug)]
pub struct Moment<'a> {
    /// The time.
    pub now: Instant,
    /// The true state of all nodes.
    pub truth: &'a Truth,
    /// The observation.
    pub what: Observed<'a>,
}

/// The state at the end of a run.
#[derive(Debug)]
pub struct Ending<'a> {
    /// The time.
    pub now: Instant,
    /// The true state of all nodes.
    pub truth: &'a Truth,
    /// The view of each running node.
    pub views: Vec<(NodeIndex, Arc<Snapshot>)>,
}
