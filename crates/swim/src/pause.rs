//! The guard against pauses of our own: who was stopped, or starved, has heard nothing meanwhile, and must not take that
//! for the silence of others.

use std::time::Duration;

use kinfolk_core::Instant;

use crate::machine::Machine;

/// How late we may be for a timer of our own before it counts as a pause: far above the delays of a busy machine, far
/// below any `tolerated_pause` that makes sense.
const LATE_MAX: Duration = Duration::from_millis(250);

impl Machine {
    /// Something comes to be handled at `now`. If a timer should have been handled long before, we were paused: then
    /// every judgement that is under way is void, and the pause is taken out of every silence.
    pub(crate) fn guard_against_pause(&mut self, now: Instant) {
        let Some(due) = self.timers.next().filter(|_| self.config.is_verified()) else { return };
        self.void_judgements(now, due);
    }

    /// Since `since` we could not ask, or not hear what others say: unless that was short, every judgement that is under way
    /// is void.
    pub(crate) fn void_judgements(&mut self, now: Instant, since: Instant) {
        // What came first after the pause has dealt with it, though the timer itself may still be due.
        let late = now.since(since.max(self.watch.pause_ended));
        if late <= LATE_MAX || !self.config.is_verified() {
            return;
        }
        self.watch.pause_ended = now;
        self.stats.pauses += 1;
        self.mass.paused(now, late);
        for subject in self.watch.subjects.values_mut() {
            // What we sent before the pause may have been answered during it, unheard.
            subject.probe = None;
            subject.silent_since = subject.silent_since.map(|since| (since + late).min(now));
            if let Some(round) = subject.round.take() {
                self.timers.cancel(round.timer);
            }
        }
    }
}
