//! The scenarios: what is done to the agents, and what must follow. Each starts with a cluster that
//! has formed.

mod address;
mod cut;
mod kill;
mod leave;
mod liar;
mod loss;
mod maintenance;
mod overload;
mod partition;
mod pause;
mod restart;
mod rotation;
mod seed_name;

use std::time::Duration;

use anyhow::Result;
use clap::ValueEnum;

use super::cluster::{AgentCluster, DEADLINE};
use super::event_history::unix_ms;
use super::outcome::Outcome;

/// The number of agents that the liar attacks, and of members whose certificates are replaced.
const AGENTS_OF_SOME: usize = 5;

/// A scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Case {
    /// Members leave gracefully, and come back.
    Leave,
    /// Members are killed with SIGKILL, and started again.
    Kill,
    /// Each member is stopped once for 4 s, which is tolerated.
    Pause,
    /// A member is stopped for 30 s.
    LongPause,
    /// A member's link is down for 30 s.
    LinkDown,
    /// Nothing reaches a member for 30 s.
    Deaf,
    /// No packet of a member reaches the others for 30 s.
    Mute,
    /// The network is cut between two halves, and healed.
    Partition,
    /// Packets are lost at random.
    Loss,
    /// All members are killed at once and started again with seeds.
    Restart,
    /// All members are killed at once and started again from their state directories, without
    /// seeds.
    Memory,
    /// Each member leaves and is started again, one after the other.
    Rolling,
    /// A member comes back at another address.
    Address,
    /// The name of a member's only seed gets another address.
    SeedName,
    /// All members have too little CPU, and start again with too little.
    Overload,
    /// A member is stopped in a maintenance that it announced, and in one that it exceeds.
    Maintenance,
    /// A process with a certificate of the cluster claims and accuses all agents failed.
    Liar,
    /// All certificates and then the authority are replaced, under application streams.
    Rotation,
}

/// How much a run does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    /// The quick form: fewer and shorter rounds, for the gate.
    pub(super) quick: bool,
    /// How long a partition lasts in the full form.
    pub(super) partition: Duration,
}

/// A running scenario.
pub(super) struct CaseRun {
    pub(super) cluster: AgentCluster,
    pub(super) extent: Extent,
    pub(super) outcome: Outcome,
}

impl Case {
    /// The scenarios of the quick form, which the gate runs.
    pub(super) const QUICK: &[Self] = &[
        Self::Leave,
        Self::Kill,
        Self::Pause,
        Self::Partition,
        Self::Deaf,
        Self::Restart,
        Self::Overload,
        Self::Rotation,
    ];

    /// The name on the command line.
    pub(super) fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// The number of agents, if it is not that of the form.
    pub(super) fn agents(self) -> Option<usize> {
        matches!(self, Self::Liar | Self::Rotation).then_some(AGENTS_OF_SOME)
    }

    /// Runs the scenario.
    pub(super) async fn run(self, run: &mut CaseRun) -> Result<()> {
        if self == Self::Memory
            && let Err(why) = run.cluster.keep_state()
        {
            run.outcome.skipped = Some(why.to_owned());
            return Ok(());
        }
        // The rotation starts members of its own.
        if self != Self::Rotation {
            run.cluster.start_all().await?;
        }
        match self {
            Self::Leave => leave::run(run).await,
            Self::Kill => kill::run(run).await,
            Self::Pause => pause::short(run).await,
            Self::LongPause => pause::long(run).await,
            Self::LinkDown => cut::link_down(run).await,
            Self::Deaf => cut::deaf(run).await,
            Self::Mute => cut::mute(run).await,
            Self::Partition => partition::run(run).await,
            Self::Loss => loss::run(run).await,
            Self::Restart => restart::all_with_seeds(run).await,
            Self::Memory => restart::all_from_state(run).await,
            Self::Rolling => restart::rolling(run).await,
            Self::Address => address::run(run).await,
            Self::SeedName => seed_name::run(run).await,
            Self::Overload => overload::run(run).await,
            Self::Maintenance => maintenance::run(run).await,
            Self::Liar => liar::run(run).await,
            Self::Rotation => rotation::run(run).await,
        }
    }
}

impl CaseRun {
    /// The number of rounds of the form.
    const fn rounds(&self, quick: usize, full: usize) -> usize {
        if self.extent.quick { quick } else { full }
    }

    /// Requires that all views become equal and hold exactly the running members. Returns how long
    /// that took, or `None` if it did not happen.
    async fn settles(&mut self) -> Result<Option<Duration>> {
        let settled = self.cluster.settle(DEADLINE).await?;
        Ok(self.outcome.must("all have the same view", settled))
    }
}

/// The time since `at`, which is in the unit of the logs.
fn since(at: u64) -> Duration {
    Duration::from_millis(unix_ms().saturating_sub(at))
}

/// The time between two times of the logs.
fn between(from: u64, to: u64) -> Duration {
    Duration::from_millis(to.saturating_sub(from))
}
