//! All subjects of this member, and what is known of each.

use std::collections::BTreeMap;
use std::time::Duration;

use kinfolk_core::{Cause, Instant, NodeId, NodeState, Reason};
use kinfolk_detector::{Evidence, Finding};

use super::loss_rate::OTHERS_ANSWERED_MIN;
use super::probe::timeout_after;
use super::subject::Subject;
use super::{cycle, note};
use crate::context::Context;
use crate::fact::Fact;
use crate::interface::config::RINGS;
use crate::interface::input::RequestId;
use crate::interface::output::Output;
use crate::purpose::Checked;
use crate::timer::Timer;

/// A new subject gets at most this many probes at the probe interval, before it is probed once a
/// cycle. A crash would be found late until its watchers are spread over the cycle. The number is
/// random, from 1 to this bound, so that watchers that start together do not stay in step.
const INITIAL_FAST_PROBES_MAX: usize = RINGS;

/// An anti-entropy round needs this many answers in a row that say that views differ. One may only
/// mean that an update is on its way.
const DIFFERENT_ANSWERS_MIN: u32 = 2;

/// The time between two anti-entropy rounds. Under steady change views always differ somewhere, and
/// the members would exchange views all the time.
const ANTI_ENTROPY_INTERVAL_MIN: Duration = Duration::from_secs(2);

/// The subjects, by name.
#[derive(Debug, Default)]
pub(crate) struct Subjects {
    of: BTreeMap<NodeId, Subject>,
    /// When an anti-entropy round with a subject last started.
    anti_entropy_at: Option<Instant>,
}

impl Subjects {
    pub(super) fn get(&self, id: &NodeId) -> Option<&Subject> {
        self.of.get(id)
    }

    pub(super) fn get_mut(&mut self, id: &NodeId) -> Option<&mut Subject> {
        self.of.get_mut(id)
    }

    /// Whether this member watches `id`.
    pub(crate) fn contains(&self, id: &NodeId) -> bool {
        self.of.contains_key(id)
    }

    /// The subjects, ordered by name.
    pub(super) fn ids(&self) -> impl Iterator<Item = &NodeId> {
        self.of.keys()
    }

    /// The subjects that this member accuses.
    pub(super) fn accused(&self) -> impl Iterator<Item = &NodeId> {
        self.of.iter().filter(|(_, subject)| subject.state().verdict().is_some()).map(|(id, _)| id)
    }

    /// Sets the subjects, which are ordered by name.
    pub(in crate::detection) fn watch(&mut self, cx: &mut Context, ids: Vec<NodeId>) {
        if self.ids().eq(&ids) {
            return;
        }
        let ended: Vec<_> = self.ids().filter(|id| !ids.contains(id)).cloned().collect();
        for id in ended {
            if let Some(subject) = self.of.remove(&id) {
                subject.end(&mut cx.timers);
            }
        }
        for id in &ids {
            if !self.contains(id) {
                let at = cx.now + cx.config.probe_interval.mul_f64(cx.rng.unit());
                let timer = cx.timers.schedule(at, Timer::Watch(id.clone()));
                let fast_probes_left = 1 + cx.rng.below(INITIAL_FAST_PROBES_MAX);
                self.of.insert(id.clone(), Subject::new(timer, fast_probes_left));
            }
        }
        cx.output(Output::Watch { subjects: ids });
    }

    /// Whether this subject is silent.
    pub(super) fn is_silent(&self, id: &NodeId) -> bool {
        self.get(id).is_some_and(Subject::is_silent)
    }

    /// Since when this subject is silent.
    pub(crate) fn silent_since(&self, id: &NodeId) -> Option<Instant> {
        self.get(id).and_then(|subject| subject.state().silent_since())
    }

    /// The silent subjects.
    pub(crate) fn silent(&self) -> Vec<NodeId> {
        self.ids().filter(|id| self.is_silent(id)).cloned().collect()
    }

    /// The number of silent subjects that are not suspected. A closed port explains the silence of
    /// a dead process, so such subjects do not count.
    pub(super) fn unsuspected_silent(&self, cx: &Context) -> usize {
        let is_alive = |id: &NodeId| cx.members.get(id).is_some_and(|node| node.state == NodeState::Alive);
        self.of
            .iter()
            .filter(|(_, subject)| subject.is_silent_unexplained())
            .filter(|(id, _)| is_alive(id) && !cx.is_absent(id))
            .count()
    }

    /// The subject of the probe with this request, while the probe is under way.
    pub(super) fn probed_by(&self, request: RequestId) -> Option<NodeId> {
        let is_it = |subject: &Subject| subject.probe().is_some_and(|probe| probe.request == request);
        self.of.iter().find(|(_, subject)| is_it(subject)).map(|(id, _)| id.clone())
    }

