//! E1, false detections: how often a live member is accused under loss, compared with the paper's
//! formula.
//!
//! The formula assumes no suspicion: no member is known to be suspect, and every member can be a
//! helper. So each run ends when the first probe of each member has ended, in a group whose members
//! know each other from the start. Messages and replies are lost independently. A direct probe
//! takes two messages, an indirect probe four.

use kinfolk_core::Instant;

use super::super::{Axis, Bar, Page, Plot, Row, Settings, Share, Table, side_by_side};
use super::paper::{self, PERIOD};
use crate::node::NodeIndex;
use crate::scenario::Scenario;
use crate::world::World;

const NODES: usize = 16;
const LOSSES_PERCENT: [u32; 5] = [1, 2, 5, 10, 20];
const HELPERS: [usize; 4] = [1, 2, 3, 5];
/// Only cells above this value count for the promise: below it too few accusations happen to
/// compare a ratio.
const JUDGED_FROM: f64 = 1e-3;
/// The number of expected accusations for which a cell is run.
const HITS_WANTED: f64 = 4_000.0;

/// How many of the first probes of a group failed, although all members run.
fn first_probes(loss: f64, helpers: usize, seed: u64) -> Share {
    let mut scenario = Scenario { phi: false, ..Scenario::bare(NODES, paper::config(NODES, helpers)) };
    scenario.network.loss = loss;
    let mut world = World::light_preformed(&scenario, seed);
    // A probe starts within the first period and ends one period later, so all first probes have
    // ended after the second period.
    world.run_until(Instant::ORIGIN + PERIOD * 2);
    let machines = (0..NODES).filter_map(|node| world.machine(NodeIndex(node)));
    machines
        .fold(Share::default(), |sum, machine| sum.and(Share { hits: machine.stats().probes_failed, of: 1 }))
}

pub(super) fn run(settings: &Settings, page: &mut Page) {
    let most = settings.seeds(100_000, 4_000);
    let text = format!(
        "N = {NODES}, no suspicion. Each run ends after the first probe of every member, before \
         any suspicion is known. There are enough runs for about {HITS_WANTED:.0} accusations, but \
         at most {most}. The formula counts accusations of a live member within the expected time \
         of a detection, e/(e-1) periods, in which it is probed 1.58 times. The measured share for \
         each probe is multiplied by that. Cells above 1e-3 count for the promise."
    );
    let columns = [
        ("loss", "loss, %"),
        ("k", "k"),
        ("formula", "formula"),
        ("found", "found"),
        ("low", "from"),
        ("high", "to"),
        ("ratio", "found / formula"),
        ("probes", "probes"),
    ];
    let mut table = Table::new("false-detection", "E1: false detections", text, columns);
    let mut worst = 0.0_f64;
    let mut curves: Vec<(String, Vec<(f64, f64)>)> = Vec::new();
    for helpers in HELPERS {
        let mut curve = Vec::new();
        for percent in LOSSES_PERCENT {
            let loss = f64::from(percent) / 100.0;
            let formula = paper::false_detection(loss, helpers);
            let seeds = seeds_for(formula, most);
            let jobs: Vec<u64> = (1..=seeds).collect();
            let share = side_by_side(&jobs, |seed| first_probes(loss, helpers, *seed))
                .into_iter()
                .fold(Share::default(), Share::and);
            let of_time = |value: f64| value * paper::mean_periods();
            let found = share.value().map(of_time);
            let interval = share.interval();
            if formula > JUDGED_FROM {
                // The quick form has so few runs that it uses the value in the confidence interval
                // that is nearest to the formula.
                let near = |(low, high): (f64, f64)| formula.clamp(of_time(low), of_time(high));
                let judged = settings.either(found, interval.map(near));
                worst = worst.max(judged.map_or(f64::INFINITY, |found| (found / formula - 1.0).abs()));
            }
            curve.extend(found.map(|found| (f64::from(percent), found)));
            let row = Row::new().with("loss", u64::from(percent)).with("k", helpers).tiny("formula", formula);
            let row = row.tiny("found", found).tiny("low", interval.map(|(low, _)| of_time(low)));
            let row = row.tiny("high", interval.map(|(_, high)| of_time(high)));
            table.push(row.real("ratio", found.map(|found| found / formula), 3).with("probes", share.of));
        }
        let exact =
            |percent: u32| (f64::from(percent), paper::false_detection(f64::from(percent) / 100.0, helpers));
        curves.push((format!("k = {helpers}, found"), curve));
        curves.push((format!("k = {helpers}, formula"), LOSSES_PERCENT.map(exact).to_vec()));
    }
    page.bars.push(Bar::new(
        "E1: false detections within 10 % of the formula in each cell above 1e-3",
        format!("at most {:.1} % away", worst * 100.0),
        worst <= 0.1,
    ));
    page.plots.push(Plot {
        name: "false-detection",
        after: table.name,
        title: "False detections of a live member under loss".to_owned(),
        x: Axis { label: "loss of each message, %", log: true },
        y: Axis { label: "accusations within e/(e-1) periods", log: true },
        curves,
    });
    page.tables.push(table);
}

/// The number of runs that a cell needs.
fn seeds_for(formula: f64, most: u64) -> u64 {
    let each = formula / paper::mean_periods() * NODES as f64;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the value is positive, and `clamp` bounds it"
    )]
    let wanted = (HITS_WANTED / each).ceil() as u64;
    wanted.clamp(1, most)
}
