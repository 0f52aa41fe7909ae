//! The probes of subjects: once a cycle, or each interval if a subject is new or does not answer.

use std::sync::Arc;
use std::time::Duration;

use kinfolk_core::{Instant, NodeId, NodeState, NodeStatus, Reason};

use super::round_trip::RoundTrip;
use super::subject::{InFlight, Subject};
use super::verdict::judge_losses;
use super::{Rings, cycle};
use crate::context::Context;
use crate::interface::input::{NoReply, RequestId};
use crate::purpose::Purpose;
use crate::timer::Timer;
use crate::wire::message::Message;

/// The port of a subject that did not answer is checked after at least this time.
const PORT_CHECK_DELAY_MIN: Duration = Duration::from_millis(25);

impl Rings {
    /// A timer of the rings is due.
    pub(in crate::detection) fn due(&mut self, cx: &mut Context, timer: &Timer) {
        match timer {
            Timer::Watch(id) => self.watch_due(cx, id),
            Timer::PortCheck(request) => self.subjects.port_check_due(cx, *request),
            Timer::ProbeTimeout(request) => {
                if let Some(id) = self.subjects.probed_by(*request) {
                    self.missed(cx, &id);
                }
            }
            Timer::Round(id, number) => self.conclude_if(cx, id, |round, _| round.number == *number),
            Timer::Verdict(id) => self.verdict_due(cx, id),
            Timer::CountSilent => {
                self.partition.count_due();
                if !cx.has_left() && self.count_silent(cx) {
                    self.partition.schedule_count(cx);
                }
            }
            _ => {}
        }
    }

    /// Time to probe a subject.
    fn watch_due(&mut self, cx: &mut Context, id: &NodeId) {
        let (Some(node), false) = (cx.members.get(id), cx.has_left()) else { return };
        let Some(mut subject) = self.subjects.get_mut(id) else { return };
        // A probe under way is not replaced, so that each probe gets a result.
        if let Some(probe) = subject.probe() {
            let over = probe.sent + cx.config.probe_interval;
            if cx.now < over {
                return subject.probe_at(&mut cx.timers, id, over);
            }
            self.missed(cx, id);
            let Some(same) = self.subjects.get_mut(id) else { return };
            subject = same;
        }
        subject.fast_probe_sent();
        let is_urgent = node.state == NodeState::Suspect || subject.is_silent();
        let next = if is_urgent || subject.is_probed_fast() { cx.config.probe_interval } else { cycle(cx) };
        subject.probe_at(&mut cx.timers, id, cx.now + next);
        cx.stats.probes += 1;
        send_probe(cx, subject, &node, false);
    }

    /// A subject answered the probe that was sent at `sent`, in time or late. `shift`: by how many
    /// milliseconds its next probe should come later, or earlier. `differs`: whether its view
    /// differs from the view that this member had.
    pub(crate) fn answered(
        &mut self,
        cx: &mut Context,
        request: RequestId,
        (id, sent): (&NodeId, Instant),
        (shift, differs): (i16, bool),
        late: Duration,
    ) {
        let Some(subject) = self.subjects.get_mut(id) else { return };
        subject.losses.note_answered();
        subject.late = late;
        let cycle = if subject.is_probed_fast() { cx.config.probe_interval } else { cycle(cx) };
        subject.trip.sample(cx.now.since(sent));
        cx.stats.round_trips.add(cx.now.since(sent));
        let probe = subject.end_probe(request);
        subject.agreed_on = probe.filter(|_| !differs).map(|probe| probe.digest);
        if let Some(probe) = probe {
            cx.timers.cancel(probe.timer);
            cx.stats.acks += 1;
            cx.health.lower();
        } else {
            cx.stats.late_replies += 1;
        }
        let by = Duration::from_millis(shift.unsigned_abs().into()).min(cycle / 8);
        let next = if shift.is_negative() { cycle.saturating_sub(by) } else { cycle + by };
        subject.probe_at(&mut cx.timers, id, (sent + next).max(cx.now));
        self.subjects.heard_itself(cx, id);
        if self.extra.remove(id) {
            self.update_neighbours(cx);
        }
    }

