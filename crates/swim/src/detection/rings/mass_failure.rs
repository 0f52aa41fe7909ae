//! The mass-failure brake (`Mode::Verified`): where nearly half of the group falls silent at once, a member suspects itself
//! first. It holds its verdicts by silence for a grace, says that the group may be parted, and then goes ahead.
//!
//! ```text
//!                nearly half are silent                        the grace is over
//!      armed ───────────────────────────────> held ───────────────────────────────> released
//!        ^  ^   for tolerated_pause no longer      │                                        │
//!        │  └──────────────────────────────────┘                                        │
//!        └──────────────────────────────────────────────────────────────────────────────┘
//!                                  nobody has been silent for a grace
//! ```
//!
//! The bar is two fifths and not a half ([`is_mass`]), because what is counted is what a member has heard of so far. What it
//! sees is told by a [`Partition`](crate::detection::partition::Partition), in every mode.

use std::time::Duration;

use kinfolk_core::{Instant, NodeId, NodeState, NodeStatus};
use kinfolk_detector::is_mass;

use super::Rings;
use super::places::{self, ALL_WATCH_ALL, Places};
use super::subjects::Subjects;
use crate::context::Context;
use crate::detection::partition::counts;
use crate::fact::Fact;

/// Whether verdicts by silence are held. Pure: it is shown how many are silent, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Brake {
    /// No more than a few are silent.
    #[default]
    Armed,
    /// Verdicts are held, since then. `eased`: since when it is no longer nearly half that is silent. The rest may well be
    /// about to answer.
    Held { since: Instant, eased: Option<Instant> },
    /// The grace is over and verdicts go ahead. `calm`: since when nobody has been silent.
    Released { calm: Option<Instant> },
}

impl Brake {
    /// So many of so many members are silent at `now`.
    fn observe(
        &mut self,
        now: Instant,
        (silent, members): (usize, usize),
        Times { grace, tolerated }: Times,
    ) {
        let mass = is_mass(silent, members);
        *self = match *self {
            Self::Armed if mass && !grace.is_zero() => Self::Held { since: now, eased: None },
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
            Self::Released { .. } => Self::Released { calm: None },
            Self::Armed => Self::Armed,
        };
    }

    /// We were paused for so long: no time in which somebody could have answered.
    fn paused(&mut self, by: Duration) {
        if let Self::Held { since, eased } = self {
            *since += by;
            *eased = eased.map(|eased| eased + by);
        }
    }
}

/// The two times of the configuration that matter to the brake.
#[derive(Debug, Clone, Copy)]
struct Times {
    grace: Duration,
    tolerated: Duration,
}

/// What is known about a failure of many.
#[derive(Debug)]
pub(super) struct MassFailure {
    brake: Brake,
    /// When anybody was last heard from.
    heard: Instant,
    /// The rings of those that still speak, while so many are silent that some may have no other watcher.
    closed: Option<Box<Places>>,
}

impl MassFailure {
    pub(super) fn new(now: Instant) -> Self {
        Self { brake: Brake::default(), heard: now, closed: None }
    }

    /// Somebody was heard from.
    pub(super) fn heard(&mut self, now: Instant) {
        self.heard = now;
    }

    /// We were paused until now, for so long.
    pub(super) fn paused(&mut self, now: Instant, by: Duration) {
        self.brake.paused(by);
        self.heard = now;
    }

    /// Whether nobody at all has been heard from for as long as any one may stall.
    pub(super) fn is_isolated(&self, cx: &Context) -> bool {
        !cx.roster.is_empty() && cx.now.since(self.heard) >= cx.config.tolerated_pause
    }

