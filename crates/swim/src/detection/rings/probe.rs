//! The probes of subjects: each is probed once in a cycle, more often while it is new or does not answer.

use std::time::Duration;

use kinfolk_core::{Instant, NodeId, NodeState, Reason};

use super::subject::Subject;
use super::{Rings, cycle};
use crate::context::Context;
use crate::interface::input::{NoReply, RequestId};
use crate::timer::Timer;

impl Rings {
    /// A timer of the rings is due.
    pub(in crate::detection) fn due(&mut self, cx: &mut Context, timer: &Timer) {
        match timer {
            Timer::Watch(id) => self.watch_due(cx, id),
            Timer::Knock(request) => self.subjects.port_check_due(cx, *request),
            Timer::ProbeTimeout(request) => {
                if let Some(id) = self.subjects.probed_by(*request) {
                    self.missed(cx, &id);
                }
            }
            Timer::Round(id, number) => self.round_due(cx, id, *number),
            Timer::Verdict(id) => self.verdict_due(cx, id),
            Timer::Look => self.look_due(cx),
            _ => {}
        }
    }

    /// It is time to probe a subject.
    fn watch_due(&mut self, cx: &mut Context, id: &NodeId) {
        let (Some(node), false) = (cx.members.get(id), cx.has_left()) else { return };
        let Some(subject) = self.subjects.get(id) else { return };
        // A probe that is still on its way is not replaced, so that each comes to its end.
        if let Some(probe) = subject.probe() {
            let over = probe.sent + cx.config.probe_interval;
            if cx.now < over {
                return self.subjects.probe_at(cx, id, over);
            }
            self.missed(cx, id);
        }
        let Some(subject) = self.subjects.get_mut(id) else { return };
        subject.meet();
        let troubled = node.state == NodeState::Suspect || subject.is_silent();
        let next = if troubled || subject.is_looked_at() { cx.config.probe_interval } else { cycle(cx) };
        subject.probe_at(&mut cx.timers, id, cx.now + next);
        cx.stats.probes += 1;
        self.subjects.probe(cx, &node, false);
    }

    /// A subject answered the probe that was sent then, in time or not; its next probe should come so many milliseconds
    /// later, or earlier.
    pub(crate) fn answered(
        &mut self,
        cx: &mut Context,
        request: RequestId,
        (id, sent): (&NodeId, Instant),
        shift: i16,
    ) {
        let Some(subject) = self.subjects.get_mut(id) else { return };
        subject.losses.note_answered();
        let cycle = if subject.is_looked_at() { cx.config.probe_interval } else { cycle(cx) };
        subject.trip.sample(cx.now.since(sent));
        if let Some(probe) = subject.end_probe(request) {
            cx.timers.cancel(probe.timer);
            cx.stats.acks += 1;
            cx.health.lower();
        } else {
            cx.stats.late_replies += 1;
        }
        let by = Duration::from_millis(shift.unsigned_abs().into()).min(cycle / 8);
        let next = if shift < 0 { cycle.saturating_sub(by) } else { cycle + by };
        subject.probe_at(&mut cx.timers, id, (sent + next).max(cx.now));
        self.subjects.heard_from(cx, id);
        if self.beside.remove(id) {
            self.rewatch(cx);
        }
    }

    /// The probe that was sent then has failed. If that was before its time it may be that a connection ended, as it does
    /// when a process starts anew: then a second one says more.
    pub(crate) fn unanswered(
        &mut self,
        cx: &mut Context,
        request: RequestId,
        (id, sent): (&NodeId, Instant),
        why: NoReply,
    ) {
        let probe = self.subjects.get(id).and_then(Subject::probe);
        if let Some(probe) = probe.filter(|probe| probe.request == request) {
            if why == NoReply::Local {
                self.subjects.get_mut(id).map(|subject| subject.end_probe(request));
                cx.stats.probes_void += 1;
            } else if probe.again {
                self.missed(cx, id);
            } else if let Some(node) = cx.members.get(id) {
                self.subjects.probe(cx, &node, true);
            }
        }
        if why != NoReply::Local && sent >= self.pause_ended {
            if let Some(subject) = self.subjects.get_mut(id) {
                subject.losses.note_unanswered(sent);
            }
            self.judge_losses(cx, id);
        }
    }

    /// A subject has not answered.
    pub(super) fn missed(&mut self, cx: &mut Context, id: &NodeId) {
        let probe = self.subjects.get_mut(id).and_then(|subject| subject.missed(&mut cx.timers));
        let Some(probe) = probe else { return };
        cx.stats.probes_failed += 1;
        self.subjects.probe_at(cx, id, (probe.sent + cx.config.probe_interval).max(cx.now));
        self.doubt(cx, id);
    }

    /// A subject's silence has become improbable: that speaks against it as a missed probe does.
    pub(in crate::detection) fn phi_crossed(&mut self, cx: &mut Context, id: &NodeId, reason: Reason) {
        let Some(subject) = self.subjects.get_mut(id) else { return };
        if let Reason::Phi { phi, .. } = reason {
            subject.phi = Some(phi);
        }
        if subject.is_silent() {
            self.doubt(cx, id);
        } else {
            self.subjects.probe_now(cx, id);
        }
    }
}
