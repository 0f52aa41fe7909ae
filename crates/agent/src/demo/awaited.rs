//! What a step waits for: that certain members each see something of certain others; and when they saw it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kinfolk::{ClusterEvent, NodeId};
use tokio::time::Instant;

use super::nodes::Seen;

/// What is to be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sight {
    Joined,
    Failed,
    Left,
    Broadcast,
}

impl Sight {
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

/// Who is to see what of whom.
pub(super) struct Awaited {
    sight: Sight,
    since: Instant,
    missing: BTreeSet<(NodeId, NodeId)>,
    seen: BTreeMap<(NodeId, NodeId), Duration>,
}

impl Awaited {
    /// Each pair is one who is to see it, and of whom. Times count from `since`.
    pub(super) fn new(
        sight: Sight,
        since: Instant,
        pairs: impl IntoIterator<Item = (NodeId, NodeId)>,
    ) -> Self {
        let missing = pairs.into_iter().filter(|(by, of)| by != of).collect();
        Self { sight, since, missing, seen: BTreeMap::new() }
    }

    /// Takes note of what was seen; true if it is the last that its observer was to see.
    pub(super) fn note(&mut self, seen: &Seen) -> bool {
        let Some(of) = seen.event.node().filter(|_| self.sight.matches(&seen.event)) else { return false };
        let pair = (seen.by.clone(), of.clone());
        if !self.missing.remove(&pair) {
            return false;
        }
        self.seen.insert(pair, seen.at.saturating_duration_since(self.since));
        !self.missing.iter().any(|(by, _)| *by == seen.by)
    }

    pub(super) fn is_complete(&self) -> bool {
        self.missing.is_empty()
    }

    /// How many sights have come, and how many there are to be.
    pub(super) fn progress(&self) -> (usize, usize) {
        (self.seen.len(), self.seen.len() + self.missing.len())
    }

    /// The pairs that are still to come.
    pub(super) fn missing(&self) -> impl Iterator<Item = &(NodeId, NodeId)> {
        self.missing.iter()
    }

    /// When, counted from the start, the first sight came, and whose it was.
    pub(super) fn first(&self) -> Option<(Duration, &NodeId)> {
        self.seen.iter().map(|((by, _), at)| (*at, by)).min()
    }

    /// The same of the last one.
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

    fn sees(by: &str, of: &str, at: Instant) -> Seen {
        let addr = NodeAddr::new(([127, 0, 0, 1], 1).into());
        let node = Arc::new(NodeStatus::alive(id(of), addr, Incarnation::new(1), Tags::empty()));
        Seen { at, by: id(by), event: ClusterEvent::NodeLeft { node } }
    }

    #[test]
    fn it_is_complete_when_each_has_seen_it_and_tells_first_and_last() {
        let since = Instant::now();
        let pairs = ["a", "b", "c"].map(|by| (id(by), id("c")));
        let mut awaited = Awaited::new(Sight::Left, since, pairs);
        assert_eq!(awaited.progress(), (0, 2), "nobody has to see it of itself");
        assert!(awaited.note(&sees("b", "c", since + Duration::from_secs(1))));
        assert!(!awaited.note(&sees("b", "c", since + Duration::from_secs(9))), "only the first time counts");
        assert!(!awaited.note(&sees("a", "b", since)), "it is about another");
        assert_eq!(awaited.missing().collect::<Vec<_>>(), [&(id("a"), id("c"))]);
        assert!(awaited.note(&sees("a", "c", since + Duration::from_secs(2))));
        assert!(awaited.is_complete());
        assert_eq!(awaited.first(), Some((Duration::from_secs(1), &id("b"))));
        assert_eq!(awaited.last(), Some((Duration::from_secs(2), &id("a"))));
    }

    #[test]
    fn another_kind_of_event_does_not_count() {
        let since = Instant::now();
        let mut awaited = Awaited::new(Sight::Failed, since, [(id("a"), id("b"))]);
        assert!(!awaited.note(&sees("a", "b", since)));
        assert!(!awaited.is_complete());
    }
}
