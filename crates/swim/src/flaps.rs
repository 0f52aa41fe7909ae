//! Telling the application of changes, except of the coming and going of a member that flaps: that
//! is told once, and once more when it has settled. Nor of each change of an address that two
//! processes contend for (`name_conflicts.rs`). The registry and the gossip know of no such thing.

use kinfolk_core::{Cause, Change, ClusterEvent, Instant, NodeId};
use kinfolk_detector::Telling;

use crate::machine::Machine;
use crate::output::Output;
use crate::timer::Timer;

impl Machine {
    /// Tells what a change means, or, of a member that flaps, only what is not about its coming and going.
    pub(crate) fn tell_change(&mut self, now: Instant, change: &Change, cause: &Cause) {
        let Some(after) = change.after() else { return };
        let telling = self.flaps.as_mut().map_or(Telling::All, |flaps| flaps.changed(now, change));
        let mut events = ClusterEvent::of_change(change, cause);
        if telling == Telling::Muted {
            events.retain(|event| matches!(event, ClusterEvent::NodeUpdated { .. }));
        }
        if !self.is_update_told(now, change) {
            events.retain(|event| !matches!(event, ClusterEvent::NodeUpdated { .. }));
        }
        for event in events {
            self.output(Output::Event(event));
        }
        if let Telling::Flapping { returns, quiet } = telling {
            self.stats.flapping += 1;
            self.output(Output::Event(ClusterEvent::NodeFlapping { id: after.id.clone(), returns, quiet }));
            self.timers.schedule(now + quiet, Timer::Settle(after.id.clone()));
        }
    }

    /// A flapping member may have settled; if not, it is looked at again when it could have. One timer each.
    pub(crate) fn on_settle_due(&mut self, now: Instant, id: &NodeId) {
        let Some(flaps) = &mut self.flaps else { return };
        if !flaps.settle(now, id) {
            if let Some(at) = flaps.settles_at(id) {
                self.timers.schedule(at, Timer::Settle(id.clone()));
            }
        } else if let Some(node) = self.registry.get(id) {
            self.output(Output::Event(ClusterEvent::NodeSettled { node }));
        }
    }

    /// A tombstone is removed.
    pub(crate) fn forget_flaps(&mut self, id: &NodeId) {
        self.name_conflicts.forget(id);
        if let Some(flaps) = &mut self.flaps {
            flaps.forget(id);
        }
    }
}
