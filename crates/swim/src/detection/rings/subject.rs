//! One subject: a member that this member watches, with its probes, its state, and the witness
//! round about it.

use std::time::Duration;

use kinfolk_core::{Instant, NodeId};

use super::loss_rate::Losses;
use super::round_trip::RoundTrip;
use super::subject_state::{Silence, SubjectState};
use super::witnesses::Round;
use crate::interface::input::RequestId;
use crate::timer::{Timer, TimerKey, Timers};

/// A member that this member watches.
#[derive(Debug)]
pub(super) struct Subject {
    /// The timer of the next probe.
    timer: TimerKey,
    /// The latest probe, until its answer or its time-out.
    probe: Option<InFlight>,
    /// The number of fast probes that a new subject still gets.
    fast_probes_left: usize,
    pub(super) trip: RoundTrip,
    /// How late the subject was, by its own latest answer.
    pub(super) late: Duration,
    state: SubjectState,
    /// The witness round that is under way. Boxed, because most subjects have none.
    round: Option<Box<Round>>,
    /// The witness that stands alone: in the last round in which any reached the subject, since it
    /// was heard itself, this was the only one.
    alone: Option<NodeId>,
    /// The phi value when phi crossed the threshold during this silence.
    pub(super) phi: Option<f64>,
    /// What became of the latest probes.
    pub(super) losses: Losses,
    /// How many answers in a row said that the two views differ.
    pub(super) differs: u32,
    /// The digest on which both views agreed at its latest answer.
    pub(super) agreed_on: Option<u32>,
}

/// A probe that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct InFlight {
    pub request: RequestId,
    pub sent: Instant,
    /// The timer of the port check, and after that of the time-out.
    pub timer: TimerKey,
    /// The digest of this member's view that the probe carries.
    pub digest: u32,
    /// Whether this is the second probe, because the first one failed before its time-out.
    pub again: bool,
}

impl Subject {
    /// A new subject. `timer` is the timer of its next probe.
    pub(super) fn new(timer: TimerKey, fast_probes_left: usize) -> Self {
        Self {
            timer,
            probe: None,
            fast_probes_left,
            trip: RoundTrip::default(),
            late: Duration::ZERO,
            state: SubjectState::default(),
            round: None,
            alone: None,
            phi: None,
            losses: Losses::default(),
            differs: 0,
            agreed_on: None,
        }
    }

    /// Schedules the next probe in place of the one that is scheduled. `id` is the subject's name.
    pub(super) fn probe_at(&mut self, timers: &mut Timers, id: &NodeId, at: Instant) {
        timers.cancel(self.timer);
        self.timer = timers.schedule(at, Timer::Watch(id.clone()));
    }

    /// Whether the next probe is overdue.
    pub(super) fn is_late(&self, timers: &Timers, now: Instant) -> bool {
        timers.due_at(self.timer).is_some_and(|at| at <= now)
    }

    /// Whether the subject is probed at each interval although it answers: it is new, or misses
    /// probes.
    pub(super) fn is_probed_fast(&self) -> bool {
        self.fast_probes_left > 0 || self.losses.has_many_misses()
    }

    /// A probe is sent: one fast probe less.
    pub(super) fn fast_probe_sent(&mut self) {
        self.fast_probes_left = self.fast_probes_left.saturating_sub(1);
    }

    /// The latest probe, while it is under way.
    pub(super) fn probe(&self) -> Option<InFlight> {
        self.probe
    }

    /// A probe was sent.
    pub(super) fn sent(&mut self, probe: InFlight) {
        self.probe = Some(probe);
    }

    /// Ends the latest probe, if it is this request: it was answered, or is void.
    pub(super) fn end_probe(&mut self, request: RequestId) -> Option<InFlight> {
        self.probe.take_if(|probe| probe.request == request)
    }

    /// Gives the latest probe another timer.
    pub(super) fn extend_probe(&mut self, timer: TimerKey) {
        if let Some(probe) = &mut self.probe {
            probe.timer = timer;
        }
    }

    /// The latest probe got no answer. Returns it, if it was under way.
    pub(super) fn missed(&mut self, timers: &mut Timers) -> Option<InFlight> {
        let probe = self.probe.take()?;
        timers.cancel(probe.timer);
        self.state.unanswered(probe.sent);
        Some(probe)
    }

    /// The subject was heard from. Ends its silence and the witness round. Returns the silence.
    pub(super) fn heard_from(&mut self, timers: &mut Timers) -> Option<Silence> {
        let silence = self.state.heard_from()?;
        self.phi = None;
        let round = self.round.take().map(|round| round.timer);
        for timer in [round, silence.verdict].into_iter().flatten() {
            timers.cancel(timer);
        }
        Some(silence)
    }

    /// The state of the subject.
    pub(super) fn state(&self) -> &SubjectState {
        &self.state
    }

    /// Whether the subject did not answer its latest probe.
    pub(super) fn is_silent(&self) -> bool {
        self.state.silent_since().is_some()
    }

    /// Whether the subject is silent, and no closed port explains that.
    pub(super) fn is_silent_unexplained(&self) -> bool {
        self.is_silent() && !self.state.is_port_closed()
    }

    /// The subject's host reports that its port is closed. Returns whether that counts.
    pub(super) fn close_port(&mut self) -> bool {
        self.state.close_port()
    }

    /// Accuses the subject; the verdict comes when this timer is due.
    pub(super) fn accuse(&mut self, verdict: TimerKey) {
        self.state.accuse(verdict);
    }

    /// The witness round that is under way.
    pub(super) fn round(&self) -> Option<&Round> {
        self.round.as_deref()
    }

    /// The witness round with this number, if it is under way, and the witness that stands alone.
    pub(super) fn round_mut(&mut self, number: u64) -> Option<(&mut Round, Option<&NodeId>)> {
        let round = self.round.as_deref_mut().filter(|round| round.number == number)?;
        Some((round, self.alone.as_ref()))
    }

    /// A round has ended, in which these witnesses reached the subject. One alone may lie. Two
    /// confirm each other.
    pub(super) fn note_vouchers<'a>(&mut self, mut vouchers: impl Iterator<Item = &'a NodeId>) {
        if let Some(one) = vouchers.next() {
            self.alone = Some(one.clone()).filter(|_| vouchers.next().is_none());
        }
    }

    /// The subject itself was heard, and not only a witness that says so.
    pub(super) fn heard_itself(&mut self) {
        self.alone = None;
    }

    /// Starts a witness round. A former one ends without a result.
    pub(super) fn begin_round(&mut self, timers: &mut Timers, round: Round) {
        if let Some(former) = self.round.replace(round.into()) {
            timers.cancel(former.timer);
        }
    }

    /// Ends the witness round.
    pub(super) fn end_round(&mut self, timers: &mut Timers) -> Option<Round> {
        let round = self.round.take()?;
        timers.cancel(round.timer);
        Some(*round)
    }

    /// This member was paused for `by` until `now`. Answers to earlier requests may have been lost
    /// meanwhile, so the probe and the witness round are void.
    pub(super) fn paused(&mut self, timers: &mut Timers, now: Instant, by: Duration) {
        // Its time-out, which may be overdue by now, must not count as a miss.
        self.probe = None;
        self.state.paused(now, by);
        self.end_round(timers);
    }

    /// The member is no subject any more. Cancels its timers.
    pub(super) fn end(self, timers: &mut Timers) {
        let round = self.round.map(|round| round.timer);
        for timer in [Some(self.timer), self.state.verdict(), round].into_iter().flatten() {
            timers.cancel(timer);
        }
    }
}
