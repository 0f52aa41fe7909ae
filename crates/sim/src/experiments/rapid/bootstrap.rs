//! E7: one seed starts, and all others join through it at the same time ten seconds later. Measures
//! the time until every process reports all members, and the number of sizes that are reported on
//! the way.

use std::collections::BTreeSet;
use std::time::Duration;

use kinfolk_core::Instant;

use super::super::large::Mode;
use super::super::{Row, Sample, Settings, Table, side_by_side};
use crate::faults::Step;
use crate::node::NodeIndex;
use crate::seen::What;
use crate::world::World;

/// When the others start, as in the paper.
const OTHERS_START: Duration = Duration::from_secs(10);
/// The time after which a group counts as not formed.
const LIMIT: Duration = Duration::from_mins(5);
/// The interval of the checks whether all views are complete.
const TICK: Duration = Duration::from_millis(100);
/// The number of ticks between two reports of the size: a second, as in the paper.
const REPORT_TICKS: u32 = 10;

/// The paper's figures for one size: seconds (read off its figure 5), and distinct sizes.
struct Published {
    nodes: usize,
    systems: [(&'static str, u64, u64); 4],
}

const PUBLISHED: [Published; 3] = [
    Published {
        nodes: 1_000,
        systems: [("ZooKeeper", 33, 1_000), ("memberlist", 46, 901), ("Rapid-C", 38, 9), ("Rapid", 29, 4)],
    },
    Published {
        nodes: 1_500,
        systems: [("ZooKeeper", 80, 1_500), ("memberlist", 68, 1_383), ("Rapid-C", 64, 10), ("Rapid", 40, 8)],
    },
    Published {
        nodes: 2_000,
        systems: [("ZooKeeper", 165, 2_000), ("memberlist", 97, 1_858), ("Rapid-C", 80, 7), ("Rapid", 53, 4)],
    },
];

/// The results of one size in one mode, over all seeds.
pub(super) struct Bootstrap {
    pub nodes: usize,
    pub mode: &'static str,
    runs: u64,
    /// Seconds from the seed's start, over the runs that formed.
    pub took: Sample,
    sizes: Sample,
    evictions: u64,
}

/// One run.
struct Formed {
    /// `None` if the group did not form within the limit.
    took: Option<Duration>,
    sizes: usize,
    /// How often a process was declared failed, although all run.
    evictions: u64,
}

pub(super) fn measure(modes: &[Mode], settings: &Settings) -> Vec<Bootstrap> {
    let (sizes, seeds) = (settings.either(&[1_000, 1_500, 2_000][..], &[250]), settings.seeds(3, 1));
    let cells: Vec<_> = sizes.iter().flat_map(|nodes| modes.iter().map(move |mode| (*nodes, mode))).collect();
    let jobs: Vec<_> = cells.iter().flat_map(|cell| (1..=seeds).map(move |seed| (*cell, seed))).collect();
    let formed = side_by_side(&jobs, |((nodes, mode), seed)| form(mode, *nodes, *seed));
    let per_cell = formed.chunks(usize::try_from(seeds).unwrap_or(usize::MAX));
    cells
        .into_iter()
        .zip(per_cell)
        .map(|((nodes, mode), runs)| Bootstrap::of(nodes, mode.name, runs))
        .collect()
}

fn form(mode: &Mode, nodes: usize, seed: u64) -> Formed {
    let mut scenario = mode.group(nodes);
    scenario.script.at(Duration::ZERO, Step::Start { node: NodeIndex(0), via: None });
    for node in (1..nodes).map(NodeIndex) {
        scenario.script.at(OTHERS_START, Step::Start { node, via: Some(NodeIndex(0)) });
    }
    let mut world = World::light(&scenario, seed);
    let (mut reported, mut evictions) = (BTreeSet::new(), 0);
    let mut tick = 0;
    while TICK * tick < LIMIT {
        tick += 1;
        world.run_until(Instant::ORIGIN + TICK * tick);
        let failed = world.take_seen().into_iter().filter(|seen| matches!(seen.what, What::Failed(_)));
        evictions += failed.count() as u64;
        let sizes: Vec<_> = (0..nodes).filter_map(|node| world.registry(NodeIndex(node))).collect();
        let sizes: Vec<_> = sizes.into_iter().map(|registry| registry.member_count()).collect();
        // Completion is checked each tick, but sizes are reported once a second, as in the paper.
        if tick % REPORT_TICKS == 0 {
            reported.extend(sizes.iter().copied());
        }
        if sizes.len() == nodes && sizes.iter().all(|size| *size == nodes) {
            reported.insert(nodes);
            return Formed { took: Some(TICK * tick), sizes: reported.len(), evictions };
        }
    }
    Formed { took: None, sizes: reported.len(), evictions }
}

impl Bootstrap {
    fn of(nodes: usize, mode: &'static str, runs: &[Formed]) -> Self {
        Self {
            nodes,
            mode,
            runs: runs.len() as u64,
            took: runs.iter().filter_map(|run| run.took).map(|took| took.as_secs_f64()).collect(),
            sizes: runs.iter().map(|run| run.sizes as f64).collect(),
            evictions: runs.iter().map(|run| run.evictions).sum(),
        }
    }

    /// Whether every run formed.
    pub(super) fn all_formed(&self) -> bool {
        self.took.len() as u64 == self.runs
    }

    fn row(&self) -> Row {
        Row::new()
            .with("n", self.nodes)
            .with("system", self.mode)
            .with("runs", self.runs)
            .with("formed", self.took.len())
            .real("took", self.took.mean(), 1)
            .real("took_max", self.took.max(), 1)
            .real("sizes", self.sizes.mean(), 0)
            .with("evictions", self.evictions)
    }
}

pub(super) fn table(found: &[Bootstrap]) -> Table {
    let columns = [
        ("n", "N"),
        ("system", "system"),
        ("runs", "runs"),
        ("formed", "formed"),
        ("took", "s, mean"),
        ("took_max", "s, worst"),
        ("sizes", "sizes seen"),
        ("evictions", "false failures"),
    ];
    let text = "One seed starts, and all others start at 10 s and join through it. The times are \
                seconds from the seed's start until every process has all N for the first time, \
                with the ten seconds. Every process reports its size once a second; *sizes seen* \
                is the number of distinct sizes reported, with 1 and N. The rows with \
                *(published)* are the paper's (5 runs on 100 machines; seconds read off its \
                figure); the others are of this code. Here a join costs messages and their delay, \
                but no handshake and no processor time.";
    let mut table = Table::new("bootstrap", "E7: bootstrap through one seed", text, columns);
    // A size that the paper has stands beside its rows; other sizes, such as the quick form's, come
    // first.
    let published_too = |one: &&Bootstrap| PUBLISHED.iter().any(|published| published.nodes == one.nodes);
    found.iter().filter(|one| !published_too(one)).for_each(|one| table.push(one.row()));
    for published in PUBLISHED {
        for (system, took, sizes) in published.systems {
            let row = Row::new().with("n", published.nodes).with("system", format!("{system} (published)"));
            table.push(row.with("took", took).with("sizes", sizes));
        }
        found.iter().filter(|one| one.nodes == published.nodes).for_each(|one| table.push(one.row()));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_group_forms_in_every_mode() {
        for mode in Mode::all() {
            let formed = form(&mode, 20, 1);
            let took = formed.took.unwrap();
            assert!((OTHERS_START..LIMIT).contains(&took), "{}: {took:?}", mode.name);
            assert!(formed.sizes >= 2 && formed.evictions == 0, "{}", mode.name);
        }
    }
}
