//! How fast a change of one member's tags reaches all members, on links of 10 ms, without loss and
//! with 5 % loss.

use std::time::Duration;

use kinfolk_core::{Instant, Rng, Tags};

use super::super::large::Mode;
use super::super::{Bar, Row, Sample, Settings, Table, side_by_side};
use crate::faults::{Fault, Step};
use crate::network::NetworkConfig;
use crate::node::NodeIndex;
use crate::seen::What;
use crate::world::World;

/// The delay of every link, one way.
const LINK: Duration = Duration::from_millis(10);
const LOSSES: [f64; 2] = [0.0, 0.05];
/// The time before the first change.
const SETTLE: Duration = Duration::from_secs(10);
/// The time after which a member counts as never reached.
const LIMIT: Duration = Duration::from_mins(2);
const TICK: Duration = Duration::from_millis(500);

/// The results for one loss in one mode and size; times in seconds since the change.
pub(super) struct Dissemination {
    mode: &'static str,
    nodes: usize,
    loss: f64,
    changes: usize,
    /// The number of members that the changes had not reached.
    missed: usize,
    /// The times of all members and changes.
    reached: Sample,
    /// The time of each change until the last member that it reached.
    last: Sample,
}

/// The results of one run: for each change, when each of the other members knew.
struct Run {
    reached: Vec<Vec<f64>>,
}

fn changes(nodes: usize, settings: &Settings) -> usize {
    let full = match nodes {
        0..=1_000 => 20,
        1_001..=5_000 => 8,
        _ => 4,
    };
    settings.either(full, 4)
}

pub(super) fn measure(modes: &[Mode], sizes: &[usize], settings: &Settings) -> Vec<Dissemination> {
    let of = |loss| super::cells(modes, sizes).map(move |(nodes, mode)| (loss, nodes, mode));
    let cells: Vec<_> = LOSSES.into_iter().flat_map(of).collect();
    let seeds = settings.seeds(1, 1);
    let jobs: Vec<_> = cells.iter().flat_map(|cell| (1..=seeds).map(move |seed| (*cell, seed))).collect();
    let runs = side_by_side(&jobs, |((loss, nodes, mode), seed)| {
        run(mode, *nodes, *loss, changes(*nodes, settings), *seed)
    });
    let per_cell = runs.chunks(usize::try_from(seeds).unwrap_or(usize::MAX));
    cells
        .into_iter()
        .zip(per_cell)
        .map(|((loss, nodes, mode), runs)| Dissemination::of(mode.name, nodes, loss, runs))
        .collect()
}

fn run(mode: &Mode, nodes: usize, loss: f64, changes: usize, seed: u64) -> Run {
    let mut scenario = mode.group(nodes);
    scenario.network =
        NetworkConfig { delay_min: LINK, delay_extra_mean: Duration::ZERO, ..NetworkConfig::default() };
    let mut rng = Rng::from_seed(seed);
    let mut order: Vec<_> = (0..nodes).map(NodeIndex).collect();
    rng.shuffle(&mut order);
    let mut world = World::light_preformed(&scenario, seed);
    world.act(&Step::Fault(Fault::Loss(loss)));
    world.run_until(Instant::ORIGIN + SETTLE);
    let reached = order.into_iter().cycle().take(changes).enumerate().map(|(number, node)| {
        // A random offset, so that changes do not coincide with the members' rounds.
        let at = world.now() + TICK.mul_f64(rng.unit());
        world.run_until(at);
        world.take_seen();
        world.act(&Step::SetTags(node, version(number)));
        await_all(&mut world, node, nodes - 1)
    });
    Run { reached: reached.collect() }
}

/// The seconds after which each of the other members knew.
fn await_all(world: &mut World, node: NodeIndex, others: usize) -> Vec<f64> {
    let (begin, mut reached) = (world.now(), Vec::new());
    while reached.len() < others && world.now() < begin + LIMIT {
        let next = world.now() + TICK;
        world.run_until(next);
        let heard = world.take_seen().into_iter().filter(|seen| seen.subject == node && seen.node != node);
        let updated = heard.filter(|seen| seen.what == What::Updated);
        reached.extend(updated.map(|seen| seen.at.since(begin).as_secs_f64()));
    }
    reached
}

