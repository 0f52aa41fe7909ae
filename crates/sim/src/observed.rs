//! What an observer of the simulation is shown: every change of every member's view, and what happens around it.

use std::sync::Arc;

use kinfolk_core::{ClusterEvent, Instant, NodeStatus, Snapshot};
use kinfolk_swim::{Outcome, SwimStats};

use crate::faults::Step;
use crate::node::NodeIndex;
use crate::truth::Truth;

/// One thing that happened.
#[derive(Debug)]
pub enum Observed<'a> {
    /// What one member knows of another, or of itself, has changed. Both sides are never `None` together.
    View {
        /// Whose view.
        node: NodeIndex,
        /// What it knew.
        before: Option<&'a NodeStatus>,
        /// What it knows now; `None` if it has forgotten a tombstone.
        after: Option<&'a NodeStatus>,
    },
    /// A member told its application something.
    Event {
        /// Which member.
        node: NodeIndex,
        /// What.
        event: &'a ClusterEvent,
    },
    /// A member's command has ended.
    Done {
        /// Which member.
        node: NodeIndex,
        /// How.
        outcome: &'a Outcome,
    },
    /// A member has taken an input: how much it holds now.
    Load {
        /// Which member.
        node: NodeIndex,
        /// Its own counters.
        stats: &'a SwimStats,
        /// How many nodes it knows, tombstones included.
        known: usize,
        /// How many of its requests wait for their answer, as the driver sees it.
        requests: usize,
    },
    /// A step of the script was taken; the truth already says so.
    Step(&'a Step),
    /// A message was sent.
    Sent {
        /// Its length, encoded.
        bytes: usize,
    },
    /// A second has passed.
    Second,
}

/// One thing that happened, when, and what is really so.
#[derive(Debug)]
pub struct Moment<'a> {
    /// When.
    pub now: Instant,
    /// What is really so.
    pub truth: &'a Truth,
    /// What happened.
    pub what: Observed<'a>,
}

/// How it all stands at the end of a run.
#[derive(Debug)]
pub struct Ending<'a> {
    /// When.
    pub now: Instant,
    /// What is really so.
    pub truth: &'a Truth,
    /// What each running node knows.
    pub views: Vec<(NodeIndex, Arc<Snapshot>)>,
}
