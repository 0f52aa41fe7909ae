//! The accusation of a silent subject, and the verdict (`Mode::Verified`). Only a member that
//! accuses by its own evidence judges, after a last check. All others take over what they hear: a
//! member that did not hear the refutation must not judge by an old accusation
//! (docs/decisions/0007).
//!
//! The clock of a suspicion starts when the first unanswered probe was sent. Any answer of the
//! subject stops it. So no silence is taken to be longer than it was, and a member that stalls for
//! less than `tolerated_pause` is never declared failed.

use std::time::Duration;

use kinfolk_core::{Cause, NodeId, NodeState, Reason};
use kinfolk_detector::Finding;

use super::subjects::Subjects;
use super::witnesses::{Found, Outcome};
use super::{Rings, note, watchers_of};
use crate::context::Context;
use crate::timer::Timer;

impl Rings {
    /// Draws the conclusion from a witness round.
    pub(super) fn judge(&mut self, cx: &mut Context, id: &NodeId, outcome: Outcome) {
        // How long probes of this member have gone unanswered.
        let silence = self.subjects.silent_since(id).map_or(Duration::ZERO, |since| cx.now.since(since));
        let Outcome { found, asked, nacks, last } = outcome;
        let reason = Reason::Silent { silence, witnesses: asked, nacks: nacks.len() };
        match found {
            // The member said that it would be silent.
            Found::Isolated | Found::Confirmed | Found::NoWitness | Found::PortClosed if cx.is_absent(id) => {
                cx.stats.verdicts_held += 1;
                note(cx, &self.subjects, id, (Finding::InMaintenance, reason), true);
            }
            // This member is late itself: answers may wait in its inbox.
            Found::Isolated | Found::Confirmed | Found::NoWitness if cx.is_late() => {
                cx.stats.verdicts_held += 1;
                note(cx, &self.subjects, id, (Finding::Held, reason), true);
            }
            Found::PathAtFault => {
                cx.health.raise(1);
                note(cx, &self.subjects, id, (Finding::PathAtFault, reason), false);
                self.subjects.heard_from(cx, id);
            }
            Found::Unheard => {
                cx.stats.isolated += 1;
                cx.health.raise(1);
                note(cx, &self.subjects, id, (Finding::Unheard, reason), false);
                self.partition.schedule_count(cx);
            }
            Found::Isolated if silence < cx.config.tolerated_pause || self.holds_verdict(cx, silence) => {
                cx.stats.isolated += 1;
                note(cx, &self.subjects, id, (Finding::Isolated, reason), true);
                self.partition.schedule_count(cx);
            }
            Found::PortClosed => {
                let witnesses = nacks.len();
                declare_failed(cx, id, nacks, Reason::PortClosed { silence, witnesses });
            }
            Found::Isolated => declare_failed(cx, id, nacks, reason),
            Found::Confirmed | Found::NoWitness if last && self.holds_verdict(cx, silence) => {
                note(cx, &self.subjects, id, (Finding::Held, reason), true);
            }
            Found::Confirmed | Found::NoWitness if last => declare_failed(cx, id, nacks, reason),
            Found::Confirmed | Found::NoWitness => accuse(cx, &mut self.subjects, id, nacks, reason),
        }
    }

    /// The time of an accused subject is over. If it is still silent, a last check decides. The
    /// check is repeated until witnesses have answered.
    pub(super) fn verdict_due(&mut self, cx: &mut Context, id: &NodeId) {
        let tolerated = cx.tolerated_pause();
        let Some(subject) = self.subjects.get_mut(id) else { return };
        let Some(since) = subject.state().silent_since() else { return };
        let due = since + tolerated + subject.late;
        let next = if cx.now < due { due } else { cx.now + cx.config.probe_interval };
        subject.accuse(cx.timers.schedule(next, Timer::Verdict(id.clone())));
        // A last check that is under way must end, even if it takes longer than one probe interval.
        let under_way = subject.round().is_some_and(|round| round.last);
        if cx.now >= due && !under_way {
            self.subjects.probe_now(cx, id);
            self.subjects.check_port(cx, id);
            self.ask_witnesses(cx, id, true);
        }
    }
}

