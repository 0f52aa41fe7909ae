//! The time until the first member, and until all members, know of an end. The end is a crash of a
//! process, after which its host answers that the port is closed, or a host that becomes silent.

use std::collections::BTreeMap;
use std::time::Duration;

use kinfolk_core::{Instant, Rng};

use super::super::large::Mode;
use super::super::{Bar, Row, Sample, Settings, Table, side_by_side};
use crate::faults::{Fault, Step};
use crate::node::NodeIndex;
use crate::seen::{Seen, What};
use crate::world::World;

/// The time before the first end.
const SETTLE: Duration = Duration::from_secs(10);
/// The time after which an end counts as never known.
const LIMIT: Duration = Duration::from_secs(150);
/// The interval of the checks whether all members know.
const TICK: Duration = Duration::from_millis(500);
/// The members of a round end at random times within a second, which is a probe interval.
const SPREAD: Duration = Duration::from_secs(1);
/// At most one in so many members ends in a round, so that the ends hardly affect each other.
const APART: usize = 100;
const ROUND_MAX: usize = 20;
/// The highest number of rounds in one world.
const ROUNDS_MAX: usize = 10;

/// How a member ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Crash,
    Silence,
}

impl End {
    pub(super) const ALL: [Self; 2] = [Self::Crash, Self::Silence];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Crash => "crash, port closed",
            Self::Silence => "silent host",
        }
    }

    pub(super) fn plot(self) -> &'static str {
        match self {
            Self::Crash => "crash",
            Self::Silence => "silence",
        }
    }

    fn fault(self, node: NodeIndex) -> Fault {
        match self {
            Self::Crash => Fault::Crash(node),
            Self::Silence => Fault::Silence(node),
        }
    }
}

/// The results of one kind of end in one mode and size; times in seconds since the end.
pub(super) struct Detection {
    pub end: End,
    pub mode: &'static str,
    pub nodes: usize,
    ended: usize,
    first: Sample,
    /// The times of the ends that all members learned of.
    pub all: Sample,
    false_failures: u64,
}

/// The results of one run: when the first and the last member knew of each end.
#[derive(Default)]
struct Run {
    ended: usize,
    first: Vec<f64>,
    all: Vec<f64>,
    false_failures: u64,
}

/// The number of ends to measure in a group of this size; large groups take long.
fn wanted(nodes: usize, settings: &Settings) -> usize {
    let full = match nodes {
        0..=1_000 => 100,
        1_001..=5_000 => 60,
        _ => 40,
    };
    settings.either(full, 10)
}

fn in_a_round(nodes: usize) -> usize {
    (nodes / APART).clamp(1, ROUND_MAX)
}

/// The number of rounds in a world: never so many that the group becomes much smaller.
fn rounds(nodes: usize, wanted: usize) -> usize {
    wanted.div_ceil(in_a_round(nodes)).min(ROUNDS_MAX).min(nodes / 4)
}

pub(super) fn measure(modes: &[Mode], sizes: &[usize], settings: &Settings) -> Vec<Detection> {
    let of = |end| super::cells(modes, sizes).map(move |(nodes, mode)| (end, nodes, mode));
    let mut cells: Vec<_> = End::ALL.into_iter().flat_map(of).collect();
    // The largest first, so that no worker runs one of them alone at the end.
    cells.sort_by_key(|(_, nodes, _)| std::cmp::Reverse(*nodes));
    let worlds = |nodes: usize| {
        let wanted = wanted(nodes, settings);
        let worlds = wanted.div_ceil(in_a_round(nodes) * rounds(nodes, wanted)) as u64;
        1..=settings.seeds(worlds, worlds)
    };
    let jobs: Vec<_> = cells.iter().flat_map(|cell| worlds(cell.1).map(move |seed| (*cell, seed))).collect();
    let mut runs = side_by_side(&jobs, |((end, nodes, mode), seed)| {
        run(mode, *end, *nodes, rounds(*nodes, wanted(*nodes, settings)), *seed)
    })
    .into_iter();
    let mut found: Vec<_> = cells
        .into_iter()
        .map(|(end, nodes, mode)| {
            Detection::of(
                end,
                mode.name,
                nodes,
                &runs.by_ref().take(worlds(nodes).count()).collect::<Vec<_>>(),
            )
        })
        .collect();
    // The jobs ran in the order of their size; the table has the order of the ends.
    found.sort_by_key(|one| (one.end == End::Silence, one.nodes));
    found
}

fn run(mode: &Mode, end: End, nodes: usize, rounds: usize, seed: u64) -> Run {
    let mut rng = Rng::from_seed(seed);
    let mut order: Vec<_> = (0..nodes).map(NodeIndex).collect();
    rng.shuffle(&mut order);
    let mut world = World::light_preformed(&mode.group(nodes), seed);
    let (mut run, mut alive) = (Run::default(), nodes);
    let mut now = Instant::ORIGIN + SETTLE;
    for round in order.chunks(in_a_round(nodes)).take(rounds) {
        let mut due: Vec<_> = round.iter().map(|node| (now + SPREAD.mul_f64(rng.unit()), *node)).collect();
        due.sort_unstable();
        world.run_until(now);
        for (at, node) in &due {
            world.run_until(*at);
            world.act(&Step::Fault(end.fault(*node)));
        }
        alive -= due.len();
        now = await_all(&mut world, &due, alive, &mut run);
    }
    run
}