    /// The probe that was sent at `sent` failed. If it failed before its time-out, perhaps only the
    /// connection ended, as it does when the peer's process restarts. Then a second probe says
    /// more.
    pub(crate) fn unanswered(
        &mut self,
        cx: &mut Context,
        request: RequestId,
        (id, sent): (&NodeId, Instant),
        why: NoReply,
    ) {
        let probe = self.subjects.get(id).and_then(Subject::probe);
        if let Some(probe) = probe.filter(|probe| probe.request == request) {
            if matches!(why, NoReply::Local | NoReply::Late) {
                self.subjects.get_mut(id).map(|subject| subject.end_probe(request));
                cx.stats.probes_void += 1;
            } else if probe.again {
                self.missed(cx, id);
            } else if let Some(node) = cx.members.get(id)
                && let Some(subject) = self.subjects.get_mut(id)
            {
                send_probe(cx, subject, &node, true);
            }
        }
        if why == NoReply::Late {
            // The peer's QUIC acknowledges packets, so its process runs. Its answer arrives later
            // (docs/decisions/0014).
            cx.stats.probes_late += 1;
            return self.subjects.heard_itself(cx, id);
        }
        if why != NoReply::Local && sent >= self.pause_ended {
            if let Some(subject) = self.subjects.get_mut(id) {
                subject.losses.note_unanswered(sent);
            }
            judge_losses(cx, &self.subjects, id);
        }
    }

    /// A subject did not answer its probe.
    pub(super) fn missed(&mut self, cx: &mut Context, id: &NodeId) {
        if cx.is_late() {
            return self.void_probe(cx, id);
        }
        let probe = self.subjects.get_mut(id).and_then(|subject| subject.missed(&mut cx.timers));
        let Some(probe) = probe else { return };
        cx.stats.probes_failed += 1;
        self.subjects.probe_at(cx, id, (probe.sent + cx.config.probe_interval).max(cx.now));
        self.check_subject(cx, id);
    }

    /// The probe timed out while this member itself is late. The answer may wait in its inbox, so
    /// the time-out says nothing about the subject.
    fn void_probe(&mut self, cx: &mut Context, id: &NodeId) {
        let Some(subject) = self.subjects.get_mut(id) else { return };
        let Some(probe) = subject.probe().and_then(|probe| subject.end_probe(probe.request)) else { return };
        cx.timers.cancel(probe.timer);
        cx.stats.probes_void += 1;
        self.subjects.probe_at(cx, id, (probe.sent + cx.config.probe_interval).max(cx.now));
    }

    /// The phi threshold is crossed for a subject. That counts against it like a missed probe.
    pub(in crate::detection) fn phi_crossed(&mut self, cx: &mut Context, id: &NodeId, reason: Reason) {
        let Some(subject) = self.subjects.get_mut(id) else { return };
        if let Reason::Phi { phi, .. } = reason {
            subject.phi = Some(phi);
        }
        if subject.is_silent() {
            self.check_subject(cx, id);
        } else {
            self.subjects.probe_now(cx, id);
        }
    }
}

/// Sends a probe to a subject, which is `node`. `again`: a probe has just failed before its
/// time-out.
fn send_probe(cx: &mut Context, subject: &mut Subject, node: &Arc<NodeStatus>, again: bool) {
    let timeout = timeout_after(cx, subject);
    // A late answer is still evidence of life. So the request stays open at least until the next
    // probe, or, if either side is late, for as long as a member may stall.
    let late = cx.is_late() || !subject.late.is_zero();
    let within =
        cx.config.probe_interval.max(timeout).max(if late { cx.config.tolerated_pause } else { timeout });
    let digest = cx.members.digest();
    let ping = Message::Ping { digest, gossip: Vec::new() };
    let purpose = Purpose::Watch { id: node.id.clone(), sent: cx.now };
    let request = cx.ask(node, ping, purpose, within);
    let early = port_check_delay(cx, subject.trip);
    let timer = if early < timeout {
        cx.timers.schedule(cx.now + early, Timer::PortCheck(request))
    } else {
        cx.timers.schedule(cx.now + timeout, Timer::ProbeTimeout(request))
    };
    subject.sent(InFlight { request, sent: cx.now, timer, digest, again });
}

/// The time-out of a probe: smoothed round trip plus four deviations, within the configured bounds
/// (100 ms to 500 ms by default). Local health stretches it (Lifeguard, section IV-A). Twice the
/// lateness of both sides is added.
pub(super) fn timeout_after(cx: &Context, subject: &Subject) -> Duration {
    let (trip, late) = (subject.trip, (cx.lateness.at(cx.now) + subject.late).saturating_mul(2));
    let (least, most) = (cx.config.probe_timeout_min, cx.config.probe_timeout);
    let timeout = cx.health.scale(trip.timeout().unwrap_or(most).clamp(least.min(most), most));
    timeout.min(cx.config.probe_interval.max(most)) + late
}

/// How long a probe goes unanswered before the port is checked: twice the round trip, or
/// `probe_timeout_min` while the round trip is unknown. That is long before the time-out.
///
/// A check costs only one datagram. And the host of a dead process rate-limits its ICMP errors: it
/// answers only the first few packets at once. QUIC's retransmissions use these up, so a later
/// check may wait a second for its answer.
fn port_check_delay(cx: &Context, trip: RoundTrip) -> Duration {
    trip.smoothed().map_or(cx.config.probe_timeout_min, |trip| (trip * 2).max(PORT_CHECK_DELAY_MIN))
}

