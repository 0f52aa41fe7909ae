//! One random fault of the soak: its kind, its nodes, and its duration. Making it includes its end:
//! ended agents run again, and cut links are healed.

use std::fmt;
use std::time::Duration;

use anyhow::Result;
use kinfolk_core::Rng;
use tokio::time::sleep;

use super::super::cluster::AgentCluster;
use super::super::faults::{Faults, Nodes};
use super::LONG_RUNNING;

/// A fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RandomFault {
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

/// For each kind: its weight, the maximum number of its nodes, and its duration from and to, in
/// seconds. A short pause stays below the tolerated pause of 5 s; a long one exceeds it.
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

impl RandomFault {
    /// Draws the next fault.
    pub(super) fn draw(cluster: &mut AgentCluster) -> Self {
        let size = cluster.size();
        Self::of(&mut cluster.rng, size)
    }

    fn of(rng: &mut Rng, size: usize) -> Self {
        // The ticket is below the sum of all weights. It falls into the range of one kind.
        let mut ticket = rng.below(KINDS.iter().map(|(_, parts, ..)| parts).sum());
        let drawn = KINDS.iter().find(|(_, parts, ..)| {
            let is_it = ticket < *parts;
            ticket = ticket.saturating_sub(*parts);
            is_it
        });
        let &(kind, _, most, (least_s, most_s)) = drawn.unwrap_or(&KINDS[0]);
        let first = if matches!(kind, Kind::Kill | Kind::Leave) { LONG_RUNNING } else { 0 };
        let mut nodes: Vec<usize> = (first..size).collect();
        rng.shuffle(&mut nodes);
        // At most half of the nodes, so that a partition has nodes on both sides. Loss is the same
        // for all nodes, so it has none.
        let count = if most == 0 { 0 } else { 1 + rng.below(most.min(size / 2)) };
        let lasts = Duration::from_secs_f64(least_s + (most_s - least_s) * rng.unit());
        Self { kind, nodes: nodes.into_iter().take(count).collect(), lasts }
    }

    /// The name of its kind.
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

    /// Makes the fault, waits for its duration, and ends it.
    pub(super) async fn make(&self, cluster: &mut AgentCluster) -> Result<()> {
        let all = cluster.running();
        match self.kind {
            Kind::Kill | Kind::Leave => {
                for &node in &self.nodes {
                    if self.kind == Kind::Kill {
                        cluster.kill(node).await?;
                    } else {
                        cluster.leave(node).await?;
                    }
                }
                sleep(self.lasts).await;
                let seeds = cluster.seeds();
                return self.nodes.iter().try_for_each(|&node| cluster.start(node, &seeds));
            }
            Kind::ShortPause | Kind::LongPause => {
                for &node in &self.nodes {
                    cluster.pause(node)?;
                }
                sleep(self.lasts).await;
                return self.nodes.iter().try_for_each(|&node| cluster.resume(node).map(drop));
            }
            Kind::LinkDown => {
                for &node in &self.nodes {
                    cluster.link(node, false)?;
                }
                sleep(self.lasts).await;
                return self.nodes.iter().try_for_each(|&node| cluster.link(node, true).map(drop));
            }
            Kind::Deaf => cluster.network(|faults| faults.deaf.clone_from(&self.nodes))?,
            Kind::Mute => cluster.network(|faults| faults.mute.clone_from(&self.nodes))?,
            Kind::Loss(percent) => cluster.network(|faults| faults.loss_percent = percent)?,
            Kind::Partition => {
                let sides = (self.nodes.clone(), &all - &self.nodes);
                cluster.network(|faults| faults.partition = Some(sides))?
            }
        };
        sleep(self.lasts).await;
        cluster.network(|faults| *faults = Faults::default()).map(drop)
    }
}

impl fmt::Display for RandomFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} for {:.1} s", self.name(), self.lasts.as_secs_f64())?;
        self.nodes.iter().try_for_each(|&node| write!(f, " {}", super::super::faults::port(node)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn drawn(seed: u64) -> Vec<RandomFault> {
        let mut rng = Rng::from_seed(seed);
        (0..500).map(|_| RandomFault::of(&mut rng, 15)).collect()
    }

    #[test]
    fn seed_repeats_its_faults_and_all_kinds_occur() {
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1), drawn(2));
        let names: BTreeSet<_> = drawn(1).iter().map(RandomFault::name).collect();
        assert_eq!(names.len(), KINDS.len());
    }

    #[test]
    fn long_running_agents_never_end_and_short_pause_is_tolerated() {
        for fault in drawn(3) {
            if matches!(fault.kind, Kind::Kill | Kind::Leave) {
                assert!(fault.nodes.iter().all(|&node| node >= LONG_RUNNING), "{fault}");
            }
            if fault.kind == Kind::ShortPause {
                assert!(fault.lasts < super::super::super::cluster::TOLERATED_PAUSE, "{fault}");
            }
            assert!(fault.nodes.len() <= 7, "{fault}");
        }
    }
}
