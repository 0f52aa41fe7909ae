//! Watching in `Mode::Verified`: each subject is probed once in a cycle, and what its silence leads to.
//!
//! ```text
//!                    Ack                              heard from it, by whatever way
//!         ┌──────────────────────┐          ┌──────────────────────────────────────────────┐
//!         v                      │          │                                              │
//!      watched ── probe ──> no answer in time ──> silent ── witnesses ──┬─ an ack ─────────┤  the path is at fault
//!                                                   ^                   ├─ no answer ──┐   │  we are the sick one
//!                                                   └───────────────────│──────────────┘   │
//!                                                                       ├─ a nack ──> accused ── tolerated_pause ──> last
//!                                                                       │                          check, by witnesses
//!                                                                       └─ a nack, port closed ──> failed <──┘
//! ```
//!
//! The probes are here, the questions to witnesses in `witness.rs`, the accusation and the verdict in `verdict.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kinfolk_core::{Instant, NodeId, NodeState, NodeStatus, Reason};

use crate::input::{CheckId, NoReply, RequestId};
use crate::loss::Losses;
use crate::machine::Machine;
use crate::message::Message;
use crate::output::Output;
use crate::port::Checked;
use crate::requests::Purpose;
use crate::rings::{ALL_WATCH_ALL, RINGS, Rings};
use crate::round_trip::RoundTrip;
use crate::spacing::Spacing;
use crate::timer::{Timer, TimerKey, Timers};
use crate::witness::Round;

/// The shortest time after which the port of a subject that has not answered is checked.
const KNOCK_AFTER_MIN: Duration = Duration::from_millis(25);

/// How many probes of a new subject follow each other at the interval at the most, before it is probed once in a cycle: until
/// its watchers have found their places in the cycle a crash would be found late. By chance it is between one and this, so
/// that watchers who began together are spread over the cycle.
const ACQUAINTING_MAX: usize = RINGS;

/// How many members are watched beside those of the rings. Of more, the next exchange brings the
/// rest.
const BESIDE_MAX: usize = 64;

/// All that `Mode::Verified` keeps beside what every mode has.
#[derive(Debug)]
pub(crate) struct Watch {
    /// In a box, as all that is large and seldom looked at.
    pub rings: Box<Rings>,
    pub subjects: BTreeMap<NodeId, Subject>,
    /// Who watches us, and when.
    pub spacing: Spacing,
    /// The checks of ports that are under way.
    pub checks: BTreeMap<CheckId, Checked>,
    pub checks_made: u64,
    pub rounds_made: u64,
    /// When the last pause of our own ended.
    pub pause_ended: Instant,
    /// When we last compared views with a subject.
    pub compared: Option<Instant>,
    /// Members that a peer does not know, until they have answered us once: nobody else may be
    /// watching them.
    beside: BTreeSet<NodeId>,
}

/// A member that we watch.
#[derive(Debug)]
pub(crate) struct Subject {
    /// When it is probed next.
    timer: TimerKey,
    /// The latest probe, until its answer or its time-out.
    pub probe: Option<InFlight>,
    /// How many probes are left until we are acquainted with it.
    new_for: usize,
    pub trip: RoundTrip,
    /// When the first of the probes that have gone unanswered, one after another, was sent.
    pub silent_since: Option<Instant>,
    /// Whether its host has said, during this silence, that nobody listens at its port.
    pub port_closed: bool,
    /// The question to witnesses that is under way.
    pub round: Option<Box<Round>>,
    /// When we shall judge it; set while we accuse it.
    pub verdict: Option<TimerKey>,
    /// Its suspicion level when phi crossed the threshold during this silence.
    pub phi: Option<f64>,
    /// What became of the latest probes.
    pub losses: Losses,
    /// How many times in a row its answers said that its view differs from ours.
    pub differs: u32,
}

/// A probe on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InFlight {
    pub request: RequestId,
    pub sent: Instant,
    /// When its port is checked, and after that when its time is over.
    timer: TimerKey,
    /// Whether it was sent a second time, because the first failed before its time was over.
    again: bool,
}

impl Watch {
    pub(crate) fn new(me: &NodeId) -> Self {
        Self {
            rings: Rings::new(me).into(),
            subjects: BTreeMap::new(),
            spacing: Spacing::default(),
            checks: BTreeMap::new(),
            checks_made: 0,
            rounds_made: 0,
            pause_ended: Instant::ORIGIN,
            compared: None,
            beside: BTreeSet::new(),
        }
    }

