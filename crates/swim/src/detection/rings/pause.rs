//! The guard against pauses of our own: who was stopped, or starved, has heard nothing meanwhile, and must not take that
//! for the silence of others.

use std::time::Duration;

use kinfolk_core::Instant;

use super::Rings;
use crate::context::Context;

/// How late we may be for a timer of our own before it counts as a pause: far above the delays of a busy machine, far
/// below any `tolerated_pause` that makes sense.
const LATE_MAX: Duration = Duration::from_millis(250);

impl Rings {
    /// Since `since` we could not ask, or not hear what others say: unless that was short, every judgement that is under way
    /// is void, and the pause is taken out of every silence.
    pub(in crate::detection) fn was_deaf(&mut self, cx: &mut Context, since: Instant) {
        // What came first after the pause has dealt with it, though the timer itself may still be due.
        let late = cx.now.since(since.max(self.pause_ended));
        if late <= LATE_MAX {
            return cx.was_late(late);
        }
        // A pause is no sign of poor health, but what waited meanwhile comes late.
        cx.lateness.observe(cx.now, late);
        self.pause_ended = cx.now;
        cx.stats.pauses += 1;
        self.mass.paused(cx.now, late);
        self.partition.paused(late);
        self.subjects.paused(cx, late);
    }
}
