//! Healing of partitions: a member contacts failed members from time to time, while it has their
//! tombstones. So the parts of a partition meet when the network allows it, however long that
//! takes.
//!
//! A contact is an exchange of views: each side learns that the other declared it failed, and
//! refutes. In `Mode::Verified` it starts with a ping. Most failed members do not answer, and then
//! the contact costs a few bytes and not the whole view.

use kinfolk_core::NodeState;

use super::Repair;
use crate::context::Context;
use crate::timer::Timer;

impl Repair {
    /// Contacts one failed member, chosen at random. At most one each interval, however many there
    /// are.
    pub(crate) fn heal_due(&mut self, cx: &mut Context) {
        schedule_heal(cx);
        // A contact dials, and a handshake makes a late member later. The next interval is soon
        // enough.
        if self.compares_digests && cx.is_late() {
            cx.stats.anti_entropy_postponed += 1;
            return;
        }
        self.contact_failed_member(cx);
    }

    /// Contacts one failed member, chosen at random, if there is one.
    pub(crate) fn contact_failed_member(&mut self, cx: &mut Context) {
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

/// Schedules the next contact after half to one and a half intervals, at random, so that members do
/// not contact failed members at the same times.
pub(crate) fn schedule_heal(cx: &mut Context) {
    if let Some(interval) = cx.config.heal_interval {
        let after = interval.mul_f64(0.5 + cx.rng.unit());
        cx.timers.schedule(cx.now + after, Timer::Heal);
    }
}
