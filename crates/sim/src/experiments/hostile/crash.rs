//! What the quorum costs: how soon all members know of a crash, for each number of accusers that a
//! failure needs. With 1, each member believes a single accuser.

use std::collections::BTreeSet;
use std::time::Duration;

use kinfolk_core::{Instant, Rng};
use kinfolk_swim::SwimConfig;

use super::super::{Bar, Row, Sample, Settings, Table, side_by_side};
use super::QUORUMS;
use crate::faults::{Fault, Step};
use crate::node::NodeIndex;
use crate::scenario::Scenario;
use crate::seen::What;
use crate::world::World;

/// The time before the crash, which then comes within a cycle of probes.
const SETTLE: Duration = Duration::from_secs(10);
const CYCLE: Duration = Duration::from_secs(4);
/// After this time a crash counts as never known to all.
const LIMIT: Duration = Duration::from_mins(1);
/// How much later than with one accuser a crash may be known at the median.
const LATER_MAX: f64 = 0.1;
/// The quorums for which that is promised.
const PROMISED: [usize; 2] = [2, 3];

/// How a member ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    PortClosed,
    SilentHost,
}

/// The times of one kind of end in groups of one size and quorum, in seconds.
pub(super) struct Outcome {
    end: End,
    nodes: usize,
    quorum: usize,
    runs: usize,
    known: Sample,
}

impl End {
    const ALL: [Self; 2] = [Self::PortClosed, Self::SilentHost];

    fn name(self) -> &'static str {
        match self {
            Self::PortClosed => "crash, port closed",
            Self::SilentHost => "silent host",
        }
    }
}

pub(super) fn measure(settings: &Settings) -> Vec<Outcome> {
    let sizes: &[usize] = settings.either(&[8, 32, 128], &[8, 32]);
    let seeds = settings.seeds(40, 10);
    let mut cells = Vec::new();
    for end in End::ALL {
        for nodes in sizes {
            cells.extend(QUORUMS.map(|quorum| (end, *nodes, quorum)));
        }
    }
    let jobs: Vec<_> = cells.iter().flat_map(|cell| (1..=seeds).map(move |seed| (*cell, seed))).collect();
    let mut runs =
        side_by_side(&jobs, |((end, nodes, quorum), seed)| run(*end, *nodes, *quorum, *seed)).into_iter();
    let per_cell = usize::try_from(seeds).unwrap_or(usize::MAX);
    let outcome = |(end, nodes, quorum)| {
        let known = runs.by_ref().take(per_cell).flatten().collect();
        Outcome { end, nodes, quorum, runs: per_cell, known }
    };
    cells.into_iter().map(outcome).collect()
}

/// The seconds until all members know of the end; `None` if some never do.
fn run(end: End, nodes: usize, quorum: usize, seed: u64) -> Option<f64> {
    let config = SwimConfig { accusers_required: quorum, flaps: None, ..SwimConfig::verified() };
    let mut world = World::light_preformed(&Scenario::bare(nodes, config), seed);
    let mut rng = Rng::from_seed(seed);
    let (node, at) = (NodeIndex(rng.below(nodes)), Instant::ORIGIN + SETTLE + CYCLE.mul_f64(rng.unit()));
    world.run_until(at);
    world.act(&Step::Fault(match end {
        End::PortClosed => Fault::Crash(node),
        End::SilentHost => Fault::Silence(node),
    }));
    let mut know = BTreeSet::new();
    while world.now() < at + LIMIT {
        let next = world.now() + Duration::from_millis(100);
        world.run_until(next);
        for seen in world.take_seen() {
            let knows_now =
                seen.subject == node && matches!(seen.what, What::Failed(_)) && know.insert(seen.node);
            if knows_now && know.len() == nodes - 1 {
                return Some(seen.at.since(at).as_secs_f64());
            }
        }
    }
    None
}

pub(super) fn bars(outcomes: &[Outcome]) -> Vec<Bar> {
    let (mut latest, mut unknown, mut compared) = (f64::MIN, 0, 0);
    for outcome in outcomes.iter().filter(|outcome| PROMISED.contains(&outcome.quorum)) {
        let is_alike =
            |other: &&Outcome| other.quorum == 1 && (other.end, other.nodes) == (outcome.end, outcome.nodes);
        let one = outcomes.iter().find(is_alike).and_then(|one| one.known.median());
        unknown += outcome.runs - outcome.known.len();
        if let Some((one, several)) = one.zip(outcome.known.median()) {
            latest = latest.max(several - one);
            compared += 1;
        }
    }
    vec![Bar::new(
        format!(
            "2 or 3 accusers: a crash is known to all at most {LATER_MAX} s later than with 1, at the median"
        ),
        format!("at most {latest:.2} s later, {unknown} crashes unknown to some"),
        compared > 0 && unknown == 0 && latest <= LATER_MAX,
    )]
}

pub(super) fn table(outcomes: &[Outcome]) -> Table {
    let columns = [
        ("end", "what ends"),
        ("nodes", "N"),
        ("quorum", "quorum"),
        ("runs", "runs"),
        ("known", "known to all"),
        ("median", "median, s"),
        ("p99", "p99, s"),
        ("max", "longest, s"),
    ];
    let text = "No liar: one member ends, at a random time of a probe cycle. The time until every other member has \
         it as failed, for each number of accusers that a failure needs.";
    let mut table = Table::new("crash", "What the quorum costs", text, columns);
    for outcome in outcomes {
        let row = Row::new()
            .with("end", outcome.end.name())
            .with("nodes", outcome.nodes)
            .with("quorum", outcome.quorum)
            .with("runs", outcome.runs)
            .with("known", outcome.known.len())
            .real("median", outcome.known.median(), 2)
            .real("p99", outcome.known.percentile(99.0), 2)
            .real("max", outcome.known.max(), 2);
        table.push(row);
    }
    table
}