    /// Whom we watch, and who watches us, beside those in the rings of all members, if many are silent: our neighbours in
    /// the rings of those that speak, and whom we accuse already.
    pub(super) fn more_neighbours(&self, cx: &Context, subjects: &Subjects) -> (Vec<NodeId>, Vec<NodeId>) {
        let Some(rings) = &self.closed else { return Default::default() };
        let mut more = rings.subjects();
        more.extend(subjects.accused().cloned());
        more.retain(|id| cx.members.member(id).is_some());
        (more, rings.watchers())
    }

    /// The rings close around those that are silent, or open again. Returns whether they have just closed; `None` if
    /// nothing has changed.
    fn close(&mut self, cx: &Context, close: bool) -> Option<bool> {
        if !close && self.closed.is_none() {
            return None;
        }
        let begins = self.closed.is_none();
        self.closed = close.then(|| {
            let snapshot = cx.members.snapshot();
            let mut rings = Places::new(&cx.me);
            let others = snapshot.members().filter(|node| node.id != cx.me);
            others.filter(|node| node.state == NodeState::Alive).for_each(|node| rings.insert(&node.id));
            Box::new(rings)
        });
        Some(begins)
    }

    /// Has views compared with our new neighbours: with many cut off, news may not have come round to them, or to us.
    fn catch_up(&self, cx: &mut Context) {
        let Some(rings) = &self.closed else { return };
        let mut neighbours = [rings.subjects(), rings.watchers()].concat();
        neighbours.sort_unstable();
        neighbours.dedup();
        for id in neighbours {
            cx.fact(Fact::CompareWith(id));
        }
    }
}

impl Rings {
    /// Whether a verdict about one that has been silent for so long is held now. Where many are silent, but not nearly
    /// half, it is held for one interval: more may be about to be heard of.
    pub(super) fn holds_verdict(&mut self, cx: &mut Context, silence: Duration) -> bool {
        self.look(cx);
        let held = match self.mass.brake {
            Brake::Armed => {
                self.mass.closed.is_some() && silence < cx.tolerated_pause() + cx.config.probe_interval
            }
            Brake::Held { .. } => true,
            Brake::Released { .. } => false,
        };
        cx.stats.verdicts_held += u64::from(held);
        held
    }

    /// Counts who is silent, and draws the consequences. Returns whether to look again.
    pub(super) fn look(&mut self, cx: &mut Context) -> bool {
        let mut counts = counts(cx);
        let isolated = self.mass.is_isolated(cx);
        let unheard = if isolated { counts.live - 1 } else { self.subjects.mute_alive(cx) };
        counts.live -= unheard;
        self.partition.observe(cx, counts);
        let mut silent = counts.members - counts.live;
        // Of few silent ones hardly anybody is left an orphan, and in a small group everybody watches everybody.
        let in_rings = cx.roster.len() >= ALL_WATCH_ALL;
        let many = in_rings && silent * 4 >= counts.members && !isolated;
        // Where many are silent the rings close around them, until nobody is: whoever had only silent watchers gets others,
        // who find out whether it lives before the grace is over.
        let close = many || self.mass.closed.is_some() && silent > 0;
        if let Some(begins) = self.mass.close(cx, close) {
            self.rewatch(cx);
            if begins {
                self.mass.catch_up(cx);
            }
        }
        silent += if many { orphans(cx, &self.subjects) } else { 0 };
        let times = Times { grace: cx.config.partition_grace, tolerated: cx.config.tolerated_pause };
        self.mass.brake.observe(cx.now, (silent, counts.members), times);
        silent > 0 || self.mass.brake != Brake::Armed || !self.partition.is_whole()
    }
}

