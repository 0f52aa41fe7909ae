//! The mass-failure hold (`Mode::Verified`). If nearly half of the group becomes silent at once,
//! this member may be the isolated one. So it holds its verdicts by silence for a grace, reports a
//! partition, and then goes ahead.
//!
//! ```text
//!               nearly half are silent                    the grace is over
//!     armed ─────────────────────────────────> held ──────────────────────────────> released
//!      ^  ^ no longer nearly half,              │                                      │
//!      │  │ for tolerated_pause                 │                                      │
//!      │  └─────────────────────────────────────┘                                      │
//!      └───────────────────────────────────────────────────────────────────────────────┘
//!                         no member was silent for a whole grace
//! ```
//!
//! The threshold is two fifths and not a half ([`is_mass_failure`]), because a member counts only
//! the silences that it has heard of so far (docs/decisions/0010). A
//! [`Partition`](crate::detection::partition::Partition) reports what the member sees, in every
//! mode.

use std::time::Duration;

use kinfolk_core::{Instant, NodeId, NodeState, NodeStatus};
use kinfolk_detector::is_mass_failure;

use super::Rings;
use super::places::{self, ALL_WATCH_ALL, Places};
use super::subjects::Subjects;
use crate::context::Context;
use crate::detection::partition::counts;
use crate::fact::Fact;

/// How many suspects a member watches in place of watchers that may be dead. If there are more, the
/// rest waits until some have failed.
const SUSPECTS_MAX: usize = 64;

/// Whether verdicts by silence are held. Pure: its caller passes the counts and the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Hold {
    /// At most two fifths of the members are silent.
    #[default]
    Armed,
    /// Verdicts are held since `since`. `eased`: since when the silent members are no longer nearly
    /// half. The remaining ones may be about to answer, too.
    Held { since: Instant, eased: Option<Instant> },
    /// The grace is over and verdicts go ahead. `calm`: since when no member is silent.
    Released { calm: Option<Instant> },
}

impl Hold {
    /// At `now`, `silent` of `members` are silent.
    fn observe(
        &mut self,
        now: Instant,
        (silent, members): (usize, usize),
        Times { grace, tolerated }: Times,
    ) {
        let mass = is_mass_failure(silent, members);
        *self = match *self {
            Self::Armed if mass && !grace.is_zero() => Self::Held { since: now, eased: None },
            // The grace runs from its start, whatever answers meanwhile. Otherwise a silence that
            // comes and goes would hold the verdicts without end.
            Self::Held { since, .. } if now.since(since) >= grace => Self::Released { calm: None },
            Self::Held { since, .. } if mass => Self::Held { since, eased: None },
            Self::Held { since, eased } => {
                let eased = eased.unwrap_or(now);
                let over = now.since(eased) >= tolerated;
                if over { Self::Armed } else { Self::Held { since, eased: Some(eased) } }
            }
            Self::Released { calm } if silent == 0 => {
                let since = calm.unwrap_or(now);
                if now.since(since) >= grace { Self::Armed } else { Self::Released { calm: Some(since) } }
            }
            // A second grace would delay the verdicts again, so it needs a calm time as long as the
            // grace.
            Self::Released { .. } => Self::Released { calm: None },
            Self::Armed => Self::Armed,
        };
    }

    /// This member was paused for `by`. The clocks of `Held` stand still: nobody could answer it
    /// then.
    fn paused(&mut self, by: Duration) {
        if let Self::Held { since, eased } = self {
            *since += by;
            *eased = eased.map(|eased| eased + by);
        }
    }
}

/// The two durations of the configuration that the mass-failure hold needs.
#[derive(Debug, Clone, Copy)]
struct Times {
    grace: Duration,
    tolerated: Duration,
}

/// What this member knows about a mass failure.
#[derive(Debug)]
pub(super) struct MassFailure {
    hold: Hold,
    /// When this member last received a message.
    heard: Instant,
    closed: Option<Closed>,
}

