//! All subjects: those that we watch, and what is known of each.

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

/// How many probes of a new subject follow each other at the interval at the most, before it is probed once in a cycle: until
/// its watchers have found their places in the cycle a crash would be found late. By chance it is between one and this, so
/// that watchers who began together are spread over the cycle.
const ACQUAINTING_MAX: usize = RINGS;

/// How many answers in a row must say that views differ.
const DIFFERENT_FOR: u32 = 2;

/// How long after one comparison the next may begin, so that steady change does not keep everybody comparing.
const COMPARED_EVERY: Duration = Duration::from_secs(2);

/// Those that we watch.
#[derive(Debug, Default)]
pub(crate) struct Subjects {
    of: BTreeMap<NodeId, Subject>,
    /// When we last compared views with one of them.
    compared: Option<Instant>,
}

impl Subjects {
    pub(super) fn get(&self, id: &NodeId) -> Option<&Subject> {
        self.of.get(id)
    }

    pub(super) fn get_mut(&mut self, id: &NodeId) -> Option<&mut Subject> {
        self.of.get_mut(id)
    }

    /// Whether we watch `id`.
    pub(crate) fn contains(&self, id: &NodeId) -> bool {
        self.of.contains_key(id)
    }

    /// Whom we watch, in the order of names.
    pub(super) fn ids(&self) -> impl Iterator<Item = &NodeId> {
        self.of.keys()
    }

    /// Whom we accuse.
    pub(super) fn accused(&self) -> impl Iterator<Item = &NodeId> {
        self.of.iter().filter(|(_, subject)| subject.standing().verdict().is_some()).map(|(id, _)| id)
    }

    /// From now on these, in the order of names, are whom we watch.
    pub(in crate::detection) fn watch(&mut self, cx: &mut Context, ids: Vec<NodeId>) {
        if self.ids().eq(&ids) {
            return;
        }
        let gone: Vec<_> = self.ids().filter(|id| !ids.contains(id)).cloned().collect();
        for id in gone {
            if let Some(subject) = self.of.remove(&id) {
                subject.end(&mut cx.timers);
            }
        }
        for id in &ids {
            if !self.contains(id) {
                let at = cx.now + cx.config.probe_interval.mul_f64(cx.rng.unit());
                let timer = cx.timers.schedule(at, Timer::Watch(id.clone()));
                let new_for = 1 + cx.rng.below(ACQUAINTING_MAX);
                self.of.insert(id.clone(), Subject::new(timer, new_for));
            }
        }
        cx.output(Output::Watch { subjects: ids });
    }

    /// Whether this subject has not answered lately.
    pub(super) fn is_silent(&self, id: &NodeId) -> bool {
        self.get(id).is_some_and(Subject::is_silent)
    }

    /// Since when this subject is silent.
    pub(crate) fn silent_since(&self, id: &NodeId) -> Option<Instant> {
        self.get(id).and_then(|subject| subject.standing().silent_since())
    }

    /// Who is silent.
    pub(crate) fn silent(&self) -> Vec<NodeId> {
        self.ids().filter(|id| self.is_silent(id)).cloned().collect()
    }

    /// How many have not answered us and are not suspected yet. Whose process is known to be gone does not count.
    pub(super) fn mute_alive(&self, cx: &Context) -> usize {
        let is_alive = |id: &NodeId| cx.members.get(id).is_some_and(|node| node.state == NodeState::Alive);
        self.of.iter().filter(|(_, subject)| subject.is_mute()).filter(|(id, _)| is_alive(id)).count()
    }

    /// Whose probe this request is, while its time is not over.
    pub(super) fn probed_by(&self, request: RequestId) -> Option<NodeId> {
        let is_it = |subject: &Subject| subject.probe().is_some_and(|probe| probe.request == request);
        self.of.iter().find(|(_, subject)| is_it(subject)).map(|(id, _)| id.clone())
    }

    /// Schedules the next probe of a subject in the place of the one that is scheduled.
    pub(super) fn probe_at(&mut self, cx: &mut Context, id: &NodeId, at: Instant) {
        if let Some(subject) = self.of.get_mut(id) {
            subject.probe_at(&mut cx.timers, id, at);
        }
    }

    /// Probes a subject when nothing else is due: something was said against it.
    pub(super) fn probe_now(&mut self, cx: &mut Context, id: &NodeId) {
        if self.get(id).is_some_and(|subject| subject.probe().is_none()) {
            self.probe_at(cx, id, cx.now);
        }
    }

    /// Probes that could not be made when they were due come one after another, as new subjects' do.
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