/// How many are watched by silent ones alone.
fn orphans(cx: &Context, subjects: &Subjects) -> usize {
    let snapshot = cx.members.snapshot();
    let speaks = |node: &NodeStatus| node.state == NodeState::Alive && !subjects.is_silent(&node.id);
    places::orphans(&cx.me, snapshot.members().map(|node| (&node.id, speaks(node))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interface::config::SwimConfig;

    const TIMES: Times = Times { grace: Duration::from_secs(30), tolerated: Duration::from_secs(5) };

    fn at(second: u64) -> Instant {
        Instant::ORIGIN + Duration::from_secs(second)
    }

    /// Shows the brake so many silent ones of ten at each of these seconds.
    fn pass(brake: &mut Brake, seconds: std::ops::RangeInclusive<u64>, silent: usize) {
        seconds.for_each(|second| brake.observe(at(second), (silent, 10), TIMES));
    }

    #[test]
    fn five_of_ten_are_held_for_the_grace_and_four_are_not_held_at_all() {
        let mut brake = Brake::default();
        pass(&mut brake, 0..=100, 4);
        assert_eq!(brake, Brake::Armed);
        pass(&mut brake, 100..=129, 5);
        assert_eq!(brake, Brake::Held { since: at(100), eased: None });
        pass(&mut brake, 130..=130, 5);
        assert_eq!(brake, Brake::Released { calm: None });
    }

    #[test]
    fn when_enough_answer_again_the_rest_have_the_tolerated_pause_to_do_so_and_the_next_time_is_held_in_full()
    {
        let mut brake = Brake::default();
        pass(&mut brake, 0..=10, 5);
        pass(&mut brake, 11..=15, 4);
        assert_eq!(brake, Brake::Held { since: at(0), eased: Some(at(11)) });
        pass(&mut brake, 16..=16, 4);
        assert_eq!(brake, Brake::Armed);
        pass(&mut brake, 17..=46, 5);
        assert_eq!(brake, Brake::Held { since: at(17), eased: None });
    }

    #[test]
    fn the_grace_ends_in_time_whatever_answers_and_falls_silent_again() {
        let mut brake = Brake::default();
        for second in 0..30 {
            pass(&mut brake, second..=second, if second % 3 == 0 { 5 } else { 4 });
            assert!(matches!(brake, Brake::Held { .. }), "{second}");
        }
        pass(&mut brake, 30..=30, 5);
        assert_eq!(brake, Brake::Released { calm: None });
    }

    #[test]
    fn once_released_nothing_is_held_until_nobody_has_been_silent_for_a_grace() {
        let mut brake = Brake::default();
        pass(&mut brake, 0..=30, 5);
        pass(&mut brake, 31..=60, 1);
        pass(&mut brake, 61..=90, 0);
        pass(&mut brake, 91..=91, 5);
        assert_eq!(brake, Brake::Released { calm: None }, "29 s are not enough");
        pass(&mut brake, 100..=130, 0);
        assert_eq!(brake, Brake::Armed);
    }

    #[test]
    fn a_pause_of_our_own_is_taken_out_of_the_grace() {
        let mut brake = Brake::default();
        pass(&mut brake, 0..=10, 5);
        brake.paused(Duration::from_mins(1));
        pass(&mut brake, 70..=89, 5);
        assert!(matches!(brake, Brake::Held { .. }));
        pass(&mut brake, 90..=90, 5);
        assert!(matches!(brake, Brake::Released { .. }));
    }

    #[test]
    fn a_pause_of_our_own_is_taken_out_of_the_time_that_the_rest_has_to_answer() {
        let mut brake = Brake::default();
        pass(&mut brake, 0..=10, 5);
        pass(&mut brake, 11..=12, 4);
        brake.paused(Duration::from_secs(10));
        pass(&mut brake, 22..=25, 4);
        assert_eq!(brake, Brake::Held { since: at(10), eased: Some(at(21)) });
        pass(&mut brake, 26..=26, 4);
        assert_eq!(brake, Brake::Armed);
    }

    #[test]
    fn those_that_speak_are_orphans_where_all_their_watchers_are_suspected() {
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
    fn without_a_grace_nothing_is_held() {
        let mut brake = Brake::default();
        brake.observe(at(0), (5, 10), Times { grace: Duration::ZERO, ..TIMES });
        assert_eq!(brake, Brake::Armed);
    }
}
