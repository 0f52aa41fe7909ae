//! A new group, in which all members start at once and know nothing: the errors after some
//! observations, and the statements until then.

use kinfolk_core::Rng;

use super::super::{Bar, Row, Settings, Table, side_by_side};
use super::group::{Errors, Group, Who, neighbours};
use super::network::Network;
use super::{percent, sample};

/// After so many observations of each member the bars apply.
const SETTLED: usize = 100;
/// The observations after which the errors are measured.
const MEASURED: [usize; 5] = [25, 50, SETTLED, 300, 1_000];

/// The highest allowed errors, in per cent.
const MEDIAN_MAX: f64 = 12.0;
const P90_MAX: f64 = 40.0;
/// The most statements of a member until then, on average.
const STATEMENTS_MAX: f64 = 12.0;

/// A group after some observations, over all seeds.
#[derive(Debug, Clone)]
pub(super) struct Stage {
    nodes: usize,
    who: Who,
    after: usize,
    errors: Errors,
    statements: Vec<f64>,
    /// How far the middle of all positions is from the origin, in milliseconds.
    centres: Vec<f64>,
}

pub(super) fn measure(settings: &Settings) -> Vec<Stage> {
    let sizes: &[usize] = settings.either(&[8, 32, 128, 1_000], &[8, 32, 128]);
    let measured: &[usize] = settings.either(&MEASURED, &MEASURED[..3]);
    let alone: &[usize] = settings.either(&[128, 1_000], &[128]);
    let cells: Vec<_> = sizes
        .iter()
        .map(|nodes| (*nodes, Who::Random))
        .chain(alone.iter().map(|nodes| (*nodes, Who::Neighbours)))
        .collect();
    let seeds = settings.seeds(5, 2);
    let jobs: Vec<_> = cells.iter().flat_map(|cell| (1..=seeds).map(move |seed| (*cell, seed))).collect();
    let mut runs =
        side_by_side(&jobs, |((nodes, who), seed)| once(*nodes, *who, *seed, measured)).into_iter();
    let mut stages = Vec::new();
    for _ in &cells {
        let mut whole: Vec<Stage> = Vec::new();
        for run in runs.by_ref().take(usize::try_from(seeds).unwrap_or(usize::MAX)) {
            if whole.is_empty() {
                whole = run;
            } else {
                whole.iter_mut().zip(run).for_each(|(whole, stage)| whole.add(stage));
            }
        }
        stages.extend(whole);
    }
    stages
}

/// One run, at each of its stages.
fn once(nodes: usize, who: Who, seed: u64, measured: &[usize]) -> Vec<Stage> {
    let mut rng = Rng::from_seed(seed);
    let (network, neighbours) = (Network::wide(nodes, &mut rng), neighbours(nodes));
    let mut group = Group::new(&network, &neighbours, (who, None), rng);
    let mut before = 0;
    let stage = |&after: &usize| {
        group.run(after - before);
        before = after;
        Stage {
            nodes,
            who,
            after,
            errors: group.errors(),
            statements: group.statements(),
            centres: vec![group.centre()],
        }
    };
    measured.iter().map(stage).collect()
}

impl Stage {
    fn add(&mut self, other: Self) {
        self.errors.add(&other.errors);
        self.statements.extend(other.statements);
        self.centres.extend(other.centres);
    }
}

pub(super) fn bars(stages: &[Stage]) -> Vec<Bar> {
    let promised = stages.iter().filter(|stage| stage.after == SETTLED && stage.who == Who::Random);
    promised.flat_map(bars_of).collect()
}

fn bars_of(stage: &Stage) -> [Bar; 3] {
    let begin = format!("{} members, {SETTLED} observations of each", stage.nodes);
    let error = |name: &str, percentile, most: f64| {
        let found = percent(&stage.errors.all, percentile).unwrap_or(f64::NAN);
        let promise = format!("{begin}: {name} relative error at most {most:.0} %");
        Bar::new(promise, format!("{found:.1} %"), found <= most)
    };
    let statements = sample(&stage.statements).mean().unwrap_or(f64::NAN);
    [
        error("median", 50.0, MEDIAN_MAX),
        error("90th percentile of the", 90.0, P90_MAX),
        Bar::new(
            format!("{begin}: at most {STATEMENTS_MAX:.0} statements of a member, on average"),
            format!("{statements:.1}"),
            statements <= STATEMENTS_MAX,
        ),
    ]
}

pub(super) fn table(stages: &[Stage]) -> Table {
    let columns = [
        ("nodes", "N"),
        ("who", "measured"),
        ("after", "observations"),
        ("median", "median error, %"),
        ("p90", "p90, %"),
        ("far", "between regions: median, %"),
        ("far_p90", "p90, %"),
        ("region", "in a region: median, ms"),
        ("region_p90", "p90, ms"),
        ("site", "in a site: median, ms"),
        ("site_p90", "p90, ms"),
        ("statements", "statements of a member, mean"),
        ("most", "most"),
        ("centre", "middle, ms"),
    ];
    let text = "The errors of near pairs are in milliseconds: a percentage of 2 ms says little. *Measured*: \
         whether members measure random ones, too. *Middle*: how far the middle of all positions is from the \
         origin. It shows whether the coordinates drift.";
    let mut table = Table::new("settle", "A new group", text, columns);
    for stage in stages {
        let errors = &stage.errors;
        let (region, site) = (sample(&errors.in_region), sample(&errors.in_site));
        let statements = sample(&stage.statements);
        let row = Row::new()
            .with("nodes", stage.nodes)
            .with("who", stage.who.name())
            .with("after", stage.after)
            .real("median", percent(&errors.all, 50.0), 1)
            .real("p90", percent(&errors.all, 90.0), 1)
            .real("far", percent(&errors.far, 50.0), 1)
            .real("far_p90", percent(&errors.far, 90.0), 1)
            .real("region", region.median(), 1)
            .real("region_p90", region.percentile(90.0), 1)
            .real("site", site.median(), 1)
            .real("site_p90", site.percentile(90.0), 1)
            .real("statements", statements.mean(), 1)
            .real("most", statements.max(), 0)
            .real("centre", sample(&stage.centres).mean(), 1);
        table.push(row);
    }
    table
}