    /// Schedules the next probe of a subject in place of the one that is scheduled.
    pub(super) fn probe_at(&mut self, cx: &mut Context, id: &NodeId, at: Instant) {
        if let Some(subject) = self.of.get_mut(id) {
            subject.probe_at(&mut cx.timers, id, at);
        }
    }

    /// Probes a subject at once, unless a probe is under way: something counts against it.
    pub(super) fn probe_now(&mut self, cx: &mut Context, id: &NodeId) {
        if self.get(id).is_some_and(|subject| subject.probe().is_none()) {
            self.probe_at(cx, id, cx.now);
        }
    }

    /// Spreads overdue probes over an interval or a cycle, as the first probes of new subjects are.
    pub(in crate::detection) fn spread_late_probes(&mut self, cx: &mut Context) {
        let (interval, cycle) = (cx.config.probe_interval, cycle(cx));
        let late = self.of.iter().filter(|(_, subject)| subject.is_late(&cx.timers, cx.now));
        let within = |subject: &Subject| if subject.is_silent() { interval } else { cycle };
        let late: Vec<_> = late.map(|(id, subject)| (id.clone(), within(subject))).collect();
        for (id, within) in late {
            let at = cx.now + within.mul_f64(cx.rng.unit());
            self.probe_at(cx, &id, at);
        }
    }

    /// A probe has had no answer for longer than usual: checks the port, and waits until the
    /// time-out.
    pub(super) fn port_check_due(&mut self, cx: &mut Context, request: RequestId) {
        let Some(id) = self.probed_by(request) else { return };
        self.check_port(cx, &id);
        let Some(subject) = self.of.get_mut(&id) else { return };
        if let Some(probe) = subject.probe() {
            let at = cx.now.max(probe.sent + timeout_after(cx, subject));
            subject.extend_probe(cx.timers.schedule(at, Timer::ProbeTimeout(request)));
        }
    }

    /// Checks the port of a silent subject, unless it is known to be closed.
    pub(super) fn check_port(&self, cx: &mut Context, id: &NodeId) {
        if self.get(id).is_some_and(|subject| !subject.state().is_port_closed()) {
            cx.fact(Fact::CheckPort { id: id.clone(), checked: Checked::Subject(id.clone()) });
        }
    }

    /// This member, or just now another one, heard from a subject. Ends its silence and withdraws
    /// the accusation.
    pub(crate) fn heard_from(&mut self, cx: &mut Context, id: &NodeId) {
        let silence = self.of.get_mut(id).and_then(|subject| subject.heard_from(&mut cx.timers));
        let Some(silence) = silence.filter(|silence| silence.verdict.is_some()) else { return };
        let reason = Reason::Silent { silence: cx.now.since(silence.since), witnesses: 0, nacks: 0 };
        note(cx, self, id, (Finding::Withdrawn, reason), false);
    }

    /// The subject itself was heard, and not only a witness that says so.
    pub(crate) fn heard_itself(&mut self, cx: &mut Context, id: &NodeId) {
        if let Some(subject) = self.of.get_mut(id) {
            subject.heard_itself();
        }
        self.heard_from(cx, id);
    }

    /// A member suspects a subject of this member. Probes the subject at once, so that it can
    /// refute, and so that this member can answer as a witness.
    pub(crate) fn suspected(&mut self, cx: &mut Context, id: &NodeId) {
        if self.get(id).is_some_and(|subject| !subject.is_silent()) {
            self.probe_now(cx, id);
        }
    }

    /// A subject answered, and said whether the two views differ. Returns whether to start an
    /// anti-entropy round with it.
    pub(crate) fn view_differs(&mut self, cx: &Context, id: &NodeId, differs: bool) -> bool {
        let Some(subject) = self.of.get_mut(id) else { return false };
        subject.differs = if differs { subject.differs + 1 } else { 0 };
        let soon = self.anti_entropy_at.is_some_and(|last| cx.now.since(last) < ANTI_ENTROPY_INTERVAL_MIN);
        let starts = subject.differs >= DIFFERENT_ANSWERS_MIN && !soon;
        if starts {
            subject.differs = 0;
            self.anti_entropy_at = Some(cx.now);
        }
        starts
    }

    /// The subjects that answered and are not silent, if they are at least half of all. Otherwise
    /// none: this member may be isolated.
    pub(in crate::detection) fn answering_subjects(&self) -> Vec<NodeId> {
        let answers = |subject: &Subject| !subject.is_silent() && subject.trip.smoothed().is_some();
        let near: Vec<_> =
            self.of.iter().filter(|(_, subject)| answers(subject)).map(|(id, _)| id.clone()).collect();
        if near.len() * 2 < self.of.len() { Vec::new() } else { near }
    }

