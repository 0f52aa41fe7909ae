//! The scenarios: what is done to the agents in each, and what must follow. Each begins with a cluster that has formed.

mod address;
mod cut;
mod kill;
mod leave;
mod loss;
mod overload;
mod partition;
mod pause;
mod restart;
mod seed_name;

use std::time::Duration;

use anyhow::Result;
use clap::ValueEnum;

use super::outcome::Outcome;
use super::told::unix_ms;
use super::town::{DEADLINE, Town};

/// A scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Story {
    /// Members leave in good order, and come back.
    Leave,
    /// Members are killed with SIGKILL, and started again.
    Kill,
    /// Each member once is stopped for 4 s, which is tolerated.
    Pause,
    /// A member is stopped for 30 s.
    LongPause,
    /// A member's link is down for 30 s.
    LinkDown,
    /// Nothing reaches a member for 30 s.
    Deaf,
    /// Nothing of a member reaches the others for 30 s.
    Mute,
    /// The members are cut into two halves, and mended.
    Partition,
    /// Packets are lost at random.
    Loss,
    /// All are killed at once and started again with seeds.
    Restart,
    /// All are killed at once and started again with nothing but what they kept.
    Memory,
    /// One after the other leaves and is started again.
    Rolling,
    /// A member comes back at another address.
    Address,
    /// The name of a member's only seed gets another address.
    SeedName,
    /// All members have too little CPU, and start again with it.
    Overload,
}

/// How much is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    /// Fewer and shorter rounds: those of the gate.
    pub(super) quick: bool,
    /// How long a partition lasts in the full form.
    pub(super) partition: Duration,
}

/// A scenario that is being played.
pub(super) struct Scene {
    pub(super) town: Town,
    pub(super) extent: Extent,
    pub(super) outcome: Outcome,
}

impl Story {
    /// Those that the gate plays.
    pub(super) const QUICK: &[Self] =
        &[Self::Leave, Self::Kill, Self::Pause, Self::Partition, Self::Deaf, Self::Restart, Self::Overload];

    /// Its name on the command line.
    pub(super) fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Plays it.
    pub(super) async fn play(self, scene: &mut Scene) -> Result<()> {
        if self == Self::Memory
            && let Err(why) = scene.town.keep_state()
        {
            scene.outcome.skipped = Some(why.to_owned());
            return Ok(());
        }
        scene.town.start_all().await?;
        match self {
            Self::Leave => leave::play(scene).await,
            Self::Kill => kill::play(scene).await,
            Self::Pause => pause::short(scene).await,
            Self::LongPause => pause::long(scene).await,
            Self::LinkDown => cut::link_down(scene).await,
            Self::Deaf => cut::deaf(scene).await,
            Self::Mute => cut::mute(scene).await,
            Self::Partition => partition::play(scene).await,
            Self::Loss => loss::play(scene).await,
            Self::Restart => restart::all_with_seeds(scene).await,
            Self::Memory => restart::all_from_memory(scene).await,
            Self::Rolling => restart::rolling(scene).await,
            Self::Address => address::play(scene).await,
            Self::SeedName => seed_name::play(scene).await,
            Self::Overload => overload::play(scene).await,
        }
    }
}

impl Scene {
    /// As many rounds as the form has.
    const fn rounds(&self, quick: usize, full: usize) -> usize {
        if self.extent.quick { quick } else { full }
    }

    /// All views must become equal, and hold exactly those that run. Gives how long that took.
    async fn settles(&mut self) -> Result<Option<Duration>> {
        let settled = self.town.settle(DEADLINE).await?;
        Ok(self.outcome.must("all see the same", settled))
    }
}

/// How long ago that was, as the logs count.
fn since(at: u64) -> Duration {
    Duration::from_millis(unix_ms().saturating_sub(at))
}

/// From one time of the logs to a later one.
fn between(from: u64, to: u64) -> Duration {
    Duration::from_millis(to.saturating_sub(from))
}
