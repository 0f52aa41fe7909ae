//! Subjects that lose most messages (`Mode::Verified`). Such a subject is *lossy*: it answers too
//! often to count as silent, and too seldom to be useful. The rule follows the multi-process
//! evidence of Rapid (Suresh et al., 2018, section 4.1), with the watchers as observers.
//!
//! A watcher finds a subject lossy by its latest [`PROBES`] probes. Few of them were answered, and
//! several were *lost*: unanswered, although a witness reached the subject at the same time.
//!
//! - A stall does not look like that. A member that stalls answers all messages when its stall
//!   ends, the watcher's probe together with the witness's.
//! - A loss that all members suffer does not count either: the watcher's other subjects must
//!   answer.
//! - One bad path is not enough: more than half of the subject's watchers must find it lossy.

use std::collections::BTreeMap;
use std::time::Duration;

use kinfolk_core::{Instant, NodeId, Reason};

/// The number of probes that the judgement looks at: 12 s at one probe a second.
const PROBES: u32 = 12;
/// A lossy subject answered at most this many of them, a quarter.
const ANSWERED_MAX: u32 = 3;
/// At least this many of them were lost while a witness reached the subject. Silence alone must not
/// suffice: a member that stalls again and again also misses probes (docs/decisions/0011).
const LOST_MIN: u32 = 3;
/// A subject with at least this many misses in its latest eight probes is probed at each interval,
/// so that the judgement comes soon. By default its 12 probes take 12 s then, instead of 48 s.
const MANY_MISSES: u32 = 4;
/// The watcher's other subjects answer well if their median answered at least this share of probes.
pub(super) const OTHERS_ANSWERED_MIN: f64 = 0.75;
/// The time for which the finding of another watcher counts.
const FRESH: Duration = Duration::from_secs(20);

/// What became of the latest probes of a subject, and which other watchers find it lossy.
#[derive(Debug, Default)]
pub(super) struct Losses {
    /// One bit for each probe; the lowest bit is the latest probe.
    answered: u16,
    lost: u16,
    count: u32,
    /// When a witness last reached the subject.
    reached: Option<Instant>,
    /// The other watchers that found it lossy, and when each last reported it. Bounded: only
    /// current watchers are kept.
    other_watchers: BTreeMap<NodeId, Instant>,
}

impl Losses {
    /// A probe was answered, in time or late.
    pub(super) fn note_answered(&mut self) {
        self.note(true, false);
    }

    fn note(&mut self, answered: bool, lost: bool) {
        let all = (1 << PROBES) - 1;
        self.answered = (self.answered << 1 | u16::from(answered)) & all;
        self.lost = (self.lost << 1 | u16::from(lost)) & all;
        self.count = (self.count + 1).min(PROBES);
    }

    /// The probe that was sent at `sent` was not answered in time, or failed.
    pub(super) fn note_unanswered(&mut self, sent: Instant) {
        self.note(false, self.reached.is_some_and(|reached| reached >= sent));
    }

    /// A witness reached the subject just now.
    pub(super) fn note_reached(&mut self, now: Instant) {
        self.reached = Some(now);
    }

    /// Another watcher finds the subject lossy. `watchers` are the subject's current watchers.
    pub(super) fn note_other_watcher(&mut self, now: Instant, watcher: &NodeId, watchers: &[NodeId]) {
        self.other_watchers.insert(watcher.clone(), now);
        self.other_watchers.retain(|watcher, at| now.since(*at) <= FRESH && watchers.contains(watcher));
    }

    /// The other watchers that reported it lossy within [`FRESH`].
    pub(super) fn other_watchers(&self, now: Instant) -> Vec<NodeId> {
        let fresh = self.other_watchers.iter().filter(|(_, at)| now.since(**at) <= FRESH);
        fresh.map(|(id, _)| id.clone()).collect()
    }

    /// The reason for the failure, if most watchers agree.
    pub(super) fn reason(&self) -> Reason {
        Reason::Lossy { answered: self.answered.count_ones(), probes: self.count }
    }

    /// Whether the subject is lossy by this member's own probes.
    pub(super) fn are_many(&self) -> bool {
        self.count == PROBES
            && self.answered.count_ones() <= ANSWERED_MAX
            && self.lost.count_ones() >= LOST_MIN
    }

    /// Whether enough probes went unanswered to probe the subject at each interval.
    pub(super) fn has_many_misses(&self) -> bool {
        let (answered, count) = self.latest();
        count - answered >= MANY_MISSES
    }

    /// Of the latest eight probes, how many were answered, and how many there are.
    pub(super) fn latest(&self) -> (u32, u32) {
        let count = self.count.min(8);
        ((self.answered & 0xff).count_ones().min(count), count)
    }

    /// The share of the latest probes that were answered; `None` before the fourth probe, because
    /// fewer say too little.
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
    fn lossy_bounds_hold_from_both_sides() {
        let probes = |answered, lost, silent| {
            let answered = std::iter::repeat_n((true, false), answered);
            let lost = std::iter::repeat_n((false, true), lost);
            after(answered.chain(lost).chain(std::iter::repeat_n((false, false), silent)))
        };
        assert!(probes(3, 3, 6).are_many());
        assert!(!probes(4, 3, 5).are_many(), "too many were answered");
        assert!(!probes(3, 2, 7).are_many(), "too few were lost: it may stall");
        assert!(!probes(0, 11, 0).are_many(), "too few probes to judge");
        assert!(probes(12, 3, 9).are_many(), "only the latest probes count");
    }

    #[test]
    fn unanswered_probe_is_lost_if_a_witness_got_through() {
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
    fn other_watcher_counts_for_20_s_while_it_watches() {
        let id = |name| NodeId::new(name).unwrap();
        let at = |second| Instant::ORIGIN + Duration::from_secs(second);
        let mut losses = Losses::default();
        losses.note_other_watcher(at(0), &id("a"), &[id("a"), id("b")]);
        losses.note_other_watcher(at(5), &id("b"), &[id("a"), id("b")]);
        losses.note_other_watcher(at(5), &id("x"), &[id("a"), id("b")]);
        assert_eq!(losses.other_watchers(at(20)), [id("a"), id("b")]);
        assert_eq!(losses.other_watchers(at(21)), [id("b")]);
        losses.note_other_watcher(at(20), &id("b"), &[id("a"), id("b")]);
        assert_eq!(losses.other_watchers.len(), 2);
        losses.note_other_watcher(at(21), &id("b"), &[id("a"), id("b")]);
        assert_eq!(losses.other_watchers.len(), 1, "an expired report is not kept");
    }

    #[test]
    fn answered_share_is_known_from_the_fourth_probe() {
        let answers = |count| after([(true, false), (false, false)].into_iter().cycle().take(count));
        assert_eq!((answers(3).answered_share(), answers(4).answered_share()), (None, Some(0.5)));
        assert_eq!((answers(7).latest(), answers(30).latest()), ((4, 7), (4, 8)));
        let reason = answers(30).reason();
        assert_eq!(reason, Reason::Lossy { answered: 6, probes: 12 });
    }

    #[test]
    fn four_of_eight_probes_unanswered_are_many_misses() {
        let unanswered = |count| after(std::iter::repeat_n((false, false), count));
        assert!(!unanswered(3).has_many_misses() && unanswered(4).has_many_misses());
        assert!(!after([(true, false); 3]).has_many_misses());
        let latest = after([(false, false); 4].into_iter().chain([(true, false); 5]));
        assert!(!latest.has_many_misses(), "only three of the latest eight");
    }
}
