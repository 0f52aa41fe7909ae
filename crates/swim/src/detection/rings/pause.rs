//! The guard against pauses of this member. A process that was stopped, or got no CPU, received
//! nothing meanwhile. It must not take that for the silence of others.

use std::time::Duration;

use kinfolk_core::Instant;

use super::Rings;
use crate::context::Context;

/// A timer that is later than this counts as a pause of this member. It is far above the delays of
/// a busy machine, and far below any sensible `tolerated_pause`.
const LATE_MAX: Duration = Duration::from_millis(250);

impl Rings {
    /// This member could not send or receive since `since`. If that took longer than [`LATE_MAX`],
    /// all judgements under way are void, and the pause is taken out of every silence.
    pub(in crate::detection) fn was_paused(&mut self, cx: &mut Context, since: Instant) {
        // Several timers are overdue after one pause. The first of them accounts for the pause.
        let late = cx.now.since(since.max(self.pause_ended));
        if late <= LATE_MAX {
            return cx.was_late(late);
        }
        // A pause is no sign of poor health. But messages that waited meanwhile arrive late.
        cx.lateness.observe(cx.now, late);
        self.pause_ended = cx.now;
        cx.stats.pauses += 1;
        // Each part that measures a silence leaves the pause out.
        self.mass.paused(cx.now, late);
        self.partition.paused(late);
        self.subjects.paused(cx, late);
    }
}