/// Rings around the silent members, while so many are silent that some members may have too few
/// live watchers.
#[derive(Debug)]
struct Closed {
    /// The rings of the live members.
    live: Box<Places>,
    /// The suspects that this member watches in place of watchers that may be dead. A failure needs
    /// several accusers. If the others began to watch only when the dead ones have failed, the
    /// silence that they find would be too short for long.
    suspects: Vec<NodeId>,
}

impl MassFailure {
    pub(super) fn new(now: Instant) -> Self {
        Self { hold: Hold::default(), heard: now, closed: None }
    }

    /// This member received a message.
    pub(super) fn heard(&mut self, now: Instant) {
        self.heard = now;
    }

    /// This member was paused for `by` until `now`.
    pub(super) fn paused(&mut self, now: Instant, by: Duration) {
        // A pause of this member is no silence of all others.
        self.hold.paused(by);
        self.heard = now;
    }

    /// Whether this member received nothing for `tolerated_pause`. A single other member may stall
    /// that long; all of them at once may not.
    pub(super) fn is_isolated(&self, cx: &Context) -> bool {
        !cx.roster.is_empty() && cx.now.since(self.heard) >= cx.config.tolerated_pause
    }

    /// The subjects and watchers beyond those in the rings of all members, if many are silent.
    /// These are the neighbours in the closed rings, the suspects before them, and the members that
    /// this member accuses already.
    pub(super) fn more_neighbours(&self, cx: &Context, subjects: &Subjects) -> (Vec<NodeId>, Vec<NodeId>) {
        let Some(rings) = &self.closed else { return Default::default() };
        let mut more = rings.live.subjects();
        more.extend(rings.suspects.iter().chain(subjects.accused()).cloned());
        more.retain(|id| cx.members.member(id).is_some());
        (more, rings.live.watchers())
    }

    /// Closes the rings around the silent members, or opens them again. Returns `Some(true)` if
    /// they have just closed, and `None` if nothing changed.
    fn close(&mut self, cx: &Context, close: bool) -> Option<bool> {
        if !close && self.closed.is_none() {
            return None;
        }
        let begins = self.closed.is_none();
        self.closed = close.then(|| {
            let snapshot = cx.members.snapshot();
            let mut live = Places::new(&cx.me);
            let others = |state| {
                let others = snapshot.members().filter(|node| node.id != cx.me);
                others.filter(move |node| node.state == state).map(|node| &node.id)
            };
            others(NodeState::Alive).for_each(|id| live.insert(id));
            let (alive, suspect) = (others(NodeState::Alive), others(NodeState::Suspect));
            let mut suspects = places::subjects_of(&cx.me, alive, suspect, cx.config.accusers_required);
            suspects.truncate(SUSPECTS_MAX);
            Closed { live: live.into(), suspects }
        });
        Some(begins)
    }

    /// Starts an anti-entropy round with each new neighbour. While many members are cut off, gossip
    /// may not have reached them, or this member.
    fn catch_up(&self, cx: &mut Context) {
        let Some(rings) = &self.closed else { return };
        let mut neighbours = [rings.live.subjects(), rings.live.watchers()].concat();
        neighbours.sort_unstable();
        neighbours.dedup();
        for id in neighbours {
            cx.fact(Fact::CompareWith(id));
        }
    }
}

impl Rings {
    /// Whether this member holds its verdicts now.
    pub(crate) fn is_holding(&self) -> bool {
        matches!(self.mass.hold, Hold::Held { .. })
    }

    /// Whether the verdict about a member with this silence is held now. If a quarter is silent,
    /// but not nearly half, it is held for one interval more: reports of more silent members may be
    /// on their way.
    pub(super) fn holds_verdict(&mut self, cx: &mut Context, silence: Duration) -> bool {
        self.count_silent(cx);
        let held = match self.mass.hold {
            Hold::Armed => {
                self.mass.closed.is_some() && silence < cx.tolerated_pause() + cx.config.probe_interval
            }
            Hold::Held { .. } => true,
            Hold::Released { .. } => false,
        };
        cx.stats.verdicts_held += u64::from(held);
        held
    }

