//! Rounds of gossip: in each period, what waits goes to a few random members (SWIM, section 4.1).

use kinfolk_core::Instant;

use super::queue::GossipQueue;
use crate::context::Context;
use crate::fact::Fact;
use crate::timer::{Timer, TimerKey};

/// When the next round is.
#[derive(Debug)]
pub(super) struct Rounds {
    at: Instant,
    timer: TimerKey,
}

impl Rounds {
    /// The first round comes within a period, at random: members that start together should not send in step.
    pub(super) fn new(cx: &mut Context) -> Self {
        let at = cx.now + cx.config.gossip_interval.mul_f64(cx.rng.unit());
        Self { at, timer: cx.timers.schedule(at, Timer::Gossip) }
    }

    /// Sends what waits to a few random members.
    pub(super) fn send(&mut self, cx: &mut Context, queue: &GossipQueue) {
        self.at = cx.now + cx.config.gossip_interval;
        self.timer = cx.timers.schedule(self.at, Timer::Gossip);
        if queue.is_empty() {
            return;
        }
        for member in cx.random_members(cx.config.gossip_fanout, None) {
            cx.fact(Fact::Tell(member));
        }
    }

    /// Brings the next round forward if something waits that few have been told yet: two rounds of pushes reach nearly all
    /// (each member is missed with a chance of `e^-6` at a fan-out of 3), and the regular rounds the rest.
    pub(super) fn hurry(&mut self, cx: &mut Context, queue: &GossipQueue) {
        let Some(delay) = cx.config.push_delay else { return };
        let told_a_round = cx.config.gossip_fanout.min(cx.roster.len());
        let twice = u32::try_from(2 * told_a_round).unwrap_or(u32::MAX);
        let soon = cx.now + delay;
        if soon < self.at && queue.has_fresh(twice) {
            cx.timers.cancel(self.timer);
            self.at = soon;
            self.timer = cx.timers.schedule(soon, Timer::Gossip);
        }
    }
}
