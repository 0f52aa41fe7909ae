//! A subject that can be reached only now and then (`Mode::Verified`): its link loses most of what it carries, so that it is
//! neither silent for long nor of use to anybody. The multi-process evidence of Rapid (Suresh et al., 2018, section 4.1), with
//! the watchers as its observers.
//!
//! A watcher finds a subject *lossy* by its latest [`PROBES`] probes: few were answered, and in several that were not, a
//! witness reached the subject at the same time. A stall cannot look like that: what reaches a member that stalls is answered
//! when its stall ends, ours together with the witness's. Nor can a loss that all members suffer: the watcher's other subjects
//! must answer as they should. And a path of ours that is at fault is not enough: most of the subject's watchers must find so.

use std::collections::BTreeMap;
use std::time::Duration;

use kinfolk_core::{Instant, NodeId, Reason};

/// By how many probes a subject is judged.
const PROBES: u32 = 12;
/// It is lossy if no more than so many of them were answered,
const ANSWERED_MAX: u32 = 3;
/// and at least so many were lost while a witness reached it.
const LOST_MIN: u32 = 3;
/// From so many unanswered ones of the latest eight on, it is probed each interval, so that it is judged soon.
const ODD_FROM: u32 = 4;
/// The watcher's other subjects answer as they should if the median of them answered three of four.
pub(super) const OTHERS_ANSWERED_MIN: f64 = 0.75;
/// For how long it counts that another watcher has found it lossy.
const FRESH: Duration = Duration::from_secs(20);

/// What became of the latest probes of a subject, and who else finds it lossy.
#[derive(Debug, Default)]
pub(super) struct Losses {
    /// The latest probe's bit is the lowest.
    answered: u16,
    lost: u16,
    count: u32,
    /// When a witness last reached the subject.
    reached: Option<Instant>,
    /// The other watchers that found it lossy, and when they last said so: not more than watch it.
    fellows: BTreeMap<NodeId, Instant>,
}

impl Losses {
    /// A probe has been answered, late or not.
    pub(super) fn note_answered(&mut self) {
        self.note(true, false);
    }

    fn note(&mut self, answered: bool, lost: bool) {
        let all = (1 << PROBES) - 1;
        self.answered = (self.answered << 1 | u16::from(answered)) & all;
        self.lost = (self.lost << 1 | u16::from(lost)) & all;
        self.count = (self.count + 1).min(PROBES);
    }

    /// No answer came to the probe that was sent at `sent`, and none will.
    pub(super) fn note_unanswered(&mut self, sent: Instant) {
        self.note(false, self.reached.is_some_and(|reached| reached >= sent));
    }

    /// A witness has just reached the subject.
    pub(super) fn note_reached(&mut self, now: Instant) {
        self.reached = Some(now);
    }

    /// Another watcher, one of these, finds the subject lossy.
    pub(super) fn note_fellow(&mut self, now: Instant, fellow: &NodeId, watchers: &[NodeId]) {
        self.fellows.insert(fellow.clone(), now);
        self.fellows.retain(|fellow, at| now.since(*at) <= FRESH && watchers.contains(fellow));
    }

    /// The other watchers that find it lossy, as far as they have said so lately.
    pub(super) fn fellows(&self, now: Instant) -> Vec<NodeId> {
        let fresh = self.fellows.iter().filter(|(_, at)| now.since(**at) <= FRESH);
        fresh.map(|(id, _)| id.clone()).collect()
    }

    /// Why it has failed, if most of its watchers find so.
    pub(super) fn reason(&self) -> Reason {
        Reason::Lossy { answered: self.answered.count_ones(), probes: self.count }
    }

    /// Whether the latest probes were mostly lost.
    pub(super) fn are_many(&self) -> bool {
        self.count == PROBES
            && self.answered.count_ones() <= ANSWERED_MAX
            && self.lost.count_ones() >= LOST_MIN
    }

    /// Whether the latest probes should be followed by others soon.
    pub(super) fn look_odd(&self) -> bool {
        let (answered, count) = self.latest();
        count - answered >= ODD_FROM
    }

