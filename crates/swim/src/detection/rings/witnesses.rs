//! Asking witnesses about a subject that has not answered us (`Mode::Verified`): each probes it now and says whether it
//! answered. This is SWIM's indirect probe (section 3.1), asked of whoever is most likely to know.
//!
//! Any ack: the subject lives and our path to it is at fault. A nack: somebody else cannot reach it either. No answer from
//! anybody: it is we who are cut off, and we say nothing. The other side of it, the witness's, is in `detection/helper.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;

use kinfolk_core::{NodeId, NodeState, NodeStatus};

use super::Rings;
use super::places;
use super::subject::Subject;
use super::subjects::Subjects;
use super::verdict::fellow_finds_lossy;
use crate::context::Context;
use crate::fact::Fact;
use crate::interface::input::RequestId;
use crate::purpose::Purpose;
use crate::timer::{Timer, TimerKey};
use crate::wire::message::Message;

/// Of those asked, so many at the most are the subject's other watchers: they may be cut off together with it.
const FELLOWS_MAX: usize = 2;

/// One question to some witnesses.
#[derive(Debug)]
pub(super) struct Round {
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
pub(super) struct Outcome {
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
pub(super) enum Found {
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

/// What a witness said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum WitnessAnswer {
    /// The subject answered it.
    Ack,
    /// The subject did not answer this witness. `closed` says whether the subject's port was found closed, `lossy` whether
    /// the witness finds that the subject can be reached only now and then.
    Nack { witness: NodeId, closed: bool, lossy: bool },
    /// Nothing. If a limit of ours kept us from asking, that is no better: we learned nothing.
    Silence,
}

impl Round {
    /// Whether nothing that may still come could change its outcome. `port_closed` says whether we found the port closed.
    fn is_ready(&self, port_closed: bool) -> bool {
        let all_answered = self.asked > 0 && self.open.is_empty();
        self.acked || self.is_port_closed(port_closed) || all_answered
    }

    /// Whether the port is closed to us and to a witness (to us, where there is no other).
    fn is_port_closed(&self, port_closed: bool) -> bool {
        port_closed && (self.closed || self.asked == 0)
    }
}

impl Rings {
    /// Something speaks against a subject: its port is checked and witnesses are asked, unless that is under way. While we
    /// accuse it already, witnesses are asked only if they may still find what we have found: that its port is closed.
    pub(crate) fn doubt(&mut self, cx: &mut Context, id: &NodeId) {
        if cx.is_late() {
            return;
        }
        let Some(subject) = self.subjects.get(id).filter(|subject| subject.round().is_none()) else {
            return;
        };
        let standing = subject.standing();
        let asks = standing.verdict().is_none() || standing.is_port_closed();
        self.subjects.check_port(cx, id);
        if asks {
            self.ask_witnesses(cx, id, false);
        }
    }

    /// Asks up to `indirect_probes` witnesses. `last` says that their answers are the verdict.
    pub(super) fn ask_witnesses(&mut self, cx: &mut Context, id: &NodeId, last: bool) {
        let within =
            cx.health.scale(cx.config.probe_timeout).min(cx.config.probe_interval) + cx.lateness.at(cx.now);
        let number = self.rounds_made;
        self.rounds_made += 1;
        let mut open = BTreeMap::new();
        for witness in witnesses_for(cx, &self.subjects, self.neighbours(), id) {
            let within_ms = u32::try_from(within.as_millis()).unwrap_or(u32::MAX);
            let (target, gossip) = (id.clone(), Vec::new());
            let message = Message::PingReq { target, within_ms, nack: true, check_port: true, gossip };
            let purpose = Purpose::Witness { id: id.clone(), round: number };
            open.insert(cx.ask(&witness, message, purpose, within), witness.id.clone());
        }
        let timer = cx.timers.schedule(cx.now + within, Timer::Round(id.clone(), number));
        let asked = open.len();
        let round =
            Round { number, timer, last, asked, open, nacks: Vec::new(), closed: false, acked: false };
        if let Some(subject) = self.subjects.get_mut(id) {
            subject.begin_round(&mut cx.timers, round);
        }
    }

    /// The witness that was asked by this request, in the round of this number, has answered, or will not.
    pub(crate) fn witness_answered(
        &mut self,
        cx: &mut Context,
        request: RequestId,
        (id, number): (&NodeId, u64),
        answer: &WitnessAnswer,
    ) {
        if let WitnessAnswer::Nack { witness, lossy: true, .. } = answer
            && fellow_finds_lossy(cx, &mut self.subjects, id, witness)
        {
            return;
        }
        let Some(subject) = self.subjects.get_mut(id) else { return };
        if *answer == WitnessAnswer::Ack {
            subject.losses.note_reached(cx.now);
        }
        let Some(round) = subject.round_mut(number) else { return };
        match answer {
            WitnessAnswer::Ack => {
                round.acked = true;
                cx.stats.indirect_acks += 1;
            }
            WitnessAnswer::Nack { closed, .. } => {
                let Some(witness) = round.open.remove(&request) else { return };
                round.nacks.push(witness);
                round.closed |= *closed;
            }
            WitnessAnswer::Silence => {
                if round.open.remove(&request).is_none() {
                    return;
                }
            }
        }
        self.conclude_if_ready(cx, id);
    }

