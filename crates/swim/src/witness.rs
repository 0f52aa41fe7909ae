//! Asking witnesses about a subject that has not answered us (`Mode::Verified`): each probes it now and says whether it
//! answered. This is SWIM's indirect probe (section 3.1), asked of whoever is most likely to know.
//!
//! Any ack: the subject lives and our path to it is at fault. A nack: somebody else cannot reach it either. No answer from
//! anybody: it is we who are cut off, and we say nothing. The other side of it, the witness's, is in `relay.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;

use kinfolk_core::{Instant, NodeId, NodeState, NodeStatus};

use crate::input::RequestId;
use crate::machine::Machine;
use crate::message::Message;
use crate::requests::Purpose;
use crate::rings;
use crate::timer::{Timer, TimerKey};

/// Of those asked, so many at the most are the subject's other watchers: they may be cut off together with it.
const FELLOWS_MAX: usize = 2;

/// One question to some witnesses.
#[derive(Debug)]
pub(crate) struct Round {
    /// Names it, so that an answer to an earlier one is not taken for one to this.
    pub number: u64,
    /// When it is over.
    pub timer: TimerKey,
    /// Whether its outcome is the verdict.
    pub last: bool,
    asked: usize,
    /// Those that have not answered yet.
    open: BTreeMap<RequestId, NodeId>,
    /// Those that could not reach the subject either.
    nacks: Vec<NodeId>,
    /// Whether one of them found the port closed.
    closed: bool,
    acked: bool,
}

/// What came of a round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub found: Found,
    /// How many witnesses were asked.
    pub asked: usize,
    /// Which of them could not reach the subject either.
    pub nacks: Vec<NodeId>,
    /// Whether it was the last check before the verdict.
    pub last: bool,
}

/// What a round says about the subject, or about ourselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// A witness reached the subject.
    PathAtFault,
    /// None of the witnesses answered: we are cut off, or overloaded.
    Unheard,
    /// There is nobody else to ask: the group has two members.
    NobodyElse,
    /// There are others, but none that we still hear from.
    Isolated,
    /// Witnesses could not reach it either.
    Confirmed,
    /// Its host says that its process is gone, to us and to a witness (to us, where there is no other).
    PortClosed,
}

impl Machine {
    /// Something speaks against a subject: its port is checked and witnesses are asked, unless that is under way. While we
    /// accuse it already, witnesses are asked only if they may still find what we have found: that its port is closed.
    pub(crate) fn doubt(&mut self, now: Instant, id: &NodeId) {
        let Some(subject) = self.watch.subjects.get(id) else { return };
        if subject.round.is_some() {
            return;
        }
        self.check_port_of_subject(id);
        let subject = self.watch.subjects.get(id);
        if subject.is_some_and(|subject| subject.verdict.is_none() || subject.port_closed) {
            self.ask_witnesses(now, id, false);
        }
    }

    /// Asks up to `indirect_probes` witnesses. `last` says that their answers are the verdict.
    pub(crate) fn ask_witnesses(&mut self, now: Instant, id: &NodeId, last: bool) {
        let within = self.local_health.scale(self.config.probe_timeout).min(self.config.probe_interval);
        let number = self.watch.rounds_made;
        self.watch.rounds_made += 1;
        let mut open = BTreeMap::new();
        for witness in self.witnesses_for(id) {
            let gossip = self.gossip_for(&witness);
            let within_ms = u32::try_from(within.as_millis()).unwrap_or(u32::MAX);
            let message =
                Message::PingReq { target: id.clone(), within_ms, nack: true, check_port: true, gossip };
            let purpose = Purpose::Witness { id: id.clone(), round: number };
            open.insert(self.request(&witness, message, purpose, within), witness.id.clone());
        }
        let timer = self.timers.schedule(now + within, Timer::Round(id.clone(), number));
        let asked = open.len();
        let round =
            Round { number, timer, last, asked, open, nacks: Vec::new(), closed: false, acked: false };
        let subject = self.watch.subjects.get_mut(id);
        if let Some(former) = subject.and_then(|subject| subject.round.replace(round.into())) {
            self.timers.cancel(former.timer);
        }
    }

