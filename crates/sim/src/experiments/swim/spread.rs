//! E1, spread and removal: the time from the first suspicion of a crashed member until all members
//! know of it, and the time until all have removed it.

use std::collections::BTreeMap;

use super::super::{Axis, Page, Plot, Row, Sample, Settings, Table, side_by_side};
use super::detection::{crashed, in_periods};
use super::paper::{self, PERIOD};
use crate::seen::What;

const SIZES: [usize; 9] = [6, 13, 20, 28, 35, 43, 52, 56, 128];
/// The median infection time that the paper's figure shows at these sizes, in periods.
const PAPER: [Option<f64>; 9] =
    [Some(1.0), Some(1.3), Some(3.0), Some(3.0), Some(2.0), Some(2.5), Some(1.5), Some(2.3), None];

/// The course of one crash, in periods.
struct Course {
    /// From the first suspicion until half of the other members knew, and until all did.
    half: f64,
    all: f64,
    /// The share of the other members that knew after `2 ln N` periods.
    known: f64,
    /// From the crash until the last of the other members had removed it.
    removed: f64,
}

/// Runs one crash; `None` if not all members learned of it in time.
fn course(nodes: usize, seed: u64) -> Option<Course> {
    let (mut world, victim) = crashed(nodes, seed);
    let crash = world.now();
    // The longest course: the worst round-robin selection takes about 2 N periods, then comes the
    // suspicion, and 30 periods are left for dissemination.
    let longest = 2.0 * nodes as f64 + paper::suspicion_periods(nodes) + 30.0;
    let end = crash + PERIOD.mul_f64(longest);
    let (others, mut heard, mut failed) = (nodes - 1, BTreeMap::new(), BTreeMap::new());
    while world.now() < end && failed.len() < others {
        world.run_until(world.now() + PERIOD);
        for seen in world.take_seen().into_iter().filter(|seen| seen.subject == victim) {
            // A member that learns of the failure first has also learned of the suspicion.
            if matches!(seen.what, What::Suspected(_) | What::Failed(_)) {
                heard.entry(seen.node).or_insert(seen.at);
            }
            if matches!(seen.what, What::Failed(_)) {
                failed.entry(seen.node).or_insert(seen.at);
            }
        }
    }
    let began = *heard.values().min()?;
    let after: Sample = heard.values().map(|at| in_periods(at.since(began))).collect();
    let bound = 2.0 * (nodes as f64).ln();
    let known = after.values().iter().filter(|time| **time <= bound).count();
    let last = failed.values().max().filter(|_| failed.len() == others && heard.len() == others)?;
    Some(Course {
        half: after.median()?,
        all: after.max()?,
        known: known as f64 / others as f64,
        removed: in_periods(last.since(crash)),
    })
}

pub(super) fn run(settings: &Settings, page: &mut Page) {
    let seeds = settings.seeds(500, 50);
    let text = format!(
        "The same crashes, {seeds} a size, no loss. The table shows the time from the first \
         suspicion until half of the other members knew of it, and until all did. *Known* is the \
         share that knew after 2 ln N periods; the paper's section 4.1 promises all but N^-2 \
         members with lambda = 2. *Removed* is the time from the crash until the last member \
         removed the crashed one; most of it is the time-out of the suspicion (3 ceil(ln(N + 1)) \
         periods). Values are medians and 99th percentiles over the crashes."
    );
    let columns = [
        ("n", "N"),
        ("half", "half know, periods"),
        ("paper", "paper [F]"),
        ("half99", "99 %"),
        ("all", "all know"),
        ("all99", "99 %"),
        ("known", "known after 2 ln N, %"),
        ("timeout", "time-out"),
        ("removed", "removed by all"),
        ("removed99", "99 %"),
        ("lost", "not by all"),
    ];
    let mut table = Table::new("spread", "E1: infection and removal", text, columns);
    let (mut half_curve, mut all_curve) = (Vec::new(), Vec::new());
    let jobs: Vec<u64> = (1..=seeds).collect();
    let sizes = settings.either(&SIZES[..], &SIZES[..4]);
    for (nodes, published) in sizes.iter().copied().zip(PAPER) {
        let courses = side_by_side(&jobs, |seed| course(nodes, *seed));
        let lost = courses.iter().filter(|course| course.is_none()).count();
        let sample = |of: fn(&Course) -> f64| -> Sample { courses.iter().flatten().map(of).collect() };
        let (half, all, removed) = (sample(|c| c.half), sample(|c| c.all), sample(|c| c.removed));
        half_curve.extend(half.median().map(|half| (nodes as f64, half)));
        all_curve.extend(all.median().map(|all| (nodes as f64, all)));
        let row = Row::new().with("n", nodes).real("half", half.median(), 2).real("paper", published, 1);
        let row = row.real("half99", half.percentile(99.0), 2).real("all", all.median(), 2);
        let row = row.real("all99", all.percentile(99.0), 2);
        let row = row.real("known", sample(|c| c.known).mean().map(|share| share * 100.0), 3);
        let row =
            row.real("timeout", paper::suspicion_periods(nodes), 0).real("removed", removed.median(), 2);
        table.push(row.real("removed99", removed.percentile(99.0), 2).with("lost", lost));
    }
    let published = sizes.iter().zip(PAPER).filter_map(|(n, paper)| Some((*n as f64, paper?))).collect();
    page.plots.push(Plot {
        name: "spread",
        after: table.name,
        title: "From the first suspicion until the others know".to_owned(),
        x: Axis { label: "N", log: false },
        y: Axis { label: "protocol periods", log: false },
        curves: vec![
            ("half know".to_owned(), half_curve),
            ("all know".to_owned(), all_curve),
            ("half know, paper".to_owned(), published),
        ],
    });
    page.tables.push(table);
}