    /// Whether this subject has not answered lately.
    pub(crate) fn is_silent(&self, id: &NodeId) -> bool {
        self.subjects.get(id).is_some_and(|subject| subject.silent_since.is_some())
    }

    /// Whom we exchange news with at once: our subjects and our watchers, each once.
    pub(crate) fn neighbours(&self) -> Vec<NodeId> {
        let mut all: Vec<_> = self.subjects.keys().chain(self.spacing.watchers()).cloned().collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

impl Machine {
    /// A member has come, or gone: who watches whom may have changed.
    pub(crate) fn rewatch(&mut self, now: Instant) {
        if !self.config.is_verified() {
            return;
        }
        let (subjects, watchers) = if self.overlay.len() < ALL_WATCH_ALL {
            let mut all = self.overlay.ids().to_vec();
            all.sort_unstable();
            (all.clone(), all)
        } else {
            let (mut subjects, mut watchers) = (self.watch.rings.subjects(), self.watch.rings.watchers());
            let (more_subjects, more_watchers) = self.more_neighbours();
            subjects.extend(more_subjects);
            let registry = &self.registry;
            let is_member = |id: &NodeId| registry.get(id).is_some_and(|node| node.state.is_member());
            self.watch.beside.retain(is_member);
            subjects.extend(self.watch.beside.iter().cloned());
            watchers.extend(more_watchers);
            for ids in [&mut subjects, &mut watchers] {
                ids.sort_unstable();
                ids.dedup();
            }
            (subjects, watchers)
        };
        self.watch.spacing.watched_by(watchers);
        if self.watch.subjects.keys().eq(&subjects) {
            return;
        }
        let gone: Vec<_> = self.watch.subjects.keys().filter(|id| !subjects.contains(id)).cloned().collect();
        for id in gone {
            self.unwatch(&id);
        }
        for id in &subjects {
            if !self.watch.subjects.contains_key(id) {
                let at = now + self.config.probe_interval.mul_f64(self.rng.unit());
                let timer = self.timers.schedule(at, Timer::Watch(id.clone()));
                let new_for = 1 + self.rng.below(ACQUAINTING_MAX);
                self.watch.subjects.insert(id.clone(), Subject::new(timer, new_for));
            }
        }
        self.output(Output::Watch { subjects });
    }

    /// Watches some members beside those of the rings, until they have answered once.
    pub(crate) fn watch_beside(&mut self, now: Instant, ids: Vec<NodeId>) {
        let before = self.watch.beside.len();
        for id in ids {
            if self.watch.beside.len() < BESIDE_MAX && !self.watch.subjects.contains_key(&id) {
                self.watch.beside.insert(id);
            }
        }
        if self.watch.beside.len() > before {
            self.rewatch(now);
        }
    }

    fn unwatch(&mut self, id: &NodeId) {
        if let Some(subject) = self.watch.subjects.remove(id) {
            let round = subject.round.map(|round| round.timer);
            for timer in [Some(subject.timer), subject.verdict, round].into_iter().flatten() {
                self.timers.cancel(timer);
            }
        }
    }

    /// How long it takes until each subject has been probed once: one each interval.
    pub(crate) fn watch_cycle(&self) -> Duration {
        let subjects = self.overlay.len().clamp(1, RINGS);
        self.config.probe_interval * u32::try_from(subjects).unwrap_or(u32::MAX)
    }

    /// It is time to probe a subject.
    pub(crate) fn on_watch_due(&mut self, now: Instant, id: &NodeId) {
        let (Some(node), false) = (self.registry.get(id), self.has_left()) else { return };
        let Some(subject) = self.watch.subjects.get(id) else { return };
        // A probe that is still on its way is not replaced, so that each comes to its end.
        if let Some(probe) = subject.probe {
            let over = probe.sent + self.config.probe_interval;
            if now < over {
                return self.watch_again(id, over);
            }
            self.missed(now, id);
        }
        let cycle = self.watch_cycle();
        let Some(subject) = self.watch.subjects.get_mut(id) else { return };
        subject.new_for = subject.new_for.saturating_sub(1);
        let troubled = node.state == NodeState::Suspect || subject.silent_since.is_some();
        let next = if troubled || subject.is_looked_at() { self.config.probe_interval } else { cycle };
        subject.probe_at(&mut self.timers, id, now + next);
        self.stats.probes += 1;
        self.watch_probe(now, &node, false);
    }

    /// Probes a subject when nothing else is due: something was said against it.
    pub(crate) fn watch_now(&mut self, now: Instant, id: &NodeId) {
        let idle = self.watch.subjects.get(id).is_some_and(|subject| subject.probe.is_none());
        if idle {
            self.watch_again(id, now);
        }
    }

    /// Probes that could not be made when they were due come one after another, as new subjects' do.
    pub(crate) fn spread_watches(&mut self, now: Instant) {
        let (interval, cycle) = (self.config.probe_interval, self.watch_cycle());
        let is_due = |subject: &Subject| self.timers.due_at(subject.timer).is_some_and(|at| at <= now);
        let late = self.watch.subjects.iter().filter(|(_, subject)| is_due(subject));
        let within = |subject: &Subject| if subject.silent_since.is_some() { interval } else { cycle };
        let late: Vec<_> = late.map(|(id, subject)| (id.clone(), within(subject))).collect();
        for (id, within) in late {
            let at = now + within.mul_f64(self.rng.unit());
            self.watch_again(&id, at);
        }
    }

    /// Schedules the next probe of a subject in the place of the one that is scheduled.
    fn watch_again(&mut self, id: &NodeId, at: Instant) {
        if let Some(subject) = self.watch.subjects.get_mut(id) {
            subject.probe_at(&mut self.timers, id, at);
        }
    }

    fn watch_probe(&mut self, now: Instant, node: &NodeStatus, again: bool) {
        let trip = self.watch.subjects.get(&node.id).map(|subject| subject.trip).unwrap_or_default();
        let timeout = self.timeout_after(trip);
        // A late answer still says that it lives: until the next probe at least it is worth waiting for.
        let within = self.config.probe_interval.max(timeout);
        let (digest, gossip) = (self.view_digest(), self.gossip_for(node));
        let purpose = Purpose::Watch { id: node.id.clone(), sent: now };
        let request = self.request(node, Message::Ping { digest, gossip }, purpose, within);
        let early = self.knock_after(trip);
        let timer = if early < timeout {
            self.timers.schedule(now + early, Timer::Knock(request))
        } else {
            self.timers.schedule(now + timeout, Timer::ProbeTimeout(request))
        };
        if let Some(subject) = self.watch.subjects.get_mut(&node.id) {
            subject.probe = Some(InFlight { request, sent: now, timer, again });
        }
    }

    /// How long a probe of this subject may take: what it took lately and four times its deviation, within the bounds of
    /// the configuration, and longer the less we trust ourselves.
    fn timeout_after(&self, trip: RoundTrip) -> Duration {
        let (least, most) = (self.config.probe_timeout_min, self.config.probe_timeout);
        let timeout = self.local_health.scale(trip.timeout().unwrap_or(most).clamp(least.min(most), most));
        timeout.min(self.config.probe_interval.max(most))
    }

    /// After what time without an answer the port is checked: long before the probe's time is over, because a check costs one
    /// datagram, and the host of a dead process answers only the first few packets at once. What QUIC sends again is among
    /// them, so that a check that comes late may wait a second for its answer.
    fn knock_after(&self, trip: RoundTrip) -> Duration {
        trip.smoothed().map_or(self.config.probe_timeout_min, |trip| (trip * 2).max(KNOCK_AFTER_MIN))
    }

    /// A probe has had no answer for longer than usual.
    pub(crate) fn on_knock_due(&mut self, now: Instant, request: RequestId) {
        let Some(id) = self.probed_by(request) else { return };
        self.check_port_of_subject(&id);
        let trip = self.watch.subjects.get(&id).map(|subject| subject.trip).unwrap_or_default();
        let timeout = self.timeout_after(trip);
        if let Some(probe) = self.watch.subjects.get_mut(&id).and_then(|subject| subject.probe.as_mut()) {
            probe.timer = self.timers.schedule(now.max(probe.sent + timeout), Timer::ProbeTimeout(request));
        }
    }

    /// Whose probe this request is, while its time is not over.
    fn probed_by(&self, request: RequestId) -> Option<NodeId> {
        let is_it = |subject: &Subject| subject.probe.is_some_and(|probe| probe.request == request);
        self.watch.subjects.iter().find(|(_, subject)| is_it(subject)).map(|(id, _)| id.clone())
    }

    /// A subject answered a probe of ours, in time or not.
    pub(crate) fn on_watch_ack(
        &mut self,
        now: Instant,
        request: RequestId,
        (id, sent): (&NodeId, Instant),
        shift: i16,
    ) {
        let (interval, cycle) = (self.config.probe_interval, self.watch_cycle());
        self.note_contact(now);
        let Some(subject) = self.watch.subjects.get_mut(id) else { return };
        subject.losses.note_answered();
        let cycle = if subject.is_looked_at() { interval } else { cycle };
        subject.trip.sample(now.since(sent));
        if let Some(probe) = subject.probe.take_if(|probe| probe.request == request) {
            self.timers.cancel(probe.timer);
            self.stats.acks += 1;
            self.local_health.lower();
        } else {
            self.stats.late_replies += 1;
        }
        let by = Duration::from_millis(shift.unsigned_abs().into()).min(cycle / 8);
        let next = if shift < 0 { cycle.saturating_sub(by) } else { cycle + by };
        subject.probe_at(&mut self.timers, id, (sent + next).max(now));
        if subject.silent_since.is_some() {
            self.heard_from(now, id);
        }
        if self.watch.beside.remove(id) {
            self.rewatch(now);
        }
    }

    /// The answer to this probe has not come in time.
    pub(crate) fn on_watch_timeout(&mut self, now: Instant, request: RequestId) {
        if let Some(id) = self.probed_by(request) {
            self.missed(now, &id);
        }
    }

    /// This probe has failed. If that was before its time it may be that a connection ended, as it does when a process
    /// starts anew: then a second one says more.
    pub(crate) fn on_watch_silence(&mut self, now: Instant, request: RequestId, id: &NodeId, why: NoReply) {
        let Some(subject) = self.watch.subjects.get_mut(id) else { return };
        let Some(probe) = subject.probe.filter(|probe| probe.request == request) else { return };
        if why == NoReply::Local {
            subject.probe = None;
            self.stats.probes_void += 1;
        } else if probe.again {
            self.missed(now, id);
        } else if let Some(node) = self.registry.get(id) {
            self.watch_probe(now, &node, true);
        }
    }

    /// A subject has not answered.
    pub(crate) fn missed(&mut self, now: Instant, id: &NodeId) {
        let Some(subject) = self.watch.subjects.get_mut(id) else { return };
        let Some(probe) = subject.probe.take() else { return };
        self.timers.cancel(probe.timer);
        subject.silent_since.get_or_insert(probe.sent);
        self.stats.probes_failed += 1;
        self.watch_again(id, (probe.sent + self.config.probe_interval).max(now));
        self.doubt(now, id);
    }

    /// A subject's silence has become improbable: that speaks against it as a missed probe does.
    pub(crate) fn on_phi(&mut self, now: Instant, id: &NodeId, reason: Reason) {
        let Some(subject) = self.watch.subjects.get_mut(id) else { return };
        if let Reason::Phi { phi, .. } = reason {
            subject.phi = Some(phi);
        }
        match subject.silent_since {
            Some(_) => self.doubt(now, id),
            None => self.watch_now(now, id),
        }
    }

    /// `from` probes us: by how many milliseconds it should come later, or earlier, next time.
    pub(crate) fn spacing_of(&mut self, now: Instant, from: &NodeId) -> i16 {
        let cycle = self.watch_cycle();
        self.watch.spacing.probed(from, cycle, now)
    }

    /// A subject has been heard from, or somebody has just heard from it: its silence is over, and we accuse it no longer.
    pub(crate) fn heard_from(&mut self, now: Instant, id: &NodeId) {
        let Some(subject) = self.watch.subjects.get_mut(id) else { return };
        let Some(since) = subject.silent_since.take() else { return };
        (subject.port_closed, subject.phi) = (false, None);
        let round = subject.round.take().map(|round| round.timer);
        let verdict = subject.verdict.take();
        for timer in [round, verdict].into_iter().flatten() {
            self.timers.cancel(timer);
        }
        if verdict.is_some() {
            self.note_withdrawn(now, id, now.since(since));
        }
    }
}

impl Subject {
    /// Whether it is probed each interval though it answers: it is new to us, or does not answer always.
    fn is_looked_at(&self) -> bool {
        self.new_for > 0 || self.losses.look_odd()
    }

    /// Whether it does not answer us, and nothing says that its process is gone.
    pub(crate) fn is_mute(&self) -> bool {
        self.silent_since.is_some() && !self.port_closed
    }

    /// Schedules its next probe in the place of the one that is scheduled; `id` is its name.
    fn probe_at(&mut self, timers: &mut Timers, id: &NodeId, at: Instant) {
        timers.cancel(self.timer);
        self.timer = timers.schedule(at, Timer::Watch(id.clone()));
    }

    fn new(timer: TimerKey, new_for: usize) -> Self {
        Self {
            timer,
            probe: None,
            new_for,
            trip: RoundTrip::default(),
            silent_since: None,
            port_closed: false,
            round: None,
            verdict: None,
            phi: None,
            losses: Losses::default(),
            differs: 0,
        }
    }
}