    /// A probe has had no answer for longer than usual.
    pub(super) fn port_check_due(&mut self, cx: &mut Context, request: RequestId) {
        let Some(id) = self.probed_by(request) else { return };
        self.check_port(cx, &id);
        let Some(subject) = self.of.get_mut(&id) else { return };
        if let Some(probe) = subject.probe() {
            let at = cx.now.max(probe.sent + timeout_after(cx, subject));
            subject.extend_probe(cx.timers.schedule(at, Timer::ProbeTimeout(request)));
        }
    }

    /// Has the port of a subject checked that has not answered, unless that is known.
    pub(super) fn check_port(&self, cx: &mut Context, id: &NodeId) {
        if self.get(id).is_some_and(|subject| !subject.standing().is_port_closed()) {
            cx.fact(Fact::CheckPort { id: id.clone(), checked: Checked::Subject(id.clone()) });
        }
    }

    /// A subject has been heard from, or somebody has just heard from it: its silence is over, and we accuse it no longer.
    pub(crate) fn heard_from(&mut self, cx: &mut Context, id: &NodeId) {
        let silence = self.of.get_mut(id).and_then(|subject| subject.heard_from(&mut cx.timers));
        let Some(silence) = silence.filter(|silence| silence.verdict.is_some()) else { return };
        let reason = Reason::Silent { silence: cx.now.since(silence.since), witnesses: 0, nacks: 0 };
        note(cx, self, id, (Finding::Withdrawn, reason), false);
    }

    /// Somebody says that a subject of ours is suspect: we probe it at once, so that it can refute, or so that we can
    /// bear witness.
    pub(crate) fn suspected(&mut self, cx: &mut Context, id: &NodeId) {
        if self.get(id).is_some_and(|subject| !subject.is_silent()) {
            self.probe_now(cx, id);
        }
    }

    /// A subject has answered whether its view differs from ours. Returns whether views are to be compared.
    pub(crate) fn view_differs(&mut self, cx: &Context, id: &NodeId, differs: bool) -> bool {
        let Some(subject) = self.of.get_mut(id) else { return false };
        subject.differs = if differs { subject.differs + 1 } else { 0 };
        let soon = self.compared.is_some_and(|last| cx.now.since(last) < COMPARED_EVERY);
        let compares = subject.differs >= DIFFERENT_FOR && !soon;
        if compares {
            subject.differs = 0;
            self.compared = Some(cx.now);
        }
        compares
    }

    /// Those that have answered and do not keep silent, if that is half of all at least.
    pub(in crate::detection) fn near(&self) -> Vec<NodeId> {
        let answers = |subject: &Subject| !subject.is_silent() && subject.trip.smoothed().is_some();
        let near: Vec<_> =
            self.of.iter().filter(|(_, subject)| answers(subject)).map(|(id, _)| id.clone()).collect();
        if near.len() * 2 < self.of.len() { Vec::new() } else { near }
    }

    /// Whether this subject has answered that its view agrees with the one that we have now.
    pub(in crate::detection) fn agrees(&self, cx: &Context, id: &NodeId) -> bool {
        self.get(id).is_some_and(|subject| subject.agreed_on == Some(cx.members.digest()))
    }

    /// Whether we find this subject lossy.
    pub(crate) fn is_lossy(&self, id: &NodeId) -> bool {
        self.get(id).is_some_and(|subject| subject.losses.are_many()) && self.others_answer(id)
    }