    /// Whom to ask: some of the subject's other watchers, who are in touch with it; then neighbours that we have just
    /// heard from, so that silence from all of them means that we are cut off; then anybody.
    fn witnesses_for(&mut self, id: &NodeId) -> Vec<Arc<NodeStatus>> {
        let wanted = self.config.indirect_probes;
        let members = self.overlay.ids().iter().chain([&self.me.id]);
        let mut fellows = rings::watchers_of(id, members);
        let mut neighbours = self.watch.neighbours();
        self.rng.shuffle(&mut fellows);
        self.rng.shuffle(&mut neighbours);
        // Where its link may be bad, it is they who can tell.
        let odd = self.watch.subjects.get(id).is_some_and(|subject| subject.losses.look_odd());
        fellows.truncate(if odd { wanted } else { FELLOWS_MAX.min(wanted) });
        // Twice as many, because some will not do.
        let anybody = self.overlay.random(wanted * 2, Some(id), &mut self.rng);
        // A host says only so often to one and the same that its port is closed, and those who watch it may have heard so
        // already without noticing. Others hear it at once.
        let closed = self.watch.subjects.get(id).is_some_and(|subject| subject.port_closed);
        let (first, last) = if closed { (&anybody, &fellows) } else { (&fellows, &anybody) };
        let mut chosen: Vec<Arc<NodeStatus>> = Vec::new();
        for candidate in first.iter().chain(&neighbours).chain(last) {
            let fits = *candidate != *id && *candidate != self.me.id && !self.watch.is_silent(candidate);
            if chosen.len() < wanted && fits && chosen.iter().all(|node| node.id != *candidate) {
                chosen.extend(self.registry.get(candidate).filter(|node| node.state == NodeState::Alive));
            }
        }
        chosen
    }

    /// A witness says that the subject answered it.
    pub(crate) fn on_witness_ack(&mut self, now: Instant, id: &NodeId, number: u64) {
        self.note_reached(now, id);
        if let Some(round) = self.round(id, number) {
            round.acked = true;
            self.stats.indirect_acks += 1;
            self.conclude_if_ready(now, id);
        }
    }

    /// A witness says that it did not answer, and whether its port is closed.
    pub(crate) fn on_witness_nack(
        &mut self,
        now: Instant,
        request: RequestId,
        (id, number): (&NodeId, u64),
        closed: bool,
    ) {
        if let Some(round) = self.round(id, number)
            && let Some(witness) = round.open.remove(&request)
        {
            round.nacks.push(witness);
            round.closed |= closed;
            self.conclude_if_ready(now, id);
        }
    }

    /// A witness did not answer. If a limit of ours kept us from asking, that is no better: we learned nothing.
    pub(crate) fn on_witness_silence(
        &mut self,
        now: Instant,
        request: RequestId,
        (id, number): (&NodeId, u64),
    ) {
        if let Some(round) = self.round(id, number)
            && round.open.remove(&request).is_some()
        {
            self.conclude_if_ready(now, id);
        }
    }

    pub(crate) fn on_round_due(&mut self, now: Instant, id: &NodeId, number: u64) {
        if self.round(id, number).is_some() {
            self.conclude(now, id);
        }
    }

    /// Ends the round early where nothing that may still come could change its outcome.
    pub(crate) fn conclude_if_ready(&mut self, now: Instant, id: &NodeId) {
        let Some(subject) = self.watch.subjects.get(id) else { return };
        let Some(round) = &subject.round else { return };
        let all_closed = subject.port_closed && (round.closed || round.asked == 0);
        let all_answered = round.asked > 0 && round.open.is_empty();
        if round.acked || all_closed || all_answered {
            self.conclude(now, id);
        }
    }

    fn conclude(&mut self, now: Instant, id: &NodeId) {
        let Some(subject) = self.watch.subjects.get_mut(id) else { return };
        let Some(round) = subject.round.take() else { return };
        self.timers.cancel(round.timer);
        let port_closed = subject.port_closed && (round.closed || round.asked == 0);
        let found = match () {
            () if round.acked => Found::PathAtFault,
            () if port_closed => Found::PortClosed,
            () if !round.nacks.is_empty() => Found::Confirmed,
            // Those that were asked may be members that we do not watch: that we know of no silence
            // of theirs means nothing.
            () if round.asked > 0 && !self.is_isolated(now) => Found::Unheard,
            () if self.registry.member_count() <= 2 => Found::NobodyElse,
            () => Found::Isolated,
        };
        let Round { asked, nacks, last, .. } = *round;
        self.judge(now, id, Outcome { found, asked, nacks, last });
    }

    fn round(&mut self, id: &NodeId, number: u64) -> Option<&mut Round> {
        let round = self.watch.subjects.get_mut(id)?.round.as_deref_mut()?;
        (round.number == number).then_some(round)
    }
}