    /// Whether this subject's latest answer agreed with the current view of this member.
    pub(in crate::detection) fn agrees(&self, cx: &Context, id: &NodeId) -> bool {
        self.get(id).is_some_and(|subject| subject.agreed_on == Some(cx.members.digest()))
    }

    /// Whether this member finds this subject lossy.
    pub(crate) fn is_lossy(&self, id: &NodeId) -> bool {
        self.get(id).is_some_and(|subject| subject.losses.are_many()) && self.others_answer(id)
    }

    /// Whether fewer than half of this member's own latest probes were answered. Then this member
    /// itself may be hard to reach, and may miss most claims about itself.
    pub(crate) fn reaches_few(&self) -> bool {
        let latest = self.of.values().map(|subject| subject.losses.latest());
        let (answered, count) = latest.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        count >= 8 && answered * 2 < count
    }

    fn others_answer(&self, id: &NodeId) -> bool {
        let others = self.of.iter().filter(|(other, _)| *other != id);
        let mut shares: Vec<f64> =
            others.filter_map(|(_, subject)| subject.losses.answered_share()).collect();
        shares.sort_unstable_by(f64::total_cmp);
        shares.get(shares.len() / 2).is_some_and(|median| *median >= OTHERS_ANSWERED_MIN)
    }

    /// This member was paused for `by` until now. Judgements under way are void, and the pause is
    /// taken out of every silence.
    pub(super) fn paused(&mut self, cx: &mut Context, by: Duration) {
        for subject in self.of.values_mut() {
            subject.paused(&mut cx.timers, cx.now, by);
        }
    }

