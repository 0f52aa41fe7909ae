//! E2, joins under loss: 17 processes join one after another while a tenth of all messages is lost.

use std::time::Duration;

use kinfolk_core::Instant;
use kinfolk_swim::SwimConfig;

use super::super::modes::Mode;
use super::super::{Axis, Bar, Page, Plot, Row, Sample, Settings, Table, side_by_side};
use super::paper;
use crate::faults::Step;
use crate::node::NodeIndex;
use crate::world::World;

const NODES: usize = 17;
const LOSS: f64 = 0.1;
/// The time between two starts. The last process starts 80 s after the first.
const APART: Duration = Duration::from_secs(5);
const JUDGED_AT: usize = 100;
/// The end of the paper's plot, in seconds.
const LASTS: usize = 175;

/// The size of the smallest view of the started members, at each second. So a member counts when
/// all members know it.
fn smallest_views(mode: &Mode, seed: u64) -> Vec<usize> {
    let mut scenario = mode.group(NODES);
    scenario.network.loss = LOSS;
    for (number, node) in (0..).zip((0..NODES).map(NodeIndex)) {
        scenario.script.at(APART * number, Step::Start { node, via: (number > 0).then_some(NodeIndex(0)) });
    }
    let mut world = World::light(&scenario, seed);
    let second = |_| {
        // The paper's plot has one value for each second.
        world.run_until(world.now() + Duration::from_secs(1));
        let views = (0..NODES).filter_map(|node| world.registry(NodeIndex(node)));
        views.map(|registry| registry.member_count()).min().unwrap_or(0)
    };
    assert_eq!(scenario.end, Instant::ORIGIN, "the world runs second by second");
    (0..LASTS).map(second).collect()
}

pub(super) fn run(settings: &Settings, page: &mut Page) {
    let seeds = settings.seeds(500, 40);
    let text = format!(
        "{NODES} processes join through the first, {} s apart, so the last starts at 80 s. {:.0} % \
         of all messages are lost during the whole run; {seeds} seeds a mode. The size of the \
         group is the size of the smallest view of its members. The paper's variants ended with 2 \
         (basic), 4 (with infection), and 12 (with infection and suspicion, at best 14) of 17 at \
         175 s.",
        APART.as_secs(),
        LOSS * 100.0
    );
    let columns = [
        ("mode", "mode"),
        ("at100", "at 100 s"),
        ("worst100", "worst"),
        ("whole100", "runs with 17, %"),
        ("at175", "at 175 s"),
        ("worst175", "worst"),
        ("whole175", "runs with 17, %"),
    ];
    let mut table = Table::new("joins", "E2: joins under loss", text, columns);
    let paper = Mode { name: "SWIM, paper's form", config: paper::config(NODES, 1), phi: false };
    let default = Mode { name: "default", config: SwimConfig::default(), phi: true };
    let mut curves = Vec::new();
    let jobs: Vec<u64> = (1..=seeds).collect();
    for mode in [paper, Mode::swim(), Mode::lifeguard(5.0), default] {
        let runs = side_by_side(&jobs, |seed| smallest_views(&mode, *seed));
        let at = |second: usize| -> Sample { runs.iter().map(|views| views[second - 1] as f64).collect() };
        let mean = |second: usize| at(second).mean().map(|mean| (second as f64, mean));
        curves.push((mode.name.to_owned(), (1..=LASTS).step_by(6).filter_map(mean).collect()));
        let whole = |of: &Sample| {
            of.values().iter().filter(|size| **size > NODES as f64 - 0.5).count() as f64 * 100.0
                / of.len() as f64
        };
        let (early, late) = (at(JUDGED_AT), at(LASTS));
        let row = Row::new().with("mode", mode.name).real("at100", early.mean(), 2);
        let row = row.real("worst100", early.percentile(0.0), 0).real("whole100", whole(&early), 1);
        let row = row.real("at175", late.mean(), 2).real("worst175", late.percentile(0.0), 0);
        table.push(row.real("whole175", whole(&late), 1));
        if mode.name == "default" {
            page.bars.push(Bar::new(
                "E2: 17 of 17 joined within 100 s in the default mode",
                format!("{:.1} % of runs", whole(&early)),
                early.percentile(0.0).is_some_and(|worst| worst > NODES as f64 - 0.5),
            ));
        }
    }
    page.plots.push(Plot {
        name: "joins",
        after: table.name,
        title: "17 processes join while 10 % of all messages are lost".to_owned(),
        x: Axis { label: "s", log: false },
        y: Axis { label: "members in the smallest view, mean", log: false },
        curves,
    });
    page.tables.push(table);
}
