//! Finding each other again: failed members are contacted now and then for as long as they are remembered, so that the
//! two halves of a partition meet once the network lets them, however long it took.
//!
//! A contact is an exchange of views: each side learns that the other declared it failed, and refutes. In `Mode::Verified` it
//! begins with a probe, so that what goes to the dead, who are most of them, is a few bytes and not the whole view.

use kinfolk_core::{Instant, NodeState};

use crate::machine::Machine;
use crate::timer::Timer;

impl Machine {
    /// Contacts one failed member, at random. At most one each interval, whatever their number.
    pub(crate) fn on_heal_due(&mut self, now: Instant) {
        if self.has_left() {
            return;
        }
        self.schedule_heal(now);
        self.contact_a_failed_one();
    }

    /// Contacts one failed member, at random, if there is one.
    pub(crate) fn contact_a_failed_one(&mut self) {
        if self.registry.count(NodeState::Failed) == 0 {
            return;
        }
        let snapshot = self.registry.snapshot();
        let failed: Vec<_> = snapshot.nodes().iter().filter(|node| node.state == NodeState::Failed).collect();
        if let Some(node) = failed.get(self.rng.below(failed.len())) {
            self.stats.heals += 1;
            self.compare_or_exchange(node);
        }
    }

    /// Between half and one and a half times the interval, so that members do not contact the same one in step.
    pub(crate) fn schedule_heal(&mut self, now: Instant) {
        if let Some(interval) = self.config.heal_interval {
            self.timers.schedule(now + interval.mul_f64(0.5 + self.rng.unit()), Timer::Heal);
        }
    }
}