#[cfg(test)]
mod tests {
    use kinfolk_core::NodeState::Alive;

    use super::*;
    use crate::interface::config::SwimConfig;

    fn id() -> NodeId {
        NodeId::new("a").unwrap()
    }

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// A member that watches only `a`, ten seconds after its start.
    fn watching() -> (Context, Rings) {
        let mut cx = Context::of_others(SwimConfig::verified(), &[("a", Alive)]);
        let mut rings = Rings::new(&cx);
        rings.begin(&mut cx);
        cx.now += Duration::from_secs(10);
        (cx, rings)
    }

    /// Sends a probe. Returns its request.
    fn probed(cx: &mut Context, rings: &mut Rings) -> RequestId {
        rings.due(cx, &Timer::Watch(id()));
        rings.subjects.get(&id()).unwrap().probe().unwrap().request
    }

    /// The time until the next probe is due.
    fn next_probe(cx: &Context, rings: &Rings) -> Option<u64> {
        let subject = rings.subjects.get(&id()).unwrap();
        (0..10_000).find(|after| subject.is_late(&cx.timers, cx.now + millis(*after)))
    }

    #[test]
    fn unanswered_probe_is_repeated_after_an_interval() {
        for late in [false, true] {
            let (mut cx, mut rings) = watching();
            let request = probed(&mut cx, &mut rings);
            cx.now += millis(400);
            if late {
                cx.was_late(Duration::from_secs(1));
            }
            rings.due(&mut cx, &Timer::ProbeTimeout(request));
            assert_eq!((cx.stats.probes_failed, cx.stats.probes_void), (u64::from(!late), u64::from(late)));
            assert_eq!(next_probe(&cx, &rings), Some(600), "late: {late}");
        }
    }

    #[test]
    fn own_limit_and_former_pause_are_no_losses() {
        let (mut cx, mut rings) = watching();
        let (before, now) = (Instant::ORIGIN, cx.now);
        rings.pause_ended = now;
        let mut latest_after = |sent, why| {
            rings.unanswered(&mut cx, RequestId(99), (&id(), sent), why);
            rings.subjects.get(&id()).unwrap().losses.latest()
        };
        assert_eq!(latest_after(now, NoReply::Local), (0, 0));
        assert_eq!(latest_after(before, NoReply::Silent), (0, 0), "this member was paused since");
        assert_eq!(latest_after(before, NoReply::Local), (0, 0));
        assert_eq!(latest_after(now, NoReply::Silent), (0, 1));
        assert_eq!(latest_after(now, NoReply::Refused), (0, 2));
    }

    /// So does its time-out after the port check.
    #[test]
    fn answered_probe_leaves_no_timer() {
        let (mut cx, mut rings) = watching();
        let (scheduled, sent) = (cx.timers.len(), cx.now);
        let request = probed(&mut cx, &mut rings);
        cx.now += millis(100);
        let due = cx.timers.pop_due(cx.now);
        assert_eq!(due, Some(Timer::PortCheck(request)));
        rings.due(&mut cx, &Timer::PortCheck(request));
        assert_eq!(cx.timers.len(), scheduled + 1, "the time-out follows");
        rings.answered(&mut cx, request, (&id(), sent), (0, false), Duration::ZERO);
        assert_eq!(cx.timers.len(), scheduled);
    }

    /// A port check that would come after the time-out is left out.
    #[test]
    fn port_is_checked_after_two_round_trips() {
        for (trip, after, is_check) in [
            (None, 100, true),
            (Some(1), 25, true),
            (Some(12), 25, true),
            (Some(13), 26, true),
            (Some(45), 90, true),
            (Some(200), 200, false),
        ] {
            let (mut cx, mut rings) = watching();
            let subject = rings.subjects.get_mut(&id()).unwrap();
            let answers = if trip.is_some() { 100 } else { 0 };
            (0..answers).for_each(|_| subject.trip.sample(millis(trip.unwrap_or_default())));
            let request = probed(&mut cx, &mut rings);
            let timer = rings.subjects.get(&id()).unwrap().probe().unwrap().timer;
            let due = cx.timers.due_at(timer).unwrap();
            assert_eq!(due.since(cx.now).as_millis(), after, "{trip:?}");
            let is_check_now = |due| due == Some(Timer::PortCheck(request));
            assert_eq!(is_check_now(cx.timers.pop_due(due)), is_check, "{trip:?}");
        }
    }
}
