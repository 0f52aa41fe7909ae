//! Finding each other again: failed members are contacted now and then for as long as they are remembered, so that the
//! two halves of a partition meet once the network lets them, however long it took.
//!
//! A contact is an exchange of views: each side learns that the other declared it failed, and refutes. Where views are
//! compared it begins with a probe, so that what goes to the dead, who are most of them, is a few bytes and not the whole view.

use kinfolk_core::NodeState;

use super::Repair;
use crate::context::Context;
use crate::timer::Timer;

impl Repair {
    /// Contacts one failed member, at random. At most one each interval, whatever their number.
    pub(crate) fn heal_due(&mut self, cx: &mut Context) {
        schedule_heal(cx);
        if self.compares && cx.is_late() {
            cx.stats.comparisons_postponed += 1;
            return;
        }
        self.contact_a_failed_one(cx);
    }

    /// Contacts one failed member, at random, if there is one.
    pub(crate) fn contact_a_failed_one(&mut self, cx: &mut Context) {
        if cx.members.count(NodeState::Failed) == 0 {
            return;
        }
        let snapshot = cx.members.snapshot();
        let failed: Vec<_> = snapshot.nodes().iter().filter(|node| node.state == NodeState::Failed).collect();
        if let Some(node) = failed.get(cx.rng.below(failed.len())) {
            cx.stats.heals += 1;
            self.compare_or_exchange(cx, node);
        }
    }
}

/// Between half and one and a half times the interval, so that members do not contact the same one in step.
pub(crate) fn schedule_heal(cx: &mut Context) {
    if let Some(interval) = cx.config.heal_interval {
        let after = interval.mul_f64(0.5 + cx.rng.unit());
        cx.timers.schedule(cx.now + after, Timer::Heal);
    }
}
