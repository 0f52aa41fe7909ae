//! Requests to witnesses about a subject that did not answer (`Mode::Verified`). A *witness* probes
//! the subject at once and reports whether it answered. This is SWIM's indirect probe (section
//! 3.1), sent to the members that know most: the subject's other watchers first.
//!
//! - An ack: the subject is alive, and the path from this member to it is at fault. The second ack
//!   of a witness that stands alone is in doubt: see [`Round`].
//! - A nack: another member cannot reach the subject either.
//! - No answer from any witness: this member is isolated, and accuses nobody.
//!
//! The witness's part is in `detection/helper.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;

use kinfolk_core::{NodeId, NodeState, NodeStatus};

use super::subject::Subject;
use super::subjects::Subjects;
use super::verdict::watcher_finds_lossy;
use super::{Rings, watchers_of};
use crate::context::Context;
use crate::fact::Fact;
use crate::interface::input::RequestId;
use crate::purpose::Purpose;
use crate::timer::{Timer, TimerKey};
use crate::wire::message::Message;

/// At most this many of the witnesses are other watchers of the subject. They may be cut off
/// together with it.
const OTHER_WATCHERS_MAX: usize = 2;

/// One round of requests to witnesses.
///
/// One ack is enough: under loss each ack is worth more than a nack. But a witness can lie, and so
/// hide a crash. A witness *stands alone* if it was the only one with an ack in the last round that
/// had any, and the subject itself was not heard since. Its next ack is *in doubt*: the round goes
/// on, and against two nacks the ack does not count.
#[derive(Debug)]
pub(super) struct Round {
    /// Identifies the round, so that a late answer to an earlier round does not count in this one.
    pub number: u64,
    /// The timer that ends the round.
    pub timer: TimerKey,
    /// Whether its outcome is the verdict.
    pub last: bool,
    asked: usize,
    /// The witnesses that have not answered yet.
    open: BTreeMap<RequestId, NodeId>,
    /// The witnesses that could not reach the subject either.
    nacks: Vec<NodeId>,
    /// Whether a witness found the subject's port closed.
    closed: bool,
    /// The witness that reached the subject, and is not in doubt.
    acked: Option<NodeId>,
    /// The witness with an ack in doubt.
    doubted: Option<NodeId>,
}

/// The result of a witness round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outcome {
    pub found: Found,
    /// The number of witnesses that were asked.
    pub asked: usize,
    /// The witnesses that could not reach the subject either.
    pub nacks: Vec<NodeId>,
    /// Whether the round was the last check before the verdict.
    pub last: bool,
}

/// What a round shows about the subject, or about this member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// A witness reached the subject.
    PathAtFault,
    /// No witness answered: this member is isolated or overloaded.
    Unheard,
    /// The group has two members, so there is no witness.
    NoWitness,
    /// There are other members, but this member hears from none of them.
    Isolated,
    /// Witnesses could not reach the subject either.
    Confirmed,
    /// The subject's host reports a closed port, to this member and to a witness. If there is no
    /// witness, this member suffices.
    PortClosed,
}

/// The answer of a witness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum WitnessAnswer {
    /// The subject answered the witness, by its word.
    Ack,
    /// The subject did not answer the witness. `closed`: the witness found the subject's port
    /// closed. `lossy`: the witness finds the subject lossy.
    Nack { witness: NodeId, closed: bool, lossy: bool },
    /// The witness did not answer, or a limit of this member kept it from asking.
    Silence,
}

impl Round {
    /// Whether no answer that is still open could change the outcome. `port_closed`: this member
    /// found the port closed.
    fn is_ready(&self, port_closed: bool) -> bool {
        let all_answered = self.asked > 0 && self.open.is_empty();
        self.acked.is_some() || self.is_port_closed(port_closed) || all_answered
    }

    /// The witnesses that reached the subject.
    fn vouchers(&self) -> impl Iterator<Item = &NodeId> {
        self.acked.iter().chain(&self.doubted)
    }

    /// Whether the ack in doubt counts: against at most one nack.
    fn believes_doubted(&self) -> bool {
        self.doubted.is_some() && self.nacks.len() <= 1
    }

    /// Whether the port is closed to this member and to a witness. If there is no witness, this
    /// member suffices.
    fn is_port_closed(&self, port_closed: bool) -> bool {
        port_closed && (self.closed || self.asked == 0)
    }
}

impl Rings {
    /// Something counts against a subject: checks its port and asks witnesses, unless that is under
    /// way. If this member accuses it already, witnesses are asked only about a closed port: they
    /// may still find it closed, too.
    pub(crate) fn check_subject(&mut self, cx: &mut Context, id: &NodeId) {
        if cx.is_late() {
            return;
        }
        let Some(subject) = self.subjects.get(id).filter(|subject| subject.round().is_none()) else {
            return;
        };
        let state = subject.state();
        let asks = state.verdict().is_none() || state.is_port_closed();
        self.subjects.check_port(cx, id);
        if asks {
            self.ask_witnesses(cx, id, false);
        }
    }