    /// Counts the silent members and updates the partition, the rings, and the mass-failure hold.
    /// Returns whether to count again.
    pub(super) fn count_silent(&mut self, cx: &mut Context) -> bool {
        let mut counts = counts(cx);
        let isolated = self.mass.is_isolated(cx);
        let unheard = if isolated { counts.live - 1 } else { self.subjects.unsuspected_silent(cx) };
        counts.live -= unheard;
        self.partition.observe(cx, counts);
        let mut silent = counts.members - counts.live;
        // With few silent members hardly any member loses all its watchers, and in a small group
        // all members watch each other.
        let in_rings = cx.roster.len() >= ALL_WATCH_ALL;
        let many = in_rings && silent * 4 >= counts.members && !isolated;
        // The rings stay closed until no member is silent. A member whose watchers are all silent
        // gets new ones, which find out before the grace is over whether it is alive.
        let close = many || self.mass.closed.is_some() && silent > 0;
        if let Some(begins) = self.mass.close(cx, close) {
            self.update_neighbours(cx);
            if begins {
                self.mass.catch_up(cx);
            }
        }
        silent += if many { orphans(cx, &self.subjects) } else { 0 };
        let times = Times { grace: cx.config.partition_grace, tolerated: cx.config.tolerated_pause };
        self.mass.hold.observe(cx.now, (silent, counts.members), times);
        silent > 0 || self.mass.hold != Hold::Armed || !self.partition.is_whole()
    }
}

