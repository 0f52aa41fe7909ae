//! E5: some members have too little processor time, like the paper's virtual machines under
//! `stress`.
//!
//! Such a member processes its messages only sometimes. It is blocked for an exponentially
//! distributed time with the mean [`BLOCKED`], and then runs for one with the mean [`OPEN`]. Each
//! time is drawn separately for each member.

use std::collections::BTreeSet;
use std::time::Duration;

use kinfolk_core::{Instant, Rng};

use super::super::modes::Mode;
use super::super::{Page, Row, Sample, Settings, Table, side_by_side};
use crate::faults::Fault;
use crate::node::NodeIndex;
use crate::seen::What;
use crate::world::World;

const NODES: usize = 100;
const STRESSED: [usize; 6] = [1, 2, 4, 8, 16, 32];
const BLOCKED: Duration = Duration::from_secs(4);
const OPEN: Duration = Duration::from_millis(100);
const QUIET: Duration = Duration::from_secs(5);
const LASTS: Duration = Duration::from_secs(305);
/// The paper's false failures at all members and at healthy members, by mode and number of stressed
/// members.
const PAPER: [(&str, [f64; 6], [f64; 6]); 2] = [
    ("SWIM", [10.0, 40.0, 365.0, 955.0, 1_775.0, 3_310.0], [0.0, 0.0, 215.0, 325.0, 365.0, 615.0]),
    ("Lifeguard", [0.0, 0.0, 0.0, 0.0, 95.0, 1_270.0], [0.0, 0.0, 0.0, 0.0, 0.0, 60.0]),
];

/// The false failures of one run, at all members and at healthy members.
fn one(mode: &Mode, stressed: usize, seed: u64) -> (u64, u64) {
    let rng = &mut Rng::from_seed(seed);
    let mut all: Vec<NodeIndex> = (0..NODES).map(NodeIndex).collect();
    rng.shuffle(&mut all);
    let mut scenario = mode.group(NODES);
    for node in &all[..stressed] {
        let mut at = QUIET;
        while at < LASTS {
            let (blocked, open) = (exponential(BLOCKED, rng), exponential(OPEN, rng));
            scenario.script.fault(at, Fault::Block(*node));
            scenario.script.fault(at + blocked, Fault::Unblock(*node));
            at += blocked + open;
        }
    }
    let mut world = World::light_preformed(&scenario, seed);
    world.run_until(Instant::ORIGIN + LASTS);
    let stressed: BTreeSet<NodeIndex> = all[..stressed].iter().copied().collect();
    let seen = world.take_seen().into_iter();
    let wrong: Vec<_> = seen
        .filter(|seen| matches!(seen.what, What::Failed(_)) && !stressed.contains(&seen.subject))
        .collect();
    let healthy = wrong.iter().filter(|seen| !stressed.contains(&seen.node)).count();
    (wrong.len() as u64, healthy as u64)
}

fn exponential(mean: Duration, rng: &mut Rng) -> Duration {
    // The inverse of the exponential distribution function; the argument of the logarithm is never
    // 0.
    mean.mul_f64(-(1.0 - rng.unit()).ln())
}

/// Adds the table.
pub(super) fn run(settings: &Settings, page: &mut Page) {
    let seeds = settings.seeds(3, 1);
    let text = format!(
        "{NODES} members for 5 minutes. Each of the stressed members is blocked for exponentially \
         distributed times with a mean of {} s, and runs between them for such times with a mean \
         of {} ms. The table shows the false failures in each run, as means of {seeds} seeds. The \
         paper used real processor stress: shapes compare, numbers do not.",
        BLOCKED.as_secs(),
        OPEN.as_millis()
    );
    let columns = [
        ("stressed", "stressed"),
        ("mode", "mode"),
        ("fp", "FP"),
        ("fp_within", "±"),
        ("fp_paper", "paper [F]"),
        ("fp_healthy", "FP-"),
        ("fp_healthy_within", "±"),
        ("fp_healthy_paper", "paper [F]"),
    ];
    let mut table = Table::new("stress", "E5: processor exhaustion", text, columns);
    for (place, stressed) in STRESSED.into_iter().enumerate() {
        for mode in Mode::all() {
            let jobs: Vec<u64> = (1..=seeds).collect();
            let runs = side_by_side(&jobs, |seed| one(&mode, stressed, *seed));
            let all: Sample = runs.iter().map(|(all, _)| *all as f64).collect();
            let healthy: Sample = runs.iter().map(|(_, healthy)| *healthy as f64).collect();
            let paper = PAPER.iter().find(|(name, ..)| *name == mode.name);
            let row = Row::new().with("stressed", stressed).with("mode", mode.name).real("fp", all.mean(), 1);
            let row = row.real("fp_within", all.mean_within(), 1).real(
                "fp_paper",
                paper.map(|paper| paper.1[place]),
                0,
            );
            let row =
                row.real("fp_healthy", healthy.mean(), 1).real("fp_healthy_within", healthy.mean_within(), 1);
            table.push(row.real("fp_healthy_paper", paper.map(|paper| paper.2[place]), 0));
        }
    }
    page.tables.push(table);
}