    /// Whether fewer than half of our own latest probes were answered: then it may be we who can hardly be reached, and what we
    /// hear of ourselves may be the smaller part of what is said.
    pub(crate) fn reach_few(&self) -> bool {
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

    /// We were paused until now, for so long: every judgement that is under way is void, and the pause is taken out of every
    /// silence.
    pub(super) fn paused(&mut self, cx: &mut Context, by: Duration) {
        for subject in self.of.values_mut() {
            subject.paused(&mut cx.timers, cx.now, by);
        }
    }

    /// A finding about `id`, with what we know of it.
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

    /// We watch `a`, `b` and `c`.
    fn watching(states: [NodeState; 3]) -> (Context, Subjects) {
        let [a, b, c] = states;
        let mut cx = Context::of_others(SwimConfig::verified(), &[("a", a), ("b", b), ("c", c)]);
        let mut subjects = Subjects::default();
        subjects.watch(&mut cx, ["a", "b", "c"].map(id).into());
        (cx, subjects)
    }

    impl Subjects {
        /// So many more probes of a subject were answered, and so many were not, though a witness reached it.
        fn probed(&mut self, name: &str, answered: u32, lost: u32) {
            let losses = &mut self.get_mut(&id(name)).unwrap().losses;
            (0..answered).for_each(|_| losses.note_answered());
            losses.note_reached(Instant::ORIGIN);
            (0..lost).for_each(|_| losses.note_unanswered(Instant::ORIGIN));
        }

        /// A subject does not answer from now on.
        fn silence(&mut self, cx: &mut Context, name: &str) {
            let timer = cx.timers.schedule(cx.now, Timer::Look);
            let subject = self.get_mut(&id(name)).unwrap();
            let probe = InFlight { request: RequestId(1), sent: cx.now, timer, digest: 0, again: false };
            subject.sent(probe);
            subject.missed(&mut cx.timers);
        }
    }

    #[test]
    fn we_reach_few_if_fewer_than_half_of_eight_probes_or_more_were_answered() {
        for (of_a, of_b, few) in
            [((0, 4), (0, 3), false), ((0, 4), (3, 1), true), ((4, 4), (0, 0), false), ((0, 5), (4, 0), true)]
        {
            let (_, mut subjects) = watching([Alive; 3]);
            subjects.probed("a", of_a.0, of_a.1);
            subjects.probed("b", of_b.0, of_b.1);
            assert_eq!(subjects.reach_few(), few, "{of_a:?} {of_b:?}");
        }
    }

    #[test]
    fn a_subject_is_lossy_only_while_our_others_answer_as_they_should() {
        for (others, lossy) in [((9, 3), true), ((8, 4), false), ((0, 0), false)] {
            let (_, mut subjects) = watching([Alive; 3]);
            subjects.probed("a", 0, 12);
            subjects.probed("b", others.0, others.1);
            assert_eq!(subjects.is_lossy(&id("a")), lossy, "{others:?}");
            assert!(!subjects.is_lossy(&id("b")) && !subjects.is_lossy(&id("x")));
        }
    }

    #[test]
    fn views_are_compared_once_they_differ_twice_in_a_row_and_not_again_within_two_seconds() {
        let (mut cx, mut subjects) = watching([Alive; 3]);
        let differs = |subjects: &mut Subjects, cx: &Context, name: &str, answers: &[bool]| {
            answers.iter().map(|differs| subjects.view_differs(cx, &id(name), *differs)).collect::<Vec<_>>()
        };
        assert_eq!(differs(&mut subjects, &cx, "x", &[true, true]), [false, false]);
        assert_eq!(differs(&mut subjects, &cx, "a", &[true, false, true]), [false; 3]);
        assert_eq!(differs(&mut subjects, &cx, "a", &[true]), [true]);
        cx.now += COMPARED_EVERY.saturating_sub(Duration::from_nanos(1));
        assert_eq!(differs(&mut subjects, &cx, "b", &[true, true]), [false, false]);
        cx.now += Duration::from_nanos(1);
        assert_eq!(differs(&mut subjects, &cx, "b", &[true]), [true]);
        cx.now += COMPARED_EVERY;
        assert_eq!(differs(&mut subjects, &cx, "b", &[true, true]), [false, true], "it counts anew");
    }

    #[test]
    fn the_silent_that_are_not_suspected_and_whose_process_is_not_gone_are_mute() {
        let (mut cx, mut subjects) = watching([Alive, Suspect, Alive]);
        assert_eq!((subjects.mute_alive(&cx), subjects.silent()), (0, vec![]));
        for name in ["a", "b", "c"] {
            subjects.silence(&mut cx, name);
        }
        assert!(subjects.get_mut(&id("c")).unwrap().close_port());
        assert_eq!((subjects.mute_alive(&cx), subjects.silent()), (1, ["a", "b", "c"].map(id).into()));
        assert_eq!(subjects.silent_since(&id("a")), Some(cx.now));
        subjects.heard_from(&mut cx, &id("a"));
        assert_eq!((subjects.mute_alive(&cx), subjects.is_silent(&id("a"))), (0, false));
    }

    #[test]
    fn who_is_watched_no_more_leaves_no_timer_and_who_still_is_keeps_its_own() {
        let (mut cx, mut subjects) = watching([Alive; 3]);
        assert_eq!(cx.timers.len(), 3);
        subjects.probed("b", 3, 0);
        subjects.watch(&mut cx, vec![id("b")]);
        assert_eq!(cx.timers.len(), 1);
        assert_eq!(subjects.get(&id("b")).unwrap().losses.latest(), (3, 3));
        let told = std::iter::from_fn(|| cx.pop_output()).collect::<Vec<_>>();
        assert!(
            matches!(&told[..], [Output::Watch { .. }, Output::Watch { subjects }] if *subjects == [id("b")])
        );
        subjects.watch(&mut cx, vec![id("b")]);
        assert!(cx.pop_output().is_none(), "nothing has changed");
    }
}