/// Runs the world until every one of `alive` members knows of all ends. Returns the time.
fn await_all(world: &mut World, due: &[(Instant, NodeIndex)], alive: usize, run: &mut Run) -> Instant {
    let mut waiting: BTreeMap<NodeIndex, (Instant, usize)> =
        due.iter().map(|(at, node)| (*node, (*at, 0))).collect();
    let give_up = world.now() + LIMIT;
    while !waiting.is_empty() && world.now() < give_up {
        let next = world.now() + TICK;
        world.run_until(next);
        for seen in world.take_seen().into_iter().filter(is_failed) {
            let runs = |node| world.truth().node(node).running;
            let ended = waiting.get_mut(&seen.subject).filter(|(ended, _)| *ended <= seen.at);
            let Some((ended, known)) = ended else {
                // A failure of a node that runs is false. One of a node from an earlier round is
                // only late.
                run.false_failures += u64::from(runs(seen.subject));
                continue;
            };
            // Members that end in the same round need not know.
            if !runs(seen.node) {
                continue;
            }
            let took = seen.at.since(*ended).as_secs_f64();
            if *known == 0 {
                run.first.push(took);
            }
            *known += 1;
            if *known == alive {
                run.all.push(took);
                waiting.remove(&seen.subject);
            }
        }
    }
    run.ended += due.len();
    world.now()
}

fn is_failed(seen: &Seen) -> bool {
    matches!(seen.what, What::Failed(_))
}

impl Detection {
    fn of(end: End, mode: &'static str, nodes: usize, runs: &[Run]) -> Self {
        Self {
            end,
            mode,
            nodes,
            ended: runs.iter().map(|run| run.ended).sum(),
            first: runs.iter().flat_map(|run| run.first.iter().copied()).collect(),
            all: runs.iter().flat_map(|run| run.all.iter().copied()).collect(),
            false_failures: runs.iter().map(|run| run.false_failures).sum(),
        }
    }

    fn row(&self) -> Row {
        Row::new()
            .with("end", self.end.name())
            .with("mode", self.mode)
            .with("n", self.nodes)
            .with("ended", self.ended)
            .with("known", self.all.len())
            .real("first", self.first.median(), 2)
            .real("first_p99", self.first.percentile(99.0), 2)
            .real("all", self.all.median(), 2)
            .real("all_p99", self.all.percentile(99.0), 2)
            .with("false_failures", self.false_failures)
    }

    fn bar(&self, median_max: f64, p99_max: f64) -> Bar {
        let promise = format!(
            "{}, N = {}: known to all in {median_max} s at the median, {p99_max} s at the 99th percentile",
            self.end.name(),
            self.nodes
        );
        // Times of the known ends alone would hide the unknown ones.
        let complete = self.all.len() == self.ended;
        let times = self.all.median().zip(self.all.percentile(99.0)).filter(|_| complete);
        let found = times.map_or_else(
            || format!("{} of {} known to all", self.all.len(), self.ended),
            |(median, p99)| format!("{median:.2} s, {p99:.2} s"),
        );
        Bar::new(promise, found, times.is_some_and(|(median, p99)| median <= median_max && p99 <= p99_max))
    }
}

pub(super) fn table(found: &[Detection]) -> Table {
    let columns = [
        ("end", "what ends"),
        ("mode", "mode"),
        ("n", "N"),
        ("ended", "ended"),
        ("known", "known to all"),
        ("first", "first, median, s"),
        ("first_p99", "p99"),
        ("all", "all, median, s"),
        ("all_p99", "p99"),
        ("false_failures", "false failures"),
    ];
    let text = "The time from a member's end until the first running member, and until every \
                running member, has it as failed. A few members end in each round, at most one in \
                a hundred, at random times. The next round starts when all members know, or after \
                150 s. An end that is still unknown then counts as never known to all.";
    let mut table = Table::new("detection", "Detection", text, columns);
    table.rows = found.iter().map(Detection::row).collect();
    table
}

pub(super) fn bars(found: &[Detection]) -> Vec<Bar> {
    let promised = || found.iter().filter(|one| one.mode == Mode::PROMISED);
    let pause = Mode::tolerated_pause().as_secs_f64();
    let mut bars: Vec<_> = promised()
        .map(|one| match one.end {
            End::Crash => one.bar(1.5, 3.0),
            End::Silence => one.bar(pause + 1.5, pause + 3.0),
        })
        .collect();
    // The promise for a crash is an upper limit, not the same time at every size.
    let silences = promised().filter(|one| one.end == End::Silence);
    let medians: Vec<_> = silences.filter_map(|one| Some((one.nodes, one.all.median()?))).collect();
    bars.extend(super::flat("silent host, median until all know", &medians));
    bars
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_becomes_known_to_all_in_every_mode() {
        for (mode, end) in Mode::all().iter().flat_map(|mode| End::ALL.map(|end| (mode, end))) {
            let found = Detection::of(end, mode.name, 20, &[run(mode, end, 20, 3, 1)]);
            assert_eq!(
                (found.ended, found.all.len(), found.false_failures),
                (3, 3, 0),
                "{}: {end:?}",
                mode.name
            );
            assert!(found.first.median() <= found.all.median(), "{}: {end:?}", mode.name);
        }
    }

    #[test]
    fn bar_is_missed_if_a_member_never_knows() {
        let run = |all: &[f64]| Run { ended: 2, first: vec![0.5, 0.6], all: all.to_vec(), false_failures: 0 };
        let bar = |all| Detection::of(End::Crash, "x", 100, &[run(all)]).bar(1.5, 3.0);
        assert!(bar(&[1.0, 2.0]).met);
        assert!(!bar(&[1.0]).met && !bar(&[1.0, 3.1]).met && !bar(&[1.6, 2.0]).met);
    }
}
