//! What the members of a fleet told their applications, and when.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use kinfolk::{ClusterEvent, NodeId, Subscription};
use parking_lot::Mutex;
use tokio::time::Instant;

/// One event, as one member told it.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// When, from the beginning of the world.
    pub at: Duration,
    /// Who told it.
    pub by: NodeId,
    /// What.
    pub event: ClusterEvent,
}

/// All events of all members in their order. Clones share it.
#[derive(Clone, Default)]
pub struct History(Arc<Mutex<Vec<Entry>>>);

impl History {
    /// Writes down what comes from a subscription, until it ends.
    pub(crate) fn record(&self, by: NodeId, begin: Instant, mut events: Subscription) {
        let entries = Arc::clone(&self.0);
        tokio::spawn(async move {
            while let Some(event) = events.next().await {
                entries.lock().push(Entry { at: begin.elapsed(), by: by.clone(), event });
            }
        });
    }

    /// A copy of all entries so far.
    pub fn entries(&self) -> Vec<Entry> {
        self.0.lock().clone()
    }

    /// Who declared whom failed, in the order in which it was told.
    pub fn failures(&self) -> Vec<(NodeId, NodeId)> {
        let failure = |entry: &Entry| match &entry.event {
            ClusterEvent::NodeFailed { node, .. } => Some((entry.by.clone(), node.id.clone())),
            _ => None,
        };
        self.0.lock().iter().filter_map(failure).collect()
    }

    /// The history in one line an event: when, who, what and about whom. It leaves out what TLS's own randomness may
    /// touch, which is nothing that a member is told.
    pub fn lines(&self) -> Vec<String> {
        self.0.lock().iter().map(ToString::to_string).collect()
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subject = self.event.node().map_or_else(String::new, ToString::to_string);
        let kind = match &self.event {
            ClusterEvent::NodeJoined { .. } => "joined",
            ClusterEvent::NodeUpdated { .. } => "updated",
            ClusterEvent::NodeSuspected { .. } => "suspected",
            ClusterEvent::NodeRecovered { .. } => "recovered",
            ClusterEvent::NodeFailed { .. } => "failed",
            ClusterEvent::NodeLeft { .. } => "left",
            ClusterEvent::NodeReaped { .. } => "reaped",
            ClusterEvent::HealthCheckFailed { .. } => "health check failed",
            ClusterEvent::HealthCheckRecovered { .. } => "health check recovered",
            ClusterEvent::Broadcast { .. } => "broadcast",
            ClusterEvent::NameConflict { .. } => "name conflict",
            ClusterEvent::EventsDropped { .. } => "events dropped",
            other => return write!(f, "{:>9.3} {}: {other:?}", self.at.as_secs_f64(), self.by),
        };
        write!(f, "{:>9.3} {}: {subject} {kind}", self.at.as_secs_f64(), self.by)
    }
}
