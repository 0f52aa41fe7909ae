//! Rounds of gossip: in each period, waiting updates go to a few random members (SWIM, section
//! 4.1).

use kinfolk_core::Instant;

use super::queue::GossipQueue;
use crate::context::Context;
use crate::fact::Fact;
use crate::timer::{Timer, TimerKey};

/// The time of the next round.
#[derive(Debug)]
pub(super) struct Rounds {
    at: Instant,
    timer: TimerKey,
}

impl Rounds {
    /// Schedules the first round at a random time within a period, so that members that start
    /// together do not send at the same times.
    pub(super) fn new(cx: &mut Context) -> Self {
        let at = cx.now + cx.config.gossip_interval.mul_f64(cx.rng.unit());
        Self { at, timer: cx.timers.schedule(at, Timer::Gossip) }
    }

    /// Sends the waiting updates to a few random members.
    pub(super) fn send(&mut self, cx: &mut Context, queue: &GossipQueue) {
        self.at = cx.now + cx.config.gossip_interval;
        self.timer = cx.timers.schedule(self.at, Timer::Gossip);
        if queue.is_empty() {
            return;
        }
        for member in cx.random_members(cx.config.gossip_fanout, None) {
            cx.fact(Fact::SendUpdates(member));
        }
    }

    /// Brings the next round forward if an update was sent to fewer members than two rounds reach.
    ///
    /// Two quick rounds of pushes reach nearly all members: each member is missed with a chance of
    /// `e^-6` at a fan-out of 3. The regular rounds reach the rest
    /// (`docs/decisions/0003-fresh-updates-are-pushed.md`).
    pub(super) fn schedule_fresh(&mut self, cx: &mut Context, queue: &GossipQueue) {
        let Some(delay) = cx.config.push_delay else { return };
        // A small group has fewer members than the fan-out, and a round cannot reach more.
        let sends_a_round = cx.config.gossip_fanout.min(cx.roster.len());
        let twice = u32::try_from(2 * sends_a_round).unwrap_or(u32::MAX);
        let soon = cx.now + delay;
        if soon < self.at && queue.has_fresh(twice) {
            cx.timers.cancel(self.timer);
            self.at = soon;
            self.timer = cx.timers.schedule(soon, Timer::Gossip);
        }
    }
}
