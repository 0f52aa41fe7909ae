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
//! sees is told by a [`PartitionDetector`], in every mode.

use std::time::Duration;

use kinfolk_core::{Instant, NodeId, NodeState, NodeStatus};
use kinfolk_detector::{Counts, PartitionDetector, PartitionStatus, is_mass};

use crate::machine::Machine;
use crate::output::Output;
use crate::rings::{self, ALL_WATCH_ALL, Rings};
use crate::timer::{Timer, TimerKey};
use crate::watch::Subject;

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

/// What the machine keeps about a failure of many.
#[derive(Debug)]
pub(crate) struct Mass {
    brake: Brake,
    partition: PartitionDetector,
    /// When anybody was last heard from.
    heard: Instant,
    /// When the group is looked at next; `None` while nothing speaks for a look.
    next: Option<TimerKey>,
    /// The rings of those that still speak, while so many are silent that some may have no other watcher.
    closed: Option<Box<Rings>>,
}

impl Mass {
    pub(crate) fn new(partition: PartitionDetector, now: Instant) -> Self {
        Self { brake: Brake::default(), partition, heard: now, next: None, closed: None }
    }

    /// Somebody was heard from.
    pub(crate) fn heard(&mut self, now: Instant) {
        self.heard = now;
    }

    /// We were paused until now, for so long.
    pub(crate) fn paused(&mut self, now: Instant, by: Duration) {
        self.brake.paused(by);
        self.partition.paused(by);
        self.heard = now;
    }

    /// One that counted has left on purpose.
    pub(crate) fn left(&mut self) {
        self.partition.left();
    }
}

impl Machine {
    /// How the group stands: how many live, and whether that is a partition.
    pub fn partition(&self) -> PartitionStatus {
        self.mass.partition.status()
    }

    /// Somebody has come, gone, or fallen silent: how many there are, and a look at all of them within an interval.
    pub(crate) fn recount(&mut self, now: Instant) {
        let counts = self.counts();
        self.mass.partition.resize(counts);
        if counts.live < counts.members || !self.mass.partition.is_whole() {
            self.look_soon(now);
        }
    }

    /// Has the group looked at within an interval.
    pub(crate) fn look_soon(&mut self, now: Instant) {
        if self.mass.next.is_none() && !self.has_left() {
            let at = now + self.config.probe_interval;
            self.mass.next = Some(self.timers.schedule(at, Timer::Look));
        }
    }

    pub(crate) fn on_look_due(&mut self, now: Instant) {
        self.mass.next = None;
        if !self.has_left() && self.look(now) {
            self.look_soon(now);
        }
    }

    /// Whom we watch, and who watches us, beside those in the rings of all members, if many are silent: our neighbours in
    /// the rings of those that speak, and whom we accuse already.
    pub(crate) fn more_neighbours(&self) -> (Vec<NodeId>, Vec<NodeId>) {
        let Some(rings) = &self.mass.closed else { return Default::default() };
        let accused = self.watch.subjects.iter().filter(|(_, subject)| subject.verdict.is_some());
        let mut more = rings.subjects();
        more.extend(accused.map(|(id, _)| id.clone()));
        more.retain(|id| self.registry.get(id).is_some_and(|node| node.state.is_member()));
        (more, rings.watchers())
    }

    /// Whether a verdict about one that has been silent for so long is held now. Where many are silent, but not nearly
    /// half, it is held for one interval: more may be about to be heard of.
    pub(crate) fn holds_verdict(&mut self, now: Instant, silence: Duration) -> bool {
        self.look(now);
        let held = match self.mass.brake {
            Brake::Armed => {
                self.mass.closed.is_some() && silence < self.tolerated_pause() + self.config.probe_interval
            }
            Brake::Held { .. } => true,
            Brake::Released { .. } => false,
        };
        self.stats.verdicts_held += u64::from(held);
        held
    }