/// Accuses a subject: it is suspect, and will be judged if it stays silent.
fn accuse(cx: &mut Context, subjects: &mut Subjects, id: &NodeId, nacks: Vec<NodeId>, reason: Reason) {
    let tolerated = cx.tolerated_pause();
    let Some(node) = cx.members.member(id) else { return };
    let Some(subject) = subjects.get_mut(id) else { return };
    let Some(since) = subject.state().silent_since() else { return };
    if subject.state().verdict().is_some() {
        return;
    }
    subject.accuse(cx.timers.schedule(since + tolerated, Timer::Verdict(id.clone())));
    cx.stats.suspicions += 1;
    let cause = cause(cx, nacks, reason);
    cx.judge(&node, NodeState::Suspect, cause);
}

/// A witness that got no answer either finds the subject lossy. Returns whether the subject is
/// declared failed.
pub(super) fn watcher_finds_lossy(
    cx: &mut Context,
    subjects: &mut Subjects,
    id: &NodeId,
    watcher: &NodeId,
) -> bool {
    let watchers = watchers_of(cx, id);
    match subjects.get_mut(id).filter(|_| watchers.contains(watcher)) {
        Some(subject) => {
            subject.losses.note_other_watcher(cx.now, watcher, &watchers);
            judge_losses(cx, subjects, id)
        }
        None => false,
    }
}

/// Declares a subject failed if most of its watchers find it lossy. Returns whether it did.
pub(super) fn judge_losses(cx: &mut Context, subjects: &Subjects, id: &NodeId) -> bool {
    if cx.is_late() || cx.is_absent(id) || !subjects.is_lossy(id) {
        return false;
    }
    let Some(losses) = subjects.get(id).map(|subject| &subject.losses) else { return false };
    let other_watchers = losses.other_watchers(cx.now);
    // More than half of the watchers, with this member among them. At least two, so that one bad
    // path never suffices.
    let needed = (watchers_of(cx, id).len() / 2 + 1).max(2);
    if other_watchers.len() + 1 < needed {
        return false;
    }
    cx.stats.lossy += 1;
    declare_failed(cx, id, other_watchers, losses.reason());
    true
}

/// Declares a member failed.
fn declare_failed(cx: &mut Context, id: &NodeId, nacks: Vec<NodeId>, reason: Reason) {
    let Some(node) = cx.members.member(id) else { return };
    cx.stats.failures += 1;
    let cause = cause(cx, nacks, reason);
    cx.judge(&node, NodeState::Failed, cause);
}

/// The cause of a verdict: this member first, then the witnesses that confirm it.
fn cause(cx: &Context, mut nacks: Vec<NodeId>, reason: Reason) -> Cause {
    nacks.insert(0, cx.me.clone());
    nacks.truncate(Cause::ACCUSERS_MAX);
    Cause { reason, accusers: nacks }
}

#[cfg(test)]
mod tests {
    use kinfolk_core::Instant;
    use kinfolk_core::NodeState::Alive;

    use super::*;
    use crate::detection::rings::subject::InFlight;
    use crate::interface::config::SwimConfig;
    use crate::interface::input::RequestId;

    fn id(name: &str) -> NodeId {
        NodeId::new(name).unwrap()
    }

    /// A member that watches `a`, `b`, `c`, and `d`. No mass failure holds its verdicts.
    fn watching() -> (Context, Rings) {
        let config = SwimConfig { partition_grace: Duration::ZERO, ..SwimConfig::verified() };
        let mut cx = Context::of_others(config, &["a", "b", "c", "d"].map(|name| (name, Alive)));
        let mut rings = Rings::new(&cx);
        rings.begin(&mut cx);
        (cx, rings)
    }