    /// Asks up to `indirect_probes` witnesses. `last`: their answers decide the verdict.
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
        let (nacks, doubted) = (Vec::new(), None);
        let round = Round { number, timer, last, asked, open, nacks, closed: false, acked: None, doubted };
        if let Some(subject) = self.subjects.get_mut(id) {
            subject.begin_round(&mut cx.timers, round);
        }
    }

    /// The witness of this request, in round `number`, answered, or will not answer.
    pub(crate) fn witness_answered(
        &mut self,
        cx: &mut Context,
        request: RequestId,
        (id, number): (&NodeId, u64),
        answer: &WitnessAnswer,
    ) {
        if let WitnessAnswer::Nack { witness, lossy: true, .. } = answer
            && watcher_finds_lossy(cx, &mut self.subjects, id, witness)
        {
            return;
        }
        let Some(subject) = self.subjects.get_mut(id) else { return };
        if *answer == WitnessAnswer::Ack {
            subject.losses.note_reached(cx.now);
        }
        let Some((round, alone)) = subject.round_mut(number) else { return };
        match answer {
            WitnessAnswer::Ack => {
                let Some(witness) = round.open.remove(&request) else { return };
                cx.stats.indirect_acks += 1;
                if alone == Some(&witness) {
                    round.doubted = Some(witness);
                } else {
                    round.acked = Some(witness);
                }
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

    /// The host of a subject reports that its port is closed.
    pub(crate) fn port_closed(&mut self, cx: &mut Context, id: &NodeId) {
        // A probe that is under way will get no answer.
        self.missed(cx, id);
        if self.subjects.get_mut(id).is_some_and(Subject::close_port) {
            self.conclude_if_ready(cx, id);
            // If this member accused the subject before, a new round lets witnesses find the closed
            // port, too.
            cx.fact(Fact::CheckSubject(id.clone()));
        }
    }

    /// Ends the round about `id` early, if no open answer could change its outcome.
    fn conclude_if_ready(&mut self, cx: &mut Context, id: &NodeId) {
        self.conclude_if(cx, id, Round::is_ready);
    }

    /// Ends the round about `id` if `over` returns true. `over` receives whether this member found
    /// the port closed.
    pub(super) fn conclude_if(
        &mut self,
        cx: &mut Context,
        id: &NodeId,
        over: impl FnOnce(&Round, bool) -> bool,
    ) {
        let Some(subject) = self.subjects.get_mut(id) else { return };
        let port_closed = subject.state().is_port_closed();
        if !subject.round().is_some_and(|round| over(round, port_closed)) {
            return;
        }
        let Some(round) = subject.end_round(&mut cx.timers) else { return };
        subject.note_vouchers(round.vouchers());
        let port_closed = round.is_port_closed(port_closed);
        let found = match () {
            () if round.acked.is_some() => Found::PathAtFault,
            () if port_closed => Found::PortClosed,
            () if round.believes_doubted() => Found::PathAtFault,
            () if !round.nacks.is_empty() => Found::Confirmed,
            // The witnesses may be members that this member does not watch. So it knows of no
            // silence of theirs, and that proves nothing.
            () if round.asked > 0 && !self.mass.is_isolated(cx) => Found::Unheard,
            () if cx.members.member_count() <= 2 => Found::NoWitness,
            () => Found::Isolated,
        };
        let Round { asked, nacks, last, .. } = round;
        self.judge(cx, id, Outcome { found, asked, nacks, last });
    }
}

/// The witnesses to ask about `id`. First some of the subject's other watchers, which probe it
/// regularly. Then neighbours that were heard from just now: if even they are silent, this member
/// is isolated. Then random members.
fn witnesses_for(
    cx: &mut Context,
    subjects: &Subjects,
    mut neighbours: Vec<NodeId>,
    id: &NodeId,
) -> Vec<Arc<NodeStatus>> {
    let wanted = cx.config.indirect_probes;
    let mut other_watchers = watchers_of(cx, id);
    cx.rng.shuffle(&mut other_watchers);
    cx.rng.shuffle(&mut neighbours);
    // If the subject may be lossy, only its watchers can tell.
    let may_be_lossy = subjects.get(id).is_some_and(|subject| subject.losses.has_many_misses());
    let needed = OTHER_WATCHERS_MAX.max(cx.config.accusers_required - 1).min(wanted);
    other_watchers.truncate(if may_be_lossy { wanted } else { needed });
    // Twice as many as wanted, because some of them are not suitable.
    let anybody = cx.roster.random(wanted * 2, Some(id), &mut cx.rng);
    // The other watchers first, because only their accusations count for others. A host limits how
    // often it reports a closed port to the same address, and its neighbours may have used that up.
    // Other members get the report at once.
    let closed = subjects.get(id).is_some_and(|subject| subject.state().is_port_closed());
    let (second, last) = if closed { (&anybody, &neighbours) } else { (&neighbours, &anybody) };
    let mut chosen: Vec<Arc<NodeStatus>> = Vec::new();
    for candidate in other_watchers.iter().chain(second).chain(last) {
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
    use crate::detection::rings::subject::InFlight;
    use crate::interface::config::SwimConfig;
    use crate::timer::Timers;

    fn round(asked: usize, open: usize) -> Round {
        let id = |number: usize| NodeId::new(&format!("w{number}")).unwrap();
        let open = (0..open).map(|number| (RequestId(number as u64), id(number))).collect();
        let timer = Timers::default().schedule(kinfolk_core::Instant::ORIGIN, Timer::CountSilent);
        let (nacks, doubted) = (Vec::new(), None);
        Round { number: 0, timer, last: false, asked, open, nacks, closed: false, acked: None, doubted }
    }

    #[test]
    fn round_ends_early_only_if_no_answer_matters() {
        assert!(!round(2, 1).is_ready(false) && round(2, 0).is_ready(false));
        assert!(!round(0, 0).is_ready(false), "without witnesses the port may still be found closed");
        assert!(Round { acked: Some(id("w")), ..round(2, 1) }.is_ready(false));
        assert!(!Round { doubted: Some(id("w")), ..round(2, 1) }.is_ready(false), "others may know better");
        assert!(round(0, 0).is_ready(true), "there is no witness to confirm it");
        assert!(!round(2, 1).is_ready(true), "a witness must find the port closed, too");
        let found = Round { closed: true, ..round(2, 1) };
        assert!(found.is_ready(true) && !found.is_ready(false));
    }

    #[test]
    fn ack_in_doubt_does_not_count_against_two_nacks() {
        for (nacks, expected) in [(0, true), (1, true), (2, false)] {
            let nacks: Vec<NodeId> = (0..nacks).map(|number| id(&format!("w{number}"))).collect();
            assert!(!Round { nacks: nacks.clone(), ..round(3, 0) }.believes_doubted());
            let round = Round { doubted: Some(id("w")), nacks, ..round(3, 0) };
            assert_eq!(round.believes_doubted(), expected, "{round:?}");
        }
    }

    fn id(name: &str) -> NodeId {
        NodeId::new(name).unwrap()
    }

    /// A member of a group, whose subjects are these. The first two subjects are silent.
    fn watching(others: &[String], subjects: &[&str]) -> (Context, Subjects) {
        let others: Vec<_> = others.iter().map(|name| (name.as_str(), NodeState::Alive)).collect();
        let mut cx = Context::of_others(SwimConfig::verified(), &others);
        let mut watched = Subjects::default();
        watched.watch(&mut cx, subjects.iter().map(|name| id(name)).collect());
        for name in &subjects[..2] {
            let timer = cx.timers.schedule(cx.now, Timer::CountSilent);
            let subject = watched.get_mut(&id(name)).unwrap();
            let request = RequestId(0);
            subject.sent(InFlight { request, sent: cx.now, timer, digest: 0, again: false });
            subject.missed(&mut cx.timers);
        }
        (cx, watched)
    }

    #[test]
    fn neither_subject_nor_silent_member_is_a_witness() {
        let others = ["a", "b", "c", "d"].map(str::to_owned);
        for _ in 0..20 {
            let (mut cx, subjects) = watching(&others, &["a", "b", "c", "d"]);
            let neighbours = subjects.ids().cloned().chain([cx.me.clone()]).collect();
            let witnesses = witnesses_for(&mut cx, &subjects, neighbours, &id("a"));
            let mut names: Vec<_> = witnesses.iter().map(|node| node.id.as_str()).collect();
            names.sort_unstable();
            assert_eq!(names, ["c", "d"]);
        }
    }

    #[test]
    fn closed_port_is_confirmed_by_watchers_and_random_members() {
        let others: Vec<_> = (0..40).map(|number| format!("n{number:02}")).collect();
        let neighbours = ["n00", "n01", "n02", "n03", "n04"];
        let count = |close: bool| {
            let (mut cx, mut subjects) = watching(&others, &["n00", "n01", "n02"]);
            if close {
                subjects.get_mut(&id("n00")).unwrap().close_port();
            }
            let watchers = watchers_of(&cx, &id("n00"));
            let (mut watching, mut near) = (0, 0);
            for _ in 0..100 {
                let witnesses = witnesses_for(&mut cx, &subjects, neighbours.map(id).into(), &id("n00"));
                assert_eq!(witnesses.len(), 3);
                // The watchers first, because only their accusations count for others.
                watching += witnesses[..2].iter().filter(|node| watchers.contains(&node.id)).count();
                near += usize::from(neighbours.contains(&witnesses[2].id.as_str()));
            }
            (watching, near)
        };
        let ((closed, few), (open, many)) = (count(true), count(false));
        assert!(closed > 150 && open > 150, "of 200 witnesses, {closed} and {open} are watchers");
        assert!(few < 40 && many > 90, "of 100 last witnesses, {few} and {many} are neighbours");
    }
}