    /// A finding about `id`, with its evidence.
    pub(crate) fn evidence(&self, cx: &Context, id: &NodeId, finding: Finding, cause: Cause) -> Evidence {
        let subject = self.get(id);
        let phi = subject.and_then(|subject| subject.phi);
        let round_trip = subject.and_then(|subject| subject.trip.smoothed());
        crate::detection::evidence(cx, id, (finding, cause), (phi, round_trip))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detection::rings::subject::InFlight;
    use crate::interface::config::SwimConfig;
    use NodeState::{Alive, Suspect};

    fn id(name: &str) -> NodeId {
        NodeId::new(name).unwrap()
    }

    /// This member watches `a`, `b` and `c`.
    fn watching(states: [NodeState; 3]) -> (Context, Subjects) {
        let [a, b, c] = states;
        let mut cx = Context::of_others(SwimConfig::verified(), &[("a", a), ("b", b), ("c", c)]);
        let mut subjects = Subjects::default();
        subjects.watch(&mut cx, ["a", "b", "c"].map(id).into());
        (cx, subjects)
    }

    impl Subjects {
        /// Adds probes of a subject that were answered, and probes that were lost.
        fn probed(&mut self, name: &str, answered: u32, lost: u32) {
            let losses = &mut self.get_mut(&id(name)).unwrap().losses;
            (0..answered).for_each(|_| losses.note_answered());
            losses.note_reached(Instant::ORIGIN);
            (0..lost).for_each(|_| losses.note_unanswered(Instant::ORIGIN));
        }

        /// A subject does not answer its probe.
        fn silence(&mut self, cx: &mut Context, name: &str) {
            let timer = cx.timers.schedule(cx.now, Timer::CountSilent);
            let subject = self.get_mut(&id(name)).unwrap();
            let probe = InFlight { request: RequestId(1), sent: cx.now, timer, digest: 0, again: false };
            subject.sent(probe);
            subject.missed(&mut cx.timers);
        }
    }

    #[test]
    fn under_half_of_eight_probes_answered_reaches_few() {
        for (of_a, of_b, few) in
            [((0, 4), (0, 3), false), ((0, 4), (3, 1), true), ((4, 4), (0, 0), false), ((0, 5), (4, 0), true)]
        {
            let (_, mut subjects) = watching([Alive; 3]);
            subjects.probed("a", of_a.0, of_a.1);
            subjects.probed("b", of_b.0, of_b.1);
            assert_eq!(subjects.reaches_few(), few, "{of_a:?} {of_b:?}");
        }
    }

    #[test]
    fn subject_is_lossy_only_while_others_answer() {
        for (others, lossy) in [((9, 3), true), ((8, 4), false), ((0, 0), false)] {
            let (_, mut subjects) = watching([Alive; 3]);
            subjects.probed("a", 0, 12);
            subjects.probed("b", others.0, others.1);
            assert_eq!(subjects.is_lossy(&id("a")), lossy, "{others:?}");
            assert!(!subjects.is_lossy(&id("b")) && !subjects.is_lossy(&id("x")));
        }
    }

    /// It does not start again within two seconds.
    #[test]
    fn two_differences_in_a_row_start_anti_entropy() {
        let (mut cx, mut subjects) = watching([Alive; 3]);
        let differs = |subjects: &mut Subjects, cx: &Context, name: &str, answers: &[bool]| {
            answers.iter().map(|differs| subjects.view_differs(cx, &id(name), *differs)).collect::<Vec<_>>()
        };
        assert_eq!(differs(&mut subjects, &cx, "x", &[true, true]), [false, false]);
        assert_eq!(differs(&mut subjects, &cx, "a", &[true, false, true]), [false; 3]);
        assert_eq!(differs(&mut subjects, &cx, "a", &[true]), [true]);
        cx.now += ANTI_ENTROPY_INTERVAL_MIN.saturating_sub(Duration::from_nanos(1));
        assert_eq!(differs(&mut subjects, &cx, "b", &[true, true]), [false, false]);
        cx.now += Duration::from_nanos(1);
        assert_eq!(differs(&mut subjects, &cx, "b", &[true]), [true]);
        cx.now += ANTI_ENTROPY_INTERVAL_MIN;
        assert_eq!(differs(&mut subjects, &cx, "b", &[true, true]), [false, true], "the count starts again");
    }

    #[test]
    fn suspects_and_closed_ports_are_not_counted_silent() {
        let (mut cx, mut subjects) = watching([Alive, Suspect, Alive]);
        assert_eq!((subjects.unsuspected_silent(&cx), subjects.silent()), (0, vec![]));
        for name in ["a", "b", "c"] {
            subjects.silence(&mut cx, name);
        }
        assert!(subjects.get_mut(&id("c")).unwrap().close_port());
        assert_eq!(
            (subjects.unsuspected_silent(&cx), subjects.silent()),
            (1, ["a", "b", "c"].map(id).into())
        );
        assert_eq!(subjects.silent_since(&id("a")), Some(cx.now));
        subjects.heard_from(&mut cx, &id("a"));
        assert_eq!((subjects.unsuspected_silent(&cx), subjects.is_silent(&id("a"))), (0, false));
    }

    /// A subject that stays keeps its timer and its probes.
    #[test]
    fn former_subject_leaves_no_timer() {
        let (mut cx, mut subjects) = watching([Alive; 3]);
        assert_eq!(cx.timers.len(), 3);
        subjects.probed("b", 3, 0);
        subjects.watch(&mut cx, vec![id("b")]);
        assert_eq!(cx.timers.len(), 1);
        assert_eq!(subjects.get(&id("b")).unwrap().losses.latest(), (3, 3));
        let outputs = std::iter::from_fn(|| cx.pop_output()).collect::<Vec<_>>();
        assert!(
            matches!(&outputs[..], [Output::Watch { .. }, Output::Watch { subjects }] if *subjects == [id("b")])
        );
        subjects.watch(&mut cx, vec![id("b")]);
        assert!(cx.pop_output().is_none(), "nothing has changed");
    }

    #[test]
    fn only_overdue_probes_are_spread() {
        let (mut cx, mut subjects) = watching([Alive; 3]);
        let due = |subjects: &Subjects, cx: &Context, name: &str| {
            let subject = subjects.get(&id(name)).unwrap();
            (0..10_000).find(|ms| subject.is_late(&cx.timers, Instant::ORIGIN + Duration::from_millis(*ms)))
        };
        let before = ["a", "b", "c"].map(|name| due(&subjects, &cx, name).unwrap());
        let now = before.iter().copied().max().unwrap() - 1;
        cx.now += Duration::from_millis(now);
        subjects.spread_late_probes(&mut cx);
        for (name, before) in ["a", "b", "c"].iter().zip(before) {
            let after = due(&subjects, &cx, name).unwrap();
            assert_eq!(before > now, after == before, "{name}");
            assert!((now..=now + 3_000).contains(&after), "{name} is probed within a cycle");
        }
    }

    #[test]
    fn subjects_that_answer_are_at_least_half_or_none() {
        let (mut cx, mut subjects) = watching([Alive; 3]);
        let answers = |subjects: &mut Subjects, name: &str| {
            subjects.get_mut(&id(name)).unwrap().trip.sample(Duration::from_millis(1));
            subjects.answering_subjects().len()
        };
        assert_eq!(subjects.answering_subjects(), [], "no subject has answered yet");
        assert_eq!(["a", "b", "c"].map(|name| answers(&mut subjects, name)), [0, 2, 3]);
        subjects.silence(&mut cx, "a");
        assert_eq!(subjects.answering_subjects(), ["b", "c"].map(id));
        subjects.silence(&mut cx, "b");
        assert_eq!(subjects.answering_subjects(), []);
    }
}
