//! Accusing a silent subject, and declaring it failed (`Mode::Verified`). Only who accuses by its own evidence judges, and
//! only after a last check; everybody else takes over what it hears.
//!
//! The clock of a suspicion starts when the first probe that went unanswered was sent, and any sign of life from the
//! subject itself stops it. So no silence is ever taken to be longer than it was, and a member that stalls for less than
//! `tolerated_pause` is never declared failed.

use std::time::Duration;

use kinfolk_core::{Cause, Instant, NodeId, NodeState, Reason};
use kinfolk_detector::Finding;

use crate::machine::Machine;
use crate::on_change::Spread;
use crate::timer::Timer;
use crate::witness::{Found, Outcome};

impl Machine {
    /// A round of witnesses is over.
    pub(crate) fn judge(&mut self, now: Instant, id: &NodeId, outcome: Outcome) {
        let silence = self.silence_of(now, id);
        let Outcome { found, asked, nacks, last } = outcome;
        let reason = Reason::Silent { silence, witnesses: asked, nacks: nacks.len() };
        match found {
            Found::PathAtFault => {
                self.local_health.raise(1);
                self.note(now, id, Finding::PathAtFault, reason);
                self.heard_from(now, id);
            }
            Found::Unheard => {
                self.stats.unheard += 1;
                self.local_health.raise(1);
                self.note(now, id, Finding::Unheard, reason);
                self.look_soon(now);
            }
            Found::Isolated if silence < self.config.tolerated_pause || self.holds_verdict(now, silence) => {
                self.stats.unheard += 1;
                self.note_once(now, id, Finding::Isolated, reason);
                self.look_soon(now);
            }
            Found::PortClosed => {
                self.pronounce(
                    now,
                    id,
                    nacks.clone(),
                    Reason::PortClosed { silence, witnesses: nacks.len() },
                );
            }
            Found::Isolated => self.pronounce(now, id, nacks, reason),
            Found::Confirmed | Found::NobodyElse if last && self.holds_verdict(now, silence) => {
                self.note_once(now, id, Finding::Held, reason);
            }
            Found::Confirmed | Found::NobodyElse if last => self.pronounce(now, id, nacks, reason),
            Found::Confirmed | Found::NobodyElse => self.accuse(now, id, nacks, reason),
        }
    }

    /// We say that a subject is suspect, and will judge it if it stays silent.
    fn accuse(&mut self, now: Instant, id: &NodeId, nacks: Vec<NodeId>, reason: Reason) {
        let tolerated = self.tolerated_pause();
        let Some(node) = self.registry.get(id).filter(|node| node.state.is_member()) else { return };
        let Some(subject) = self.watch.subjects.get_mut(id) else { return };
        let Some(since) = subject.silent_since.filter(|_| subject.verdict.is_none()) else { return };
        subject.verdict = Some(self.timers.schedule(since + tolerated, Timer::Verdict(id.clone())));
        self.stats.suspicions += 1;
        let change = self.registry.apply(node.with_state(NodeState::Suspect));
        let cause = self.cause(nacks, reason);
        self.on_change(now, &change, &cause, Spread::All);
    }

    /// The time that a subject has is over. If it still is silent, a last check decides; it is repeated until witnesses
    /// have answered.
    pub(crate) fn on_verdict_due(&mut self, now: Instant, id: &NodeId) {
        let tolerated = self.tolerated_pause();
        let Some(subject) = self.watch.subjects.get_mut(id) else { return };
        let Some(since) = subject.silent_since else { return };
        let due = since + tolerated;
        let next = if now < due { due } else { now + self.config.probe_interval };
        subject.verdict = Some(self.timers.schedule(next, Timer::Verdict(id.clone())));
        // A check that may take as long as we wait for the next must still come to its end.
        let under_way = subject.round.as_ref().is_some_and(|round| round.last);
        if now >= due && !under_way {
            self.watch_now(now, id);
            self.check_port_of_subject(id);
            self.ask_witnesses(now, id, true);
        }
    }

    pub(crate) fn pronounce(&mut self, now: Instant, id: &NodeId, nacks: Vec<NodeId>, reason: Reason) {
        let Some(node) = self.registry.get(id).filter(|node| node.state.is_member()) else { return };
        self.stats.failures += 1;
        let change = self.registry.apply(node.with_state(NodeState::Failed));
        let cause = self.cause(nacks, reason);
        self.on_change(now, &change, &cause, Spread::All);
    }

    /// Somebody says that a subject of ours is suspect: we probe it at once, so that it can refute, or so that we can
    /// bear witness.
    pub(crate) fn on_subject_suspected(&mut self, now: Instant, id: &NodeId) {
        if self.watch.subjects.get(id).is_some_and(|subject| subject.silent_since.is_none()) {
            self.watch_now(now, id);
        }
    }

    /// `tolerated_pause`, longer the less we trust ourselves.
    pub(crate) fn tolerated_pause(&self) -> Duration {
        self.local_health.scale(self.config.tolerated_pause)
    }

    /// For how long probes of ours have gone unanswered.
    fn silence_of(&self, now: Instant, id: &NodeId) -> Duration {
        let since = self.watch.subjects.get(id).and_then(|subject| subject.silent_since);
        since.map_or(Duration::ZERO, |since| now.since(since))
    }

    /// Ourselves first, then those who confirm it.
    fn cause(&self, mut nacks: Vec<NodeId>, reason: Reason) -> Cause {
        nacks.insert(0, self.me.id.clone());
        nacks.truncate(Cause::ACCUSERS_MAX);
        Cause { reason, accusers: nacks }
    }
}