    /// The same, and `a` has been silent for this time.
    fn silent_for(silence: Duration) -> (Context, Rings) {
        let (mut cx, mut rings) = watching();
        let timer = cx.timers.schedule(cx.now, Timer::CountSilent);
        let subject = rings.subjects.get_mut(&id("a")).unwrap();
        let request = RequestId(0);
        subject.sent(InFlight { request, sent: cx.now, timer, digest: 0, again: false });
        subject.missed(&mut cx.timers);
        cx.now += silence;
        (cx, rings)
    }

    fn judge(rings: &mut Rings, cx: &mut Context, found: Found, last: bool) {
        rings.judge(cx, &id("a"), Outcome { found, asked: 0, nacks: Vec::new(), last });
    }

    #[test]
    fn isolated_member_judges_after_tolerated_pause() {
        let tolerated = SwimConfig::verified().tolerated_pause;
        let (mut cx, mut rings) = silent_for(tolerated.saturating_sub(Duration::from_nanos(1)));
        for times in 1..=2 {
            judge(&mut rings, &mut cx, Found::Isolated, false);
            assert_eq!((cx.stats.isolated, cx.stats.failures), (times, 0));
        }
        let (mut cx, mut rings) = silent_for(tolerated);
        judge(&mut rings, &mut cx, Found::Isolated, false);
        assert_eq!((cx.stats.isolated, cx.stats.failures), (0, 1));
    }

    #[test]
    fn accused_subject_is_judged_after_tolerated_pause() {
        let (mut cx, mut rings) = silent_for(Duration::from_secs(1));
        for _ in 0..2 {
            judge(&mut rings, &mut cx, Found::Confirmed, false);
            assert_eq!((cx.stats.suspicions, cx.stats.failures), (1, 0), "it is accused once");
        }
        let verdict = rings.subjects.get(&id("a")).unwrap().state().verdict().unwrap();
        assert_eq!(cx.timers.due_at(verdict), Some(Instant::ORIGIN + cx.config.tolerated_pause));
        judge(&mut rings, &mut cx, Found::Confirmed, true);
        assert_eq!((cx.stats.suspicions, cx.stats.failures), (1, 1));
    }

    #[test]
    fn unheard_rounds_are_counted() {
        let (mut cx, mut rings) = silent_for(Duration::from_secs(1));
        for times in 1..=2 {
            judge(&mut rings, &mut cx, Found::Unheard, false);
            assert_eq!(cx.stats.isolated, times);
        }
    }

    /// Three of the four watchers are needed: this member and two others.
    #[test]
    fn most_watchers_must_find_a_subject_lossy() {
        for (lossy, late, others, expected) in [
            (true, false, &["b", "c"][..], true),
            (true, false, &["b"], false),
            (false, false, &["b", "c", "d"], false),
            (true, true, &["b", "c", "d"], false),
        ] {
            let (mut cx, mut rings) = watching();
            let watchers = watchers_of(&cx, &id("a"));
            let losses = &mut rings.subjects.get_mut(&id("a")).unwrap().losses;
            for other in others {
                losses.note_other_watcher(cx.now, &id(other), &watchers);
            }
            losses.note_reached(cx.now);
            for _ in 0..12 {
                if lossy { losses.note_unanswered(cx.now) } else { losses.note_answered() }
            }
            for other in ["b", "c", "d"] {
                let losses = &mut rings.subjects.get_mut(&id(other)).unwrap().losses;
                (0..12).for_each(|_| losses.note_answered());
            }
            if late {
                cx.was_late(Duration::from_secs(1));
            }
            assert_eq!(judge_losses(&mut cx, &rings.subjects, &id("a")), expected, "{others:?}");
            assert_eq!((cx.stats.lossy, cx.stats.failures), (u64::from(expected), u64::from(expected)));
        }
    }
}
