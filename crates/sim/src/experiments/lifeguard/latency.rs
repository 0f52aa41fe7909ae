//! E3, the "Threshold" family: one long anomaly a run, and the time until the other members detect
//! it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kinfolk_core::{Instant, Rng};

use super::super::modes::Mode;
use super::super::{Bar, Page, Row, Sample, Settings, Table, side_by_side};
use super::Measured;
use super::anomalies::{CONCURRENT, NODES, QUICK, QUIET, chosen};
use crate::faults::Fault;
use crate::node::NodeIndex;
use crate::seen::What;
use crate::world::World;

/// The longest anomaly of the grid: all modes detect it while it lasts.
const LASTS: Duration = Duration::from_millis(32_768);

/// The times until anomalies were detected, in seconds.
#[derive(Debug, Clone)]
pub(super) struct Latency {
    /// Until the first healthy member declared the failure.
    pub first: Sample,
    /// Until all healthy members had declared it.
    pub full: Sample,
    /// The number of anomalies that not all healthy members detected before the end.
    pub missed: usize,
}

/// Runs the family in one mode.
pub(super) fn measure(mode: &Mode, settings: &Settings) -> Latency {
    let mut jobs = Vec::new();
    for concurrent in settings.either(&CONCURRENT[..], &QUICK[..]) {
        jobs.extend((1..=repetitions(settings)).map(|seed| (*concurrent, seed)));
    }
    let found: Vec<_> = side_by_side(&jobs, |(concurrent, seed)| one(mode, *concurrent, *seed))
        .into_iter()
        .flatten()
        .collect();
    Latency {
        first: found.iter().filter_map(|(first, _)| *first).collect(),
        full: found.iter().filter_map(|(_, full)| *full).collect(),
        missed: found.iter().filter(|(_, full)| full.is_none()).count(),
    }
}

fn repetitions(settings: &Settings) -> u64 {
    settings.seeds(5, 1)
}

/// For each member with an anomaly: when the first and the last of the other members declared it
/// failed.
fn one(mode: &Mode, concurrent: usize, seed: u64) -> Vec<(Option<f64>, Option<f64>)> {
    let (affected, unaffected) = chosen(concurrent, seed);
    // Start at a random time, independent of the members' probe periods.
    let start = QUIET + Duration::from_secs(1).mul_f64(Rng::from_seed(seed).fork().unit());
    let mut scenario = mode.group(NODES);
    for node in &affected {
        scenario.script.fault(start, Fault::Block(*node));
    }
    let mut world = World::light_preformed(&scenario, seed);
    // Stop when the anomaly ends: a later failure event would be about a member that answers again.
    world.run_until(Instant::ORIGIN + start + LASTS);
    let unaffected: BTreeSet<NodeIndex> = unaffected.into_iter().collect();
    let mut found: BTreeMap<NodeIndex, BTreeMap<NodeIndex, Instant>> = BTreeMap::new();
    for seen in world.take_seen() {
        if matches!(seen.what, What::Failed(_)) && unaffected.contains(&seen.node) {
            found.entry(seen.subject).or_default().entry(seen.node).or_insert(seen.at);
        }
    }
    let after = |at: &Instant| at.since(Instant::ORIGIN + start).as_secs_f64();
    let of = |node: &NodeIndex| {
        let by = found.get(node);
        // The last detection counts only if every healthy member declared the failure. Otherwise
        // the anomaly is missed.
        let last = by.filter(|by| by.len() == unaffected.len()).and_then(|by| by.values().max());
        (by.and_then(|by| by.values().min()).map(after), last.map(after))
    };
    affected.iter().map(of).collect()
}

/// Adds the table.
pub(super) fn table(settings: &Settings, measured: &[Measured], page: &mut Page) {
    let text = format!(
        "One anomaly of {:.1} s a run, of C members at the same time; {} runs a mode, {} for each \
         C. The columns show the seconds from the start of the anomaly until the first healthy \
         member declared the failure, and until all had. The paper's own table could not be \
         opened: its medians are about 12.4 s at alpha 5.",
        LASTS.as_secs_f64(),
        repetitions(settings) * settings.either(CONCURRENT.len(), QUICK.len()) as u64,
        repetitions(settings)
    );
    let columns = [
        ("mode", "mode"),
        ("first50", "first: median, s"),
        ("first99", "99 %"),
        ("first999", "99.9 %"),
        ("full50", "all: median, s"),
        ("full99", "99 %"),
        ("full999", "99.9 %"),
        ("found", "found"),
        ("missed", "not by all"),
    ];
    let mut table = Table::new("latency", "E3: latency", text, columns);
    for one in measured {
        let Latency { first, full, missed } = &one.latency;
        let row = Row::new().with("mode", one.mode.name).real("first50", first.median(), 2);
        let row = row.real("first99", first.percentile(99.0), 2).real("first999", first.percentile(99.9), 2);
        let row = row.real("full50", full.median(), 2).real("full99", full.percentile(99.0), 2);
        let row = row.real("full999", full.percentile(99.9), 2).with("found", full.len());
        table.push(row.with("missed", *missed));
    }
    page.tables.push(table);
    verified_is_faster(measured, page);
}

fn verified_is_faster(measured: &[Measured], page: &mut Page) {
    let median = |name: &str| {
        let one = measured.iter().find(|one| one.mode.name == name)?;
        one.latency.full.median()
    };
    if let (Some(verified), Some(lifeguard)) = (median("Verified"), median("Lifeguard")) {
        let percent = verified * 100.0 / lifeguard;
        page.bars.push(Bar::new(
            "E3: median detection of Verified at most 60 % of Lifeguard's",
            format!("{percent:.1} %"),
            percent <= 60.0,
        ));
    }
}
