//! Time has passed: every timer that is due goes to its handler.

use kinfolk_core::Instant;

use crate::machine::Machine;
use crate::timer::Timer;

impl Machine {
    pub(crate) fn on_timeout(&mut self, now: Instant) {
        while let Some(timer) = self.timers.pop_due(now) {
            match timer {
                Timer::Probe => self.on_probe_due(now),
                Timer::ProbeTimeout(request) if self.config.is_verified() => {
                    self.on_watch_timeout(now, request);
                }
                Timer::ProbeTimeout(request) => self.on_probe_timeout(now, request),
                Timer::Knock(request) => self.on_knock_due(now, request),
                Timer::Watch(id) => self.on_watch_due(now, &id),
                Timer::Round(id, number) => self.on_round_due(now, &id, number),
                Timer::Verdict(id) => self.on_verdict_due(now, &id),
                Timer::Nack(request) => self.on_nack_due(request),
                Timer::Suspicion(id) => self.on_suspicion_due(now, &id),
                Timer::Dispute(id) => self.on_dispute_due(&id),
                Timer::Gossip => self.on_gossip_due(now),
                Timer::Sync => self.on_sync_due(now),
                Timer::Look => self.on_look_due(now),
                Timer::Settle(id) => self.on_settle_due(now, &id),
                Timer::NameConflict(id) => self.on_name_conflict_due(now, &id),
                Timer::Comeback => self.on_comeback_due(now),
                Timer::Heal => self.on_heal_due(now),
                Timer::Reap(id, incarnation) => self.reap(now, &id, incarnation),
            }
        }
    }
}