fn version(number: usize) -> Tags {
    Tags::new([("version", number.to_string())]).expect("a short tag is within the bounds")
}

impl Dissemination {
    fn of(mode: &'static str, nodes: usize, loss: f64, runs: &[Run]) -> Self {
        let all = || runs.iter().flat_map(|run| &run.reached);
        Self {
            mode,
            nodes,
            loss,
            changes: all().count(),
            missed: all().map(|reached| nodes - 1 - reached.len()).sum(),
            reached: all().flatten().copied().collect(),
            last: all().filter_map(|reached| reached.iter().copied().max_by(f64::total_cmp)).collect(),
        }
    }

    fn row(&self) -> Row {
        Row::new()
            .real("loss", self.loss * 100.0, 0)
            .with("mode", self.mode)
            .with("n", self.nodes)
            .with("changes", self.changes)
            .real("p50", self.reached.median(), 3)
            .real("p99", self.reached.percentile(99.0), 3)
            .real("last", self.last.median(), 3)
            .real("last_max", self.last.max(), 3)
            .with("missed", self.missed)
    }

    fn bar(&self) -> Bar {
        let (what, limit, time) = if self.loss > 0.0 {
            ("the last member, at 5 % loss", 5.0, self.last.max())
        } else {
            ("99 % of all members", 0.25, self.reached.percentile(99.0))
        };
        // A percentile over the reached members alone would hide the others.
        let time = time.filter(|_| self.missed == 0);
        let found =
            time.map_or_else(|| format!("{} never reached", self.missed), |time| format!("{time:.3} s"));
        let promise = format!("a change of tags, N = {}: {what} within {limit} s", self.nodes);
        Bar::new(promise, found, time.is_some_and(|time| time <= limit))
    }
}

pub(super) fn table(found: &[Dissemination]) -> Table {
    let columns = [
        ("loss", "loss, %"),
        ("mode", "mode"),
        ("n", "N"),
        ("changes", "changes"),
        ("p50", "p50, s"),
        ("p99", "p99"),
        ("last", "last, median"),
        ("last_max", "last, worst"),
        ("missed", "never reached"),
    ];
    let text = "The time from a member's change of its tags until each other member knows, on \
                links of exactly 10 ms. p50 and p99 are over all members and changes; *last* is \
                over the last member of each change. A member that a change has not reached after \
                2 minutes counts as never reached.";
    let mut table = Table::new("dissemination", "Dissemination", text, columns);
    table.rows = found.iter().map(Dissemination::row).collect();
    table
}

/// The promise is for 1,000 members; the other sizes are in the table.
pub(super) fn bars(found: &[Dissemination]) -> Vec<Bar> {
    let promised = found.iter().filter(|one| one.mode == Mode::PROMISED && one.nodes == 1_000);
    promised.map(Dissemination::bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn change_reaches_all_after_at_least_one_link() {
        for (mode, loss) in Mode::all().iter().flat_map(|mode| LOSSES.map(|loss| (mode, loss))) {
            let found = Dissemination::of(mode.name, 20, loss, &[run(mode, 20, loss, 3, 1)]);
            assert_eq!(
                (found.changes, found.missed, found.reached.len()),
                (3, 0, 57),
                "{}, {loss}",
                mode.name
            );
            assert!(found.reached.percentile(0.0) >= Some(LINK.as_secs_f64()), "{}, {loss}", mode.name);
        }
    }

    #[test]
    fn bar_is_missed_if_a_member_is_never_reached() {
        let bar = |loss, reached: &[f64]| {
            Dissemination::of("x", 3, loss, &[Run { reached: vec![reached.to_vec()] }]).bar().met
        };
        assert!(bar(0.0, &[0.1, 0.25]) && !bar(0.0, &[0.1, 0.26]) && !bar(0.0, &[0.1]));
        assert!(bar(0.05, &[0.1, 5.0]) && !bar(0.05, &[0.1, 5.1]));
    }
}
