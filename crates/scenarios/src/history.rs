//! The events that the members of a fleet reported to their applications, with their times.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use kinfolk::{ClusterEvent, NodeId, Subscription};
use parking_lot::Mutex;
use tokio::time::Instant;

/// One event of one member.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The time since the start of the world.
    pub at: Duration,
    /// The member that reported it.
    pub by: NodeId,
    /// The event.
    pub event: ClusterEvent,
}

/// The events of all members in order. Clones share them.
#[derive(Clone, Default)]
pub struct History(Arc<Mutex<Vec<Entry>>>);

impl History {
    /// Records the events of a subscription until it ends.
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

    /// The declared failures in order, each as the observer and the subject.
    pub fn failures(&self) -> Vec<(NodeId, NodeId)> {
        let failure = |entry: &Entry| match &entry.event {
            ClusterEvent::NodeFailed { node, .. } => Some((entry.by.clone(), node.id.clone())),
            _ => None,
        };
        self.0.lock().iter().filter_map(failure).collect()
    }

    /// The history as text: one line for each event, with time, observer, subject and kind. It
    /// leaves out details that TLS's own randomness may change from run to run.
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
