//! Time has passed: every timer that is due goes to its owner.

use kinfolk_core::Instant;

use super::Owners;
use crate::context::Context;
use crate::detection::relay_failed;
use crate::purpose::Purpose;
use crate::timer::Timer;

impl Owners {
    /// Handles every timer that is due.
    pub(super) fn timeout(&mut self, cx: &mut Context) {
        while let Some(timer) = cx.timers.pop_due(cx.now) {
            self.due(cx, &timer);
            self.settle(cx);
        }
    }

    fn due(&mut self, cx: &mut Context, timer: &Timer) {
        match timer {
            Timer::Probe => {
                self.detection.end_period(cx);
                self.settle(cx);
                if let Some(round_robin) = self.detection.round_robin().filter(|_| !cx.has_left()) {
                    round_robin.begin_period(cx);
                }
            }
            Timer::ProbeTimeout(_)
            | Timer::Knock(_)
            | Timer::Watch(_)
            | Timer::Round(..)
            | Timer::Verdict(_)
            | Timer::Suspicion(_)
            | Timer::Look => self.detection.due(cx, timer),
            Timer::Nack(request) => {
                if let Some(Purpose::Relay(relay)) = self.requests.take(*request) {
                    relay_failed(cx, &relay, false);
                }
            }
            Timer::Gossip => {
                let Self { news, detection, .. } = self;
                news.send(cx, || detection.neighbours());
            }
            Timer::Sync if !cx.has_left() => {
                self.requests.drop_periodic_sync();
                self.repair.sync_due(cx);
            }
            Timer::Heal if !cx.has_left() => self.repair.heal_due(cx),
            Timer::Sync | Timer::Heal => {}
            Timer::Dispute(id) => self.repair.verdict_due(cx, id),
            Timer::Settle(id) => self.report.settle_due(cx, id),
            Timer::NameConflict(id) => self.report.name_conflict_due(cx, id),
            Timer::Comeback => self.myself.return_check_due(cx),
            Timer::Reap(id, incarnation) => self.members.reap(cx, id, *incarnation),
        }
    }

    /// The driver takes messages again; since `since` it did not.
    pub(super) fn hear_again(&mut self, cx: &mut Context, since: Instant) {
        self.detection.was_deaf(cx, since);
        if let Some(rings) = self.detection.rings() {
            rings.catch_up_probes(cx);
        }
        self.timeout(cx);
    }
}