    /// Counts who is silent, and draws the consequences. Returns whether to look again.
    fn look(&mut self, now: Instant) -> bool {
        let mut counts = self.counts();
        let isolated = self.is_isolated(now);
        let unheard = if isolated { counts.live - 1 } else { self.silent_alive() };
        counts.live -= unheard;
        if let Some(event) = self.mass.partition.observe(now, counts) {
            self.output(Output::Event(event));
        }
        let mut silent = counts.members - counts.live;
        if self.config.is_verified() {
            // Of few silent ones hardly anybody is left an orphan, and in a small group everybody watches everybody.
            let in_rings = self.overlay.len() >= ALL_WATCH_ALL;
            let many = in_rings && silent * 4 >= counts.members && !isolated;
            self.close_rings(now, many || self.mass.closed.is_some() && silent > 0);
            silent += if many { self.orphans() } else { 0 };
            let times = Times { grace: self.config.partition_grace, tolerated: self.config.tolerated_pause };
            self.mass.brake.observe(now, (silent, counts.members), times);
        }
        silent > 0 || self.mass.brake != Brake::Armed || !self.mass.partition.is_whole()
    }

    fn counts(&self) -> Counts {
        // We are always among the living, whatever is said of us, until we leave.
        let count = |state| self.registry.count(state);
        let live = count(NodeState::Alive).max(1);
        Counts { live, members: live + count(NodeState::Suspect), failed: count(NodeState::Failed) }
    }

    /// How many have not answered us and are not suspected yet. Whose process is known to be gone does not count.
    fn silent_alive(&self) -> usize {
        let is_silent = |(id, _): &(&NodeId, &Subject)| {
            self.registry.get(id).is_some_and(|node| node.state == NodeState::Alive)
        };
        let silent = self.watch.subjects.iter().filter(|(_, subject)| subject.is_mute());
        silent.filter(is_silent).count()
    }

    /// Whether nobody at all has been heard from for as long as any one may stall.
    pub(crate) fn is_isolated(&self, now: Instant) -> bool {
        self.config.is_verified()
            && !self.overlay.is_empty()
            && now.since(self.mass.heard) >= self.config.tolerated_pause
    }

    /// How many are watched by silent ones alone.
    fn orphans(&self) -> usize {
        let snapshot = self.registry.snapshot();
        let speaks = |node: &NodeStatus| node.state == NodeState::Alive && !self.watch.is_silent(&node.id);
        rings::orphans(&self.me.id, snapshot.members().map(|node| (&node.id, speaks(node))))
    }

    /// Where many are silent the rings close around them, until nobody is: whoever had only silent watchers gets others, who
    /// find out whether it lives before the grace is over.
    fn close_rings(&mut self, now: Instant, close: bool) {
        if !close && self.mass.closed.is_none() {
            return;
        }
        let begins = self.mass.closed.is_none();
        self.mass.closed = close.then(|| {
            let snapshot = self.registry.snapshot();
            let mut rings = Rings::new(&self.me.id);
            let others = snapshot.members().filter(|node| node.id != self.me.id);
            others.filter(|node| node.state == NodeState::Alive).for_each(|node| rings.insert(&node.id));
            Box::new(rings)
        });
        self.rewatch(now);
        if begins {
            self.catch_up();
        }
    }

    /// Compares views with our new neighbours: with many cut off, news may not have come round to them, or to us.
    fn catch_up(&mut self) {
        let Some(rings) = &self.mass.closed else { return };
        let mut neighbours = [rings.subjects(), rings.watchers()].concat();
        neighbours.sort_unstable();
        neighbours.dedup();
        for id in &neighbours {
            self.compare_with(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn without_a_grace_nothing_is_held() {
        let mut brake = Brake::default();
        brake.observe(at(0), (5, 10), Times { grace: Duration::ZERO, ..TIMES });
        assert_eq!(brake, Brake::Armed);
    }
}