/// The number of members whose watchers are all silent.
fn orphans(cx: &Context, subjects: &Subjects) -> usize {
    let snapshot = cx.members.snapshot();
    let is_live = |node: &NodeStatus| node.state == NodeState::Alive && !subjects.is_silent(&node.id);
    places::orphans(&cx.me, snapshot.members().map(|node| (&node.id, is_live(node))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detection::rings::subject::InFlight;
    use crate::interface::config::SwimConfig;

    const TIMES: Times = Times { grace: Duration::from_secs(30), tolerated: Duration::from_secs(5) };

    fn at(second: u64) -> Instant {
        Instant::ORIGIN + Duration::from_secs(second)
    }

    /// For each of these seconds, shows the mass-failure hold this number of silent members of ten.
    fn pass(hold: &mut Hold, seconds: std::ops::RangeInclusive<u64>, silent: usize) {
        seconds.for_each(|second| hold.observe(at(second), (silent, 10), TIMES));
    }

    #[test]
    fn five_of_ten_are_held_and_four_are_not() {
        let mut hold = Hold::default();
        pass(&mut hold, 0..=100, 4);
        assert_eq!(hold, Hold::Armed);
        pass(&mut hold, 100..=129, 5);
        assert_eq!(hold, Hold::Held { since: at(100), eased: None });
        pass(&mut hold, 130..=130, 5);
        assert_eq!(hold, Hold::Released { calm: None });
    }

    /// The next hold lasts a whole grace again.
    #[test]
    fn brake_is_armed_after_eased_tolerated_pause() {
        let mut hold = Hold::default();
        pass(&mut hold, 0..=10, 5);
        pass(&mut hold, 11..=15, 4);
        assert_eq!(hold, Hold::Held { since: at(0), eased: Some(at(11)) });
        pass(&mut hold, 16..=16, 4);
        assert_eq!(hold, Hold::Armed);
        pass(&mut hold, 17..=46, 5);
        assert_eq!(hold, Hold::Held { since: at(17), eased: None });
    }

    #[test]
    fn grace_ends_in_time_if_silence_varies() {
        let mut hold = Hold::default();
        for second in 0..30 {
            pass(&mut hold, second..=second, if second % 3 == 0 { 5 } else { 4 });
            assert!(matches!(hold, Hold::Held { .. }), "{second}");
        }
        pass(&mut hold, 30..=30, 5);
        assert_eq!(hold, Hold::Released { calm: None });
    }

    #[test]
    fn released_brake_needs_a_calm_grace_to_arm() {
        let mut hold = Hold::default();
        pass(&mut hold, 0..=30, 5);
        pass(&mut hold, 31..=60, 1);
        pass(&mut hold, 61..=90, 0);
        pass(&mut hold, 91..=91, 5);
        assert_eq!(hold, Hold::Released { calm: None }, "29 s are less than the grace");
        pass(&mut hold, 100..=130, 0);
        assert_eq!(hold, Hold::Armed);
    }

    #[test]
    fn own_pause_extends_the_grace() {
        let mut hold = Hold::default();
        pass(&mut hold, 0..=10, 5);
        hold.paused(Duration::from_mins(1));
        pass(&mut hold, 70..=89, 5);
        assert!(matches!(hold, Hold::Held { .. }));
        pass(&mut hold, 90..=90, 5);
        assert!(matches!(hold, Hold::Released { .. }));
    }

    #[test]
    fn own_pause_extends_the_eased_time() {
        let mut hold = Hold::default();
        pass(&mut hold, 0..=10, 5);
        pass(&mut hold, 11..=12, 4);
        hold.paused(Duration::from_secs(10));
        pass(&mut hold, 22..=25, 4);
        assert_eq!(hold, Hold::Held { since: at(10), eased: Some(at(21)) });
        pass(&mut hold, 26..=26, 4);
        assert_eq!(hold, Hold::Armed);
    }

    #[test]
    fn live_member_with_suspect_watchers_is_an_orphan() {
        let names: Vec<String> = (0..100).map(|number| format!("n{number}")).collect();
        let state =
            |number: usize| if number.is_multiple_of(3) { NodeState::Alive } else { NodeState::Suspect };
        let others: Vec<_> = names.iter().zip(0..).map(|(name, at)| (name.as_str(), state(at))).collect();
        let cx = Context::of_others(SwimConfig::verified(), &others);
        let ids: Vec<_> = cx.members.snapshot().members().cloned().collect();
        let expected =
            places::orphans(&cx.me, ids.iter().map(|node| (&node.id, node.state == NodeState::Alive)));
        assert!(expected > 0);
        assert_eq!(orphans(&cx, &Subjects::default()), expected);
    }

    #[test]
    fn zero_grace_holds_nothing() {
        let mut hold = Hold::default();
        hold.observe(at(0), (5, 10), Times { grace: Duration::ZERO, ..TIMES });
        assert_eq!(hold, Hold::Armed);
    }

    fn names() -> Vec<String> {
        (0..20).map(|number| format!("n{number:02}")).collect()
    }

    /// Closed rings in which this member is alone.
    fn nobody(cx: &Context) -> Closed {
        Closed { live: Places::new(&cx.me).into(), suspects: Vec::new() }
    }

    /// A group of 21 in which the others are suspect if `suspect` says so, and the rings of this
    /// member.
    fn group(suspect: impl Fn(&str) -> bool) -> (Context, Rings) {
        let names = names();
        let state = |name: &String| if suspect(name) { NodeState::Suspect } else { NodeState::Alive };
        let others: Vec<_> = names.iter().map(|name| (name.as_str(), state(name))).collect();
        let mut cx = Context::of_others(SwimConfig::verified(), &others);
        let mut rings = Rings::new(&cx);
        rings.begin(&mut cx);
        (cx, rings)
    }

    /// Eight of 21 are no mass failure, but nine are.
    #[test]
    fn member_with_only_silent_watchers_counts_as_silent() {
        let (mut with_orphans, mut without) = (0, 0);
        for first in 0..20 {
            let is_suspect = |name: &str| (0..8).any(|at| names()[(first + 7 * at) % 20] == *name);
            let (mut cx, mut rings) = group(is_suspect);
            let orphans = orphans(&cx, &rings.subjects);
            rings.count_silent(&mut cx);
            assert_eq!(rings.mass.hold == Hold::Armed, orphans == 0, "{orphans} orphans");
            if orphans == 0 { without += 1 } else { with_orphans += 1 }
        }
        assert!(with_orphans > 0 && without > 0, "{with_orphans} with orphans, {without} without");
    }

    #[test]
    fn count_is_repeated_until_all_is_well() {
        let (mut cx, mut rings) = group(|_| false);
        assert!(!rings.count_silent(&mut cx));
        rings.mass.hold = Hold::Released { calm: None };
        assert!(rings.count_silent(&mut cx), "the hold is not armed again");
        rings.mass.hold = Hold::Armed;
        let (mut one_silent, _) = group(|name| name == "n00");
        assert!(rings.count_silent(&mut one_silent));
        let names = names();
        let failed: Vec<_> = names.iter().map(|name| (name.as_str(), NodeState::Failed)).collect();
        let mut alone = Context::of_others(SwimConfig::verified(), &failed);
        assert!(rings.count_silent(&mut alone), "all others have failed");
    }

    #[test]
    fn closed_rings_hold_a_verdict_for_one_interval() {
        let (mut cx, mut rings) = group(|name| name == "n00");
        let limit = cx.config.tolerated_pause + cx.config.probe_interval;
        let less = limit.saturating_sub(Duration::from_nanos(1));
        assert!(!rings.holds_verdict(&mut cx, less), "the rings are open");
        rings.mass.closed = Some(nobody(&cx));
        assert!(rings.holds_verdict(&mut cx, less) && !rings.holds_verdict(&mut cx, limit));
        assert_eq!(cx.stats.verdicts_held, 1);
    }

    #[test]
    fn accused_member_stays_a_subject_of_closed_rings() {
        let (mut cx, mut rings) = group(|_| false);
        let watched: Vec<_> = rings.subjects.ids().cloned().collect();
        let more = |rings: &Rings, cx: &Context| rings.mass.more_neighbours(cx, &rings.subjects).0;
        let key = cx.timers.schedule(cx.now, crate::timer::Timer::CountSilent);
        let subject = rings.subjects.get_mut(&watched[0]).unwrap();
        let request = crate::RequestId(0);
        subject.sent(InFlight { request, sent: cx.now, timer: key, digest: 0, again: false });
        subject.missed(&mut cx.timers);
        rings.mass.closed = Some(nobody(&cx));
        assert_eq!(more(&rings, &cx), [], "it is silent");
        rings.subjects.get_mut(&watched[0]).unwrap().accuse(key);
        assert_eq!(more(&rings, &cx), watched[..1]);
        rings.mass.closed = None;
        assert_eq!(more(&rings, &cx), []);
    }

    #[test]
    fn member_that_hears_nothing_for_5_s_is_isolated() {
        let (mut cx, mut rings) = group(|_| false);
        cx.now += cx.config.tolerated_pause.saturating_sub(Duration::from_nanos(1));
        assert!(!rings.mass.is_isolated(&cx));
        cx.now += Duration::from_nanos(1);
        assert!(rings.mass.is_isolated(&cx));
        rings.mass.paused(cx.now, Duration::from_secs(5));
        assert!(!rings.mass.is_isolated(&cx), "it could not receive in its pause");
        cx.now += cx.config.tolerated_pause;
        assert!(rings.mass.is_isolated(&cx));
        let mut alone = Context::of_others(SwimConfig::verified(), &[]);
        alone.now = cx.now;
        assert!(!rings.mass.is_isolated(&alone), "there is nobody to hear from");
    }
}
