//! The events that a step of the demo waits for: which members see which kind of event about which
//! members, and when.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kinfolk::{ClusterEvent, NodeId};
use tokio::time::Instant;

use super::nodes::Observation;

/// The kinds of events that a step can wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EventKind {
    Joined,
    Failed,
    Left,
    Broadcast,
}

impl EventKind {
    pub(super) fn matches(self, event: &ClusterEvent) -> bool {
        match event {
            ClusterEvent::NodeJoined { .. } => self == Self::Joined,
            ClusterEvent::NodeFailed { .. } => self == Self::Failed,
            ClusterEvent::NodeLeft { .. } => self == Self::Left,
            ClusterEvent::Broadcast { .. } => self == Self::Broadcast,
            _ => false,
        }
    }
}

/// Events that have come, and events that are missing. Each is a pair: the observer, the subject.
pub(super) struct Awaited {
    kind: EventKind,
    since: Instant,
    missing: BTreeSet<(NodeId, NodeId)>,
    seen: BTreeMap<(NodeId, NodeId), Duration>,
}

impl Awaited {
    /// Each pair is an observer and a subject. Times count from `since`.
    pub(super) fn new(
        kind: EventKind,
        since: Instant,
        pairs: impl IntoIterator<Item = (NodeId, NodeId)>,
    ) -> Self {
        // A member has no such event about itself.
        let missing = pairs.into_iter().filter(|(by, of)| by != of).collect();
        Self { kind, since, missing, seen: BTreeMap::new() }
    }

    /// Records an event. Returns whether it is the last one that its observer had to see.
    pub(super) fn note(&mut self, seen: &Observation) -> bool {
        let Some(of) = seen.event.node().filter(|_| self.kind.matches(&seen.event)) else { return false };
        let pair = (seen.by.clone(), of.clone());
        if !self.missing.remove(&pair) {
            return false;
        }
        // Removed above, so a repeated event does not change the first time.
        self.seen.insert(pair, seen.at.saturating_duration_since(self.since));
        !self.missing.iter().any(|(by, _)| *by == seen.by)
    }

    pub(super) fn is_complete(&self) -> bool {
        self.missing.is_empty()
    }

    /// The number of events that have come, and the number of all.
    pub(super) fn progress(&self) -> (usize, usize) {
        (self.seen.len(), self.seen.len() + self.missing.len())
    }

    /// The pairs whose events have not come.
    pub(super) fn missing(&self) -> impl Iterator<Item = &(NodeId, NodeId)> {
        self.missing.iter()
    }

    /// The time of the first event, counted from the start, and its observer.
    pub(super) fn first(&self) -> Option<(Duration, &NodeId)> {
        self.seen.iter().map(|((by, _), at)| (*at, by)).min()
    }

    /// The time of the last event, and its observer.
    pub(super) fn last(&self) -> Option<(Duration, &NodeId)> {
        self.seen.iter().map(|((by, _), at)| (*at, by)).max()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use kinfolk::{Incarnation, NodeAddr, NodeStatus, Tags};

    use super::*;

    fn id(name: &str) -> NodeId {
        NodeId::new(name).unwrap()
    }

    fn sees(by: &str, of: &str, at: Instant) -> Observation {
        let addr = NodeAddr::new(([127, 0, 0, 1], 1).into());
        let node = Arc::new(NodeStatus::alive(id(of), addr, Incarnation::new(1), Tags::empty()));
        Observation { at, by: id(by), event: ClusterEvent::NodeLeft { node } }
    }

    #[test]
    fn complete_when_each_observer_has_seen_the_event() {
        let since = Instant::now();
        let pairs = ["a", "b", "c"].map(|by| (id(by), id("c")));
        let mut awaited = Awaited::new(EventKind::Left, since, pairs);
        assert_eq!(awaited.progress(), (0, 2), "c has no event about itself");
        assert!(awaited.note(&sees("b", "c", since + Duration::from_secs(1))));
        assert!(!awaited.note(&sees("b", "c", since + Duration::from_secs(9))), "only the first time counts");
        assert!(!awaited.note(&sees("a", "b", since)), "it is about another member");
        assert_eq!(awaited.missing().collect::<Vec<_>>(), [&(id("a"), id("c"))]);
        assert!(awaited.note(&sees("a", "c", since + Duration::from_secs(2))));
        assert!(awaited.is_complete());
        assert_eq!(awaited.first(), Some((Duration::from_secs(1), &id("b"))));
        assert_eq!(awaited.last(), Some((Duration::from_secs(2), &id("a"))));
    }

    #[test]
    fn another_kind_of_event_does_not_count() {
        let since = Instant::now();
        let mut awaited = Awaited::new(EventKind::Failed, since, [(id("a"), id("b"))]);
        assert!(!awaited.note(&sees("a", "b", since)));
        assert!(!awaited.is_complete());
    }
}
