//! One trouble of the soak: what is done to whom, and for how long. It is over when it has been made: what was ended runs
//! again, what was cut is mended.

use std::fmt;
use std::time::Duration;

use anyhow::Result;
use kinfolk_core::Rng;
use tokio::time::sleep;

use super::super::faults::{Faults, Nodes};
use super::super::town::Town;
use super::VETERANS;

/// Something bad.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    kind: Kind,
    nodes: Nodes,
    lasts: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Kill,
    Leave,
    ShortPause,
    LongPause,
    LinkDown,
    Deaf,
    Mute,
    Loss(u8),
    Partition,
}

/// How often each comes, in parts of their sum; how many nodes it concerns at the most; how long it lasts, in seconds.
const KINDS: [(Kind, usize, usize, (f64, f64)); 9] = [
    (Kind::Kill, 6, 2, (0.0, 8.0)),
    (Kind::Leave, 4, 2, (0.0, 4.0)),
    (Kind::ShortPause, 4, 3, (0.5, 4.5)),
    (Kind::LongPause, 3, 2, (7.0, 15.0)),
    (Kind::LinkDown, 3, 2, (2.0, 15.0)),
    (Kind::Deaf, 2, 1, (3.0, 15.0)),
    (Kind::Mute, 2, 1, (3.0, 15.0)),
    (Kind::Loss(20), 2, 0, (5.0, 20.0)),
    (Kind::Partition, 1, usize::MAX, (5.0, 20.0)),
];

impl Trouble {
    /// The next one, by chance.
    pub(super) fn draw(town: &mut Town) -> Self {
        let size = town.size();
        Self::of(&mut town.rng, size)
    }

    fn of(rng: &mut Rng, size: usize) -> Self {
        let mut ticket = rng.below(KINDS.iter().map(|(_, parts, ..)| parts).sum());
        let drawn = KINDS.iter().find(|(_, parts, ..)| {
            let is_it = ticket < *parts;
            ticket = ticket.saturating_sub(*parts);
            is_it
        });
        let &(kind, _, most, (least_s, most_s)) = drawn.unwrap_or(&KINDS[0]);
        let first = if matches!(kind, Kind::Kill | Kind::Leave) { VETERANS } else { 0 };
        let mut nodes: Vec<usize> = (first..size).collect();
        rng.shuffle(&mut nodes);
        // A partition has members on both sides; loss concerns nobody in particular.
        let count = if most == 0 { 0 } else { 1 + rng.below(most.min(size / 2)) };
        let lasts = Duration::from_secs_f64(least_s + (most_s - least_s) * rng.unit());
        Self { kind, nodes: nodes.into_iter().take(count).collect(), lasts }
    }

    /// Its kind's name.
    pub(super) const fn name(&self) -> &'static str {
        match self.kind {
            Kind::Kill => "kill",
            Kind::Leave => "leave",
            Kind::ShortPause => "short pause",
            Kind::LongPause => "long pause",
            Kind::LinkDown => "link down",
            Kind::Deaf => "deaf",
            Kind::Mute => "mute",
            Kind::Loss(_) => "loss",
            Kind::Partition => "partition",
        }
    }

    /// Makes it, lets it last, and ends it.
    pub(super) async fn make(&self, town: &mut Town) -> Result<()> {
        let all = town.running();
        match self.kind {
            Kind::Kill | Kind::Leave => {
                for &node in &self.nodes {
                    if self.kind == Kind::Kill {
                        town.kill(node).await?;
                    } else {
                        town.leave(node).await?;
                    }
                }
                sleep(self.lasts).await;
                let seeds = town.seeds();
                return self.nodes.iter().try_for_each(|&node| town.start(node, &seeds));
            }
            Kind::ShortPause | Kind::LongPause => {
                for &node in &self.nodes {
                    town.pause(node)?;
                }
                sleep(self.lasts).await;
                return self.nodes.iter().try_for_each(|&node| town.resume(node).map(drop));
            }
            Kind::LinkDown => {
                for &node in &self.nodes {
                    town.link(node, false)?;
                }
                sleep(self.lasts).await;
                return self.nodes.iter().try_for_each(|&node| town.link(node, true).map(drop));
            }
            Kind::Deaf => town.network(|faults| faults.deaf.clone_from(&self.nodes))?,
            Kind::Mute => town.network(|faults| faults.mute.clone_from(&self.nodes))?,
            Kind::Loss(percent) => town.network(|faults| faults.loss_percent = percent)?,
            Kind::Partition => {
                let sides = (self.nodes.clone(), &all - &self.nodes);
                town.network(|faults| faults.partition = Some(sides))?
            }
        };
        sleep(self.lasts).await;
        town.network(|faults| *faults = Faults::default()).map(drop)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} for {:.1} s", self.name(), self.lasts.as_secs_f64())?;
        self.nodes.iter().try_for_each(|&node| write!(f, " {}", super::super::faults::port(node)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn drawn(seed: u64) -> Vec<Trouble> {
        let mut rng = Rng::from_seed(seed);
        (0..500).map(|_| Trouble::of(&mut rng, 15)).collect()
    }

    #[test]
    fn a_seed_gives_the_same_troubles_and_all_kinds_come() {
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1), drawn(2));
        let names: BTreeSet<_> = drawn(1).iter().map(Trouble::name).collect();
        assert_eq!(names.len(), KINDS.len());
    }

    #[test]
    fn veterans_are_never_ended_and_a_short_pause_is_tolerated() {
        for trouble in drawn(3) {
            if matches!(trouble.kind, Kind::Kill | Kind::Leave) {
                assert!(trouble.nodes.iter().all(|&node| node >= VETERANS), "{trouble}");
            }
            if trouble.kind == Kind::ShortPause {
                assert!(trouble.lasts < super::super::super::town::TOLERATED_PAUSE, "{trouble}");
            }
            assert!(trouble.nodes.len() <= 7, "{trouble}");
        }
    }
}
