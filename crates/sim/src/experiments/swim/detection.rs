//! E1, first detection: the number of protocol periods from a crash until the first member detects
//! it.
//!
//! The first counted period is the first one that the prober starts after the crash. The last one
//! is the period whose end is the suspicion. The paper's geometric distribution counts in this way:
//! a crash that the first probe after it detects takes one period.

use std::time::Duration;

use kinfolk_core::{Instant, Rng};

use super::super::{Bar, Page, Row, Sample, Settings, Table, side_by_side};
use super::paper::{self, PERIOD};
use crate::faults::{Fault, Step};
use crate::node::NodeIndex;
use crate::scenario::Scenario;
use crate::seen::{Seen, What};
use crate::world::World;

const SIZES: [usize; 5] = [8, 16, 32, 56, 128];
/// From this size on, a finite group is close enough to the limit e/(e-1) to be compared with it.
const JUDGED_FROM: usize = 32;
/// The mean that the paper's figure shows near this size.
const PAPER: [Option<f64>; 5] = [Some(1.1), Some(3.3), Some(1.4), None, None];

/// A group of the paper's protocol in which one member has just crashed, after some periods.
pub(super) fn crashed(nodes: usize, seed: u64) -> (World, NodeIndex) {
    let rng = &mut Rng::from_seed(seed);
    let victim = NodeIndex(rng.below(nodes));
    let scenario = Scenario { phi: false, ..Scenario::bare(nodes, paper::config(nodes, 1)) };
    let mut world = World::light_preformed(&scenario, seed);
    world.run_until(Instant::ORIGIN + PERIOD.mul_f64(2.0 + rng.unit()));
    world.act(&Step::Fault(Fault::Crash(victim)));
    (world, victim)
}

/// The time from a crash to the first suspicion, in periods; `None` if there is none within the
/// worst case.
fn first_suspicion(nodes: usize, seed: u64) -> Option<f64> {
    let (mut world, victim) = crashed(nodes, seed);
    let crash = world.now();
    let longest = crash + PERIOD * u32::try_from(2 * nodes + 2).unwrap_or(u32::MAX);
    let finds = |seen: &Seen| seen.subject == victim && matches!(seen.what, What::Suspected(by) if by.own);
    while world.now() < longest {
        world.run_until(world.now() + PERIOD / 4);
        if let Some(found) = world.take_seen().into_iter().find(finds) {
            return Some(in_periods(found.at.since(crash)));
        }
    }
    None
}

/// A duration in the paper's periods.
pub(super) fn in_periods(time: Duration) -> f64 {
    time.as_secs_f64() / PERIOD.as_secs_f64()
}

pub(super) fn run(settings: &Settings, page: &mut Page) {
    let seeds = settings.seeds(10_000, 1_000);
    let sizes = settings.either(&SIZES[..], &SIZES[..4]);
    let text = format!(
        "One member of N crashes at a random time, k = 1, T' = 2 s, no loss; {seeds} crashes a \
         size, seeds from 1. The mean counts periods as the paper's geometric distribution does, \
         from the first period that the prober starts after the crash. *Drawn* is the distribution \
         of the paper's section 3.1, which draws each period's target at random. *Round-robin* is \
         that of section 4.3, which is the protocol. *Time* is the time from the crash to the \
         suspicion, with the wait for that first period."
    );
    let columns = [
        ("n", "N"),
        ("mean", "mean, periods"),
        ("within", "±"),
        ("round_robin", "round-robin"),
        ("drawn", "drawn"),
        ("paper", "paper [F]"),
        ("time", "mean time, periods"),
        ("p99", "99 % of times"),
    ];
    let mut table = Table::new("detection", "E1: first detection", text, columns);
    let (mut worst, mut missed) = (0.0_f64, 0);
    let jobs: Vec<u64> = (1..=seeds).collect();
    for (nodes, published) in sizes.iter().copied().zip(PAPER) {
        let times = side_by_side(&jobs, |seed| first_suspicion(nodes, *seed));
        missed += times.iter().filter(|time| time.is_none()).count();
        // The last period is that of the failed probe, which started one period before its end.
        let periods: Sample = times.iter().flatten().map(|time| (time - 1.0).ceil()).collect();
        let times: Sample = times.into_iter().flatten().collect();
        let mean = periods.mean();
        let within = periods.mean_within();
        if nodes >= JUDGED_FROM {
            // The quick form has so few runs that half of its confidence interval is allowed in
            // addition.
            let allowed = settings.either(0.0, within.unwrap_or(f64::INFINITY));
            let away = mean.map_or(f64::INFINITY, |mean| (mean - paper::mean_periods()).abs());
            worst = worst.max(away - allowed);
        }
        let row = Row::new().with("n", nodes).real("mean", mean, 3).real("within", within, 3);
        let row = row.real("round_robin", paper::round_robin_periods(nodes), 3);
        let row = row.real("drawn", paper::random_periods(nodes), 3).real("paper", published, 1);
        table.push(row.real("time", times.mean(), 2).real("p99", times.percentile(99.0), 2));
    }
    page.bars.push(Bar::new(
        format!("E1: first detection after 1.58 ± 0.05 periods at N >= {JUDGED_FROM}; no crash unnoticed"),
        format!("at most {worst:.3} away; {missed} unnoticed"),
        worst <= 0.05 && missed == 0,
    ));
    page.tables.push(table);
}
