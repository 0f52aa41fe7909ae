//! Shows the observers how a node's view changed, and how much it holds, after each input.

use std::sync::Arc;

use kinfolk_core::{ClusterEvent, NodeStatus, Snapshot};

use super::{Detail, NodeIndex, Observed, World};
use crate::observed::Moment;
use crate::seen::Seen;
use crate::trace::View;

impl World {
    /// Passes an observation to every observer.
    pub(super) fn observe(&mut self, what: Observed<'_>) {
        if self.detail == Detail::Light {
            return;
        }
        let moment = Moment { now: self.now, truth: &self.truth, what };
        self.checks.observe(&moment);
        self.figures.observe(&moment);
    }

    /// Shows how the view of `node` changed since the observers last saw it.
    pub(super) fn show_changes(&mut self, node: NodeIndex) {
        if self.detail == Detail::Light {
            return;
        }
        let Some(process) = self.process(node) else { return };
        let (seen, stats) = (Arc::clone(&process.seen), process.machine.stats());
        let now = process.machine.registry().snapshot();
        let (known, requests) = (now.nodes().len(), process.requests());
        process.seen = Arc::clone(&now);
        self.observe(Observed::Load { node, stats: &stats, known, requests });
        if !Arc::ptr_eq(&seen, &now) {
            for (before, after) in differences(&seen, &now) {
                if let Some(subject) = after.or(before) {
                    let line = format_args!("{} {} -> {}", subject.id, View(before), View(after));
                    self.trace.line(self.now, Some(node), "view", line);
                }
                self.observe(Observed::View { node, before, after });
            }
        }
    }

    pub(super) fn event(&mut self, node: NodeIndex, event: &ClusterEvent) {
        if self.detail == Detail::Light {
            return self.seen.extend(Seen::of(self.now, node, event));
        }
        self.trace.line(self.now, Some(node), "event", Named(event));
        self.observe(Observed::Event { node, event });
    }
}

/// The entries that differ between two snapshots.
fn differences<'a>(
    before: &'a Snapshot,
    after: &'a Snapshot,
) -> Vec<(Option<&'a NodeStatus>, Option<&'a NodeStatus>)> {
    let removed = before.nodes().iter().filter(|node| after.get(&node.id).is_none());
    let mut differences: Vec<_> = removed.map(|node| (Some(&**node), None)).collect();
    let mut old = before.nodes().iter().peekable();
    for new in after.nodes() {
        while old.next_if(|old| old.id < new.id).is_some() {}
        let old = old.next_if(|old| old.id == new.id);
        // Unchanged entries share their memory, so comparing pointers is enough.
        if !old.is_some_and(|old| Arc::ptr_eq(old, new)) {
            differences.push((old.map(|old| &**old), Some(&**new)));
        }
    }
    differences
}

/// Formats an event in one line.
struct Named<'a>(&'a ClusterEvent);

impl std::fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            ClusterEvent::NodeJoined { node } => write!(f, "joined {}", node.id),
            ClusterEvent::NodeUpdated { node } => write!(f, "updated {}", node.id),
            ClusterEvent::NodeSuspected { node, cause } => write!(f, "suspected {}: {cause}", node.id),
            ClusterEvent::NodeRecovered { node } => write!(f, "recovered {}", node.id),
            ClusterEvent::NodeFailed { node, cause } => write!(f, "failed {}: {cause}", node.id),
            ClusterEvent::NodeLeft { node } => write!(f, "left {}", node.id),
            ClusterEvent::Broadcast { from, payload } => {
                write!(f, "broadcast of {from}, {} bytes", payload.len())
            }
            other => write!(f, "{other:?}"),
        }
    }
}