    /// The host of a subject says that nobody listens at its port.
    pub(crate) fn port_closed(&mut self, cx: &mut Context, id: &NodeId) {
        // No answer will come to a probe that is under way.
        self.missed(cx, id);
        if self.subjects.get_mut(id).is_some_and(Subject::close_port) {
            self.conclude_if_ready(cx, id);
            // Where it comes after we have accused it, witnesses may find it too.
            cx.fact(Fact::Doubted(id.clone()));
        }
    }

    /// Ends the round about `id` early, where nothing that may still come could change its outcome.
    fn conclude_if_ready(&mut self, cx: &mut Context, id: &NodeId) {
        self.conclude_if(cx, id, Round::is_ready);
    }

    /// Ends the round about `id` if `over` says so, which is told whether we found the port closed.
    pub(super) fn conclude_if(
        &mut self,
        cx: &mut Context,
        id: &NodeId,
        over: impl FnOnce(&Round, bool) -> bool,
    ) {
        let Some(subject) = self.subjects.get_mut(id) else { return };
        let port_closed = subject.standing().is_port_closed();
        if !subject.round().is_some_and(|round| over(round, port_closed)) {
            return;
        }
        let Some(round) = subject.end_round(&mut cx.timers) else { return };
        let port_closed = round.is_port_closed(port_closed);
        let found = match () {
            () if round.acked => Found::PathAtFault,
            () if port_closed => Found::PortClosed,
            () if !round.nacks.is_empty() => Found::Confirmed,
            // Those that were asked may be members that we do not watch: that we know of no silence
            // of theirs means nothing.
            () if round.asked > 0 && !self.mass.is_isolated(cx) => Found::Unheard,
            () if cx.members.member_count() <= 2 => Found::NobodyElse,
            () => Found::Isolated,
        };
        let Round { asked, nacks, last, .. } = round;
        self.judge(cx, id, Outcome { found, asked, nacks, last });
    }
}

/// Whom to ask about `id`: some of the subject's other watchers, who are in touch with it; then neighbours that we have just
/// heard from, so that silence from all of them means that we are cut off; then anybody.
fn witnesses_for(
    cx: &mut Context,
    subjects: &Subjects,
    mut neighbours: Vec<NodeId>,
    id: &NodeId,
) -> Vec<Arc<NodeStatus>> {
    let wanted = cx.config.indirect_probes;
    let mut fellows = places::watchers_of(id, cx.roster.ids().iter().chain([&cx.me]));
    cx.rng.shuffle(&mut fellows);
    cx.rng.shuffle(&mut neighbours);
    // Where its link may be bad, it is they who can tell.
    let odd = subjects.get(id).is_some_and(|subject| subject.losses.look_odd());
    fellows.truncate(if odd { wanted } else { FELLOWS_MAX.min(wanted) });
    // Twice as many, because some will not do.
    let anybody = cx.roster.random(wanted * 2, Some(id), &mut cx.rng);
    // A host says only so often to one and the same that its port is closed, and those who watch it may have heard so
    // already without noticing. Others hear it at once.
    let closed = subjects.get(id).is_some_and(|subject| subject.standing().is_port_closed());
    let (first, last) = if closed { (&anybody, &fellows) } else { (&fellows, &anybody) };
    let mut chosen: Vec<Arc<NodeStatus>> = Vec::new();
    for candidate in first.iter().chain(&neighbours).chain(last) {
        let fits = *candidate != *id && *candidate != cx.me && !subjects.is_silent(candidate);
        if chosen.len() < wanted && fits && chosen.iter().all(|node| node.id != *candidate) {
            chosen.extend(cx.members.get(candidate).filter(|node| node.state == NodeState::Alive));
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timer::Timers;

    fn round(asked: usize, open: usize) -> Round {
        let id = |number: usize| NodeId::new(&format!("w{number}")).unwrap();
        let open = (0..open).map(|number| (RequestId(number as u64), id(number))).collect();
        let timer = Timers::default().schedule(kinfolk_core::Instant::ORIGIN, Timer::Look);
        Round { number: 0, timer, last: false, asked, open, nacks: Vec::new(), closed: false, acked: false }
    }

    #[test]
    fn a_round_is_over_before_its_time_only_when_nothing_that_may_still_come_matters() {
        assert!(!round(2, 1).is_ready(false) && round(2, 0).is_ready(false));
        assert!(!round(0, 0).is_ready(false), "where nobody is asked the port may still be found closed");
        assert!(Round { acked: true, ..round(2, 1) }.is_ready(false));
        assert!(round(0, 0).is_ready(true), "there is nobody else to confirm it");
        assert!(!round(2, 1).is_ready(true), "a witness has to find the port closed too");
        let found = Round { closed: true, ..round(2, 1) };
        assert!(found.is_ready(true) && !found.is_ready(false));
    }
}