    /// How many of the latest eight were answered, and how many there are.
    pub(super) fn latest(&self) -> (u32, u32) {
        let count = self.count.min(8);
        ((self.answered & 0xff).count_ones().min(count), count)
    }

    /// Which part of the latest probes were answered; `None` while there are few.
    pub(super) fn answered_share(&self) -> Option<f64> {
        (self.count >= PROBES / 3).then(|| f64::from(self.answered.count_ones()) / f64::from(self.count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(probes: impl IntoIterator<Item = (bool, bool)>) -> Losses {
        let mut losses = Losses::default();
        probes.into_iter().for_each(|(answered, lost)| losses.note(answered, lost));
        losses
    }

    #[test]
    fn each_bound_of_a_lossy_subject_holds_from_both_sides() {
        let probes = |answered, lost, silent| {
            let answered = std::iter::repeat_n((true, false), answered);
            let lost = std::iter::repeat_n((false, true), lost);
            after(answered.chain(lost).chain(std::iter::repeat_n((false, false), silent)))
        };
        assert!(probes(3, 3, 6).are_many());
        assert!(!probes(4, 3, 5).are_many(), "too many were answered");
        assert!(!probes(3, 2, 7).are_many(), "too few were lost while others got through: it may stall");
        assert!(!probes(0, 11, 0).are_many(), "too few to judge");
        assert!(probes(12, 3, 9).are_many(), "only the latest count");
    }

    #[test]
    fn a_probe_is_lost_if_a_witness_reached_the_subject_after_it_was_sent() {
        let at = |second| Instant::ORIGIN + Duration::from_secs(second);
        let mut losses = Losses::default();
        losses.note_unanswered(at(1));
        assert_eq!(losses.lost.count_ones(), 0, "no witness was asked");
        losses.note_reached(at(2));
        for sent in [3, 2, 1] {
            losses.note_unanswered(at(sent));
        }
        assert_eq!((losses.lost.count_ones(), losses.count), (2, 4));
    }

    #[test]
    fn another_watcher_counts_for_twenty_seconds_and_only_while_it_watches() {
        let id = |name| NodeId::new(name).unwrap();
        let at = |second| Instant::ORIGIN + Duration::from_secs(second);
        let mut losses = Losses::default();
        losses.note_fellow(at(0), &id("a"), &[id("a"), id("b")]);
        losses.note_fellow(at(5), &id("b"), &[id("a"), id("b")]);
        losses.note_fellow(at(5), &id("x"), &[id("a"), id("b")]);
        assert_eq!(losses.fellows(at(20)), [id("a"), id("b")]);
        assert_eq!(losses.fellows(at(21)), [id("b")]);
        losses.note_fellow(at(20), &id("b"), &[id("a"), id("b")]);
        assert_eq!(losses.fellows.len(), 2);
        losses.note_fellow(at(21), &id("b"), &[id("a"), id("b")]);
        assert_eq!(losses.fellows.len(), 1, "what counts no more is not kept");
    }

    #[test]
    fn the_share_of_answers_is_known_from_the_fourth_probe_on() {
        let answers = |count| after([(true, false), (false, false)].into_iter().cycle().take(count));
        assert_eq!((answers(3).answered_share(), answers(4).answered_share()), (None, Some(0.5)));
        assert_eq!((answers(7).latest(), answers(30).latest()), ((4, 7), (4, 8)));
        let reason = answers(30).reason();
        assert_eq!(reason, Reason::Lossy { answered: 6, probes: 12 });
    }

    #[test]
    fn half_of_eight_unanswered_looks_odd_and_a_fresh_subject_does_not() {
        let unanswered = |count| after(std::iter::repeat_n((false, false), count));
        assert!(!unanswered(3).look_odd() && unanswered(4).look_odd());
        assert!(!after([(true, false); 3]).look_odd());
        let latest = after([(false, false); 4].into_iter().chain([(true, false); 5]));
        assert!(!latest.look_odd(), "only three of the latest eight");
    }
}
