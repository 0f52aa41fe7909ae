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

use crate::machine::Machine;
use crate::rings::{self, ALL_WATCH_ALL};

/// By how many probes a subject is judged.
const PROBES: u32 = 12;
/// It is lossy if no more than so many of them were answered,
const ANSWERED_MAX: u32 = 3;
/// and at least so many were lost while a witness reached it.
const LOST_MIN: u32 = 3;
/// From so many unanswered ones of the latest eight on, it is probed each interval, so that it is judged soon.
const ODD_FROM: u32 = 4;
/// The watcher's other subjects answer as they should if the median of them answered three of four.
const OTHERS_ANSWERED_MIN: f64 = 0.75;
/// For how long it counts that another watcher has found it lossy.
const FRESH: Duration = Duration::from_secs(20);

/// What became of the latest probes of a subject, and who else finds it lossy.
#[derive(Debug, Default)]
pub(crate) struct Losses {
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
    pub(crate) fn note_answered(&mut self) {
        self.note(true, false);
    }

    fn note(&mut self, answered: bool, lost: bool) {
        let all = (1 << PROBES) - 1;
        self.answered = (self.answered << 1 | u16::from(answered)) & all;
        self.lost = (self.lost << 1 | u16::from(lost)) & all;
        self.count = (self.count + 1).min(PROBES);
    }

    fn are_many(&self) -> bool {
        self.count == PROBES
            && self.answered.count_ones() <= ANSWERED_MAX
            && self.lost.count_ones() >= LOST_MIN
    }

    /// Whether the latest probes should be followed by others soon.
    pub(crate) fn look_odd(&self) -> bool {
        let (answered, count) = self.latest();
        count - answered >= ODD_FROM
    }

    /// How many of the latest eight were answered, and how many there are.
    fn latest(&self) -> (u32, u32) {
        let count = self.count.min(8);
        ((self.answered & 0xff).count_ones().min(count), count)
    }

    fn answered_share(&self) -> Option<f64> {
        (self.count >= PROBES / 3).then(|| f64::from(self.answered.count_ones()) / f64::from(self.count))
    }
}

impl Machine {
    /// No answer came to the probe that was sent at `sent`, and none will.
    pub(crate) fn note_unanswered(&mut self, now: Instant, id: &NodeId, sent: Instant) {
        let Some(subject) = self.watch.subjects.get_mut(id).filter(|_| sent >= self.watch.pause_ended) else {
            return;
        };
        let lost = subject.losses.reached.is_some_and(|reached| reached >= sent);
        subject.losses.note(false, lost);
        self.judge_losses(now, id);
    }

    /// A witness has just reached the subject.
    pub(crate) fn note_reached(&mut self, now: Instant, id: &NodeId) {
        if let Some(subject) = self.watch.subjects.get_mut(id) {
            subject.losses.reached = Some(now);
        }
    }

    /// A witness that could not reach the subject either finds it lossy.
    pub(crate) fn note_fellow(&mut self, now: Instant, id: &NodeId, fellow: &NodeId) {
        let watchers = self.watchers_of(id);
        let Some(subject) = self.watch.subjects.get_mut(id).filter(|_| watchers.contains(fellow)) else {
            return;
        };
        subject.losses.fellows.insert(fellow.clone(), now);
        subject.losses.fellows.retain(|fellow, at| now.since(*at) <= FRESH && watchers.contains(fellow));
        self.judge_losses(now, id);
    }

    /// Whether we find this subject lossy.
    pub(crate) fn is_lossy(&self, id: &NodeId) -> bool {
        self.watch.subjects.get(id).is_some_and(|subject| subject.losses.are_many()) && self.others_answer(id)
    }

    /// Whether fewer than half of our own latest probes were answered: then it may be we who can hardly be reached, and what we
    /// hear of ourselves may be the smaller part of what is said.
    pub(crate) fn reaches_few(&self) -> bool {
        let latest = self.watch.subjects.values().map(|subject| subject.losses.latest());
        let (answered, count) = latest.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        count >= 8 && answered * 2 < count
    }

    /// A subject that most of its watchers find lossy is declared failed.
    fn judge_losses(&mut self, now: Instant, id: &NodeId) {
        if !self.is_lossy(id) {
            return;
        }
        let Some(losses) = self.watch.subjects.get(id).map(|subject| &subject.losses) else { return };
        let fellows: Vec<NodeId> = losses
            .fellows
            .iter()
            .filter(|(_, at)| now.since(**at) <= FRESH)
            .map(|(id, _)| id.clone())
            .collect();
        // Ourselves among them; and never we alone.
        let needed = (self.watchers_of(id).len() / 2 + 1).max(2);
        if fellows.len() + 1 >= needed {
            let reason = Reason::Lossy { answered: losses.answered.count_ones(), probes: losses.count };
            self.stats.lossy += 1;
            self.pronounce(now, id, fellows, reason);
        }
    }

    fn others_answer(&self, id: &NodeId) -> bool {
        let others = self.watch.subjects.iter().filter(|(other, _)| *other != id);
        let mut shares: Vec<f64> =
            others.filter_map(|(_, subject)| subject.losses.answered_share()).collect();
        shares.sort_unstable_by(f64::total_cmp);
        shares.get(shares.len() / 2).is_some_and(|median| *median >= OTHERS_ANSWERED_MIN)
    }

    /// Who watches a subject of ours, ourselves included.
    fn watchers_of(&self, id: &NodeId) -> Vec<NodeId> {
        let others = self.overlay.ids();
        if others.len() < ALL_WATCH_ALL {
            return others.iter().filter(|other| *other != id).chain([&self.me.id]).cloned().collect();
        }
        rings::watchers_of(id, others.iter().chain([&self.me.id]))
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
    fn half_of_eight_unanswered_looks_odd_and_a_fresh_subject_does_not() {
        let unanswered = |count| after(std::iter::repeat_n((false, false), count));
        assert!(!unanswered(3).look_odd() && unanswered(4).look_odd());
        assert!(!after([(true, false); 3]).look_odd());
        let latest = after([(false, false); 4].into_iter().chain([(true, false); 5]));
        assert!(!latest.look_odd(), "only three of the latest eight");
    }
}
