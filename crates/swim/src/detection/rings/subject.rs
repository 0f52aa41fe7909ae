//! One subject: a member that we watch. When it is probed, how it stands, and what was asked about it.

use std::time::Duration;

use kinfolk_core::{Instant, NodeId};

use super::loss_rate::Losses;
use super::round_trip::RoundTrip;
use super::standing::{Silence, Standing};
use super::witnesses::Round;
use crate::interface::input::RequestId;
use crate::timer::{Timer, TimerKey, Timers};

/// A member that we watch.
#[derive(Debug)]
pub(super) struct Subject {
    /// When it is probed next.
    timer: TimerKey,
    /// The latest probe, until its answer or its time-out.
    probe: Option<InFlight>,
    /// How many probes are left until we are acquainted with it.
    new_for: usize,
    pub(super) trip: RoundTrip,
    /// How late it said that it is, with its latest answer.
    pub(super) late: Duration,
    standing: Standing,
    /// The question to witnesses that is under way.
    round: Option<Box<Round>>,
    /// Its suspicion level when phi crossed the threshold during this silence.
    pub(super) phi: Option<f64>,
    /// What became of the latest probes.
    pub(super) losses: Losses,
    /// How many times in a row its answers said that its view differs from ours.
    pub(super) differs: u32,
    /// The digest that its view had, as ours did, when it last answered.
    pub(super) agreed_on: Option<u32>,
}

/// A probe on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct InFlight {
    pub request: RequestId,
    pub sent: Instant,
    /// When its port is checked, and after that when its time is over.
    pub timer: TimerKey,
    /// The digest of our view that it carries.
    pub digest: u32,
    /// Whether it was sent a second time, because the first failed before its time was over.
    pub again: bool,
}

impl Subject {
    /// A subject that is probed next when this timer is due, and that is new to us for so many probes.
    pub(super) fn new(timer: TimerKey, new_for: usize) -> Self {
        Self {
            timer,
            probe: None,
            new_for,
            trip: RoundTrip::default(),
            late: Duration::ZERO,
            standing: Standing::default(),
            round: None,
            phi: None,
            losses: Losses::default(),
            differs: 0,
            agreed_on: None,
        }
    }

    /// Schedules its next probe in the place of the one that is scheduled; `id` is its name.
    pub(super) fn probe_at(&mut self, timers: &mut Timers, id: &NodeId, at: Instant) {
        timers.cancel(self.timer);
        self.timer = timers.schedule(at, Timer::Watch(id.clone()));
    }

    /// Whether its next probe should have been sent by now.
    pub(super) fn is_late(&self, timers: &Timers, now: Instant) -> bool {
        timers.due_at(self.timer).is_some_and(|at| at <= now)
    }

    /// Whether it is probed each interval though it answers: it is new to us, or does not answer always.
    pub(super) fn is_looked_at(&self) -> bool {
        self.new_for > 0 || self.losses.look_odd()
    }

    /// It is probed once more: we become acquainted with it.
    pub(super) fn meet(&mut self) {
        self.new_for = self.new_for.saturating_sub(1);
    }

    /// The latest probe, while it is under way.
    pub(super) fn probe(&self) -> Option<InFlight> {
        self.probe
    }

    /// A probe is on its way.
    pub(super) fn sent(&mut self, probe: InFlight) {
        self.probe = Some(probe);
    }

    /// The latest probe, if it is this request, is over: with an answer, or void.
    pub(super) fn end_probe(&mut self, request: RequestId) -> Option<InFlight> {
        self.probe.take_if(|probe| probe.request == request)
    }

    /// The latest probe goes on until then.
    pub(super) fn extend_probe(&mut self, timer: TimerKey) {
        if let Some(probe) = &mut self.probe {
            probe.timer = timer;
        }
    }

    /// The latest probe has had no answer. Returns it, if one was under way.
    pub(super) fn missed(&mut self, timers: &mut Timers) -> Option<InFlight> {
        let probe = self.probe.take()?;
        timers.cancel(probe.timer);
        self.standing.unanswered(probe.sent);
        Some(probe)
    }

    /// It was heard from: its silence is over, and nobody is asked about it. Returns that silence.
    pub(super) fn heard_from(&mut self, timers: &mut Timers) -> Option<Silence> {
        let silence = self.standing.heard_from()?;
        self.phi = None;
        let round = self.round.take().map(|round| round.timer);
        for timer in [round, silence.verdict].into_iter().flatten() {
            timers.cancel(timer);
        }
        Some(silence)
    }

    /// How it stands.
    pub(super) fn standing(&self) -> &Standing {
        &self.standing
    }

    /// Whether it has not answered lately.
    pub(super) fn is_silent(&self) -> bool {
        self.standing.silent_since().is_some()
    }

    /// Whether it does not answer us, and nothing says that its process is gone.
    pub(super) fn is_mute(&self) -> bool {
        self.is_silent() && !self.standing.is_port_closed()
    }

    /// Its host says that nobody listens at its port. Returns whether that counts.
    pub(super) fn close_port(&mut self) -> bool {
        self.standing.close_port()
    }

    /// We accuse it, and judge it when this timer is due.
    pub(super) fn accuse(&mut self, verdict: TimerKey) {
        self.standing.accuse(verdict);
    }

    /// The question to witnesses that is under way.
    pub(super) fn round(&self) -> Option<&Round> {
        self.round.as_deref()
    }

    /// The question of this number, if it is under way.
    pub(super) fn round_mut(&mut self, number: u64) -> Option<&mut Round> {
        self.round.as_deref_mut().filter(|round| round.number == number)
    }

    /// Witnesses are asked. Another question that was under way is over.
    pub(super) fn begin_round(&mut self, timers: &mut Timers, round: Round) {
        if let Some(former) = self.round.replace(round.into()) {
            timers.cancel(former.timer);
        }
    }

    /// The question to witnesses is over.
    pub(super) fn end_round(&mut self, timers: &mut Timers) -> Option<Round> {
        let round = self.round.take()?;
        timers.cancel(round.timer);
        Some(*round)
    }

    /// We were paused until `now`, for so long. What we asked before may have been answered meanwhile, unheard.
    pub(super) fn paused(&mut self, timers: &mut Timers, now: Instant, by: Duration) {
        self.probe = None;
        self.standing.paused(now, by);
        self.end_round(timers);
    }

    /// It is watched no more.
    pub(super) fn end(self, timers: &mut Timers) {
        let round = self.round.map(|round| round.timer);
        for timer in [Some(self.timer), self.standing.verdict(), round].into_iter().flatten() {
            timers.cancel(timer);
        }
    }
}
