//! E1, load: the number of messages that a member sends in one period, for different sizes of the
//! group.

use kinfolk_core::Instant;

use super::super::{Bar, Page, Row, Sample, Settings, Table, side_by_side};
use super::paper::{self, PERIOD};
use crate::node::NodeIndex;
use crate::scenario::Scenario;
use crate::world::World;

const SIZES: [usize; 6] = [8, 16, 28, 56, 128, 512];
const PERIODS: u32 = 50;

/// The number of messages that each member sent in each period of an idle group.
fn sent(nodes: usize, seed: u64) -> Vec<u64> {
    let scenario = Scenario { phi: false, ..Scenario::bare(nodes, paper::config(nodes, 1)) };
    let mut world = World::light_preformed(&scenario, seed);
    let count = |world: &World| -> Vec<u64> {
        (0..nodes).map(|node| world.traffic(NodeIndex(node)).messages_sent).collect()
    };
    // Skip the first period, in which members start at random times.
    world.run_until(Instant::ORIGIN + PERIOD);
    let mut before = count(&world);
    let mut sent = Vec::new();
    for _ in 0..PERIODS {
        world.run_until(world.now() + PERIOD);
        let now = count(&world);
        sent.extend(now.iter().zip(&before).map(|(now, before)| now - before));
        before = now;
    }
    sent
}

pub(super) fn run(settings: &Settings, page: &mut Page) {
    let seeds = settings.seeds(20, 3);
    let text = format!(
        "An idle group, no loss. The messages that one member sends in one period, over {PERIODS} \
         periods and {seeds} seeds. The paper: about 2.0 at every size up to 55, and at N = 28 \
         fewer than 5 with a probability of 0.99."
    );
    let columns =
        [("n", "N"), ("mean", "sent"), ("below5", "fewer than 5, %"), ("max", "most"), ("paper", "paper")];
    let mut table = Table::new("load", "E1: message load", text, columns);
    let mut worst = 0.0_f64;
    let jobs: Vec<u64> = (1..=seeds).collect();
    for nodes in SIZES {
        let sent = side_by_side(&jobs, |seed| sent(nodes, *seed)).into_iter().flatten();
        let sent: Sample = sent.map(|count| count as f64).collect();
        let below_5 = sent.values().partition_point(|count| *count < 5.0) as f64 * 100.0 / sent.len() as f64;
        worst = worst.max(sent.mean().map_or(f64::INFINITY, |mean| (mean - 2.0).abs()));
        let row = Row::new().with("n", nodes).real("mean", sent.mean(), 3).real("below5", below_5, 1);
        table.push(row.real("max", sent.max(), 0).real("paper", (nodes <= 56).then_some(2.0), 1));
    }
    page.bars.push(Bar::new(
        "E1: 2 messages sent by each member in each period, at every size",
        format!("at most {worst:.3} away"),
        worst <= 0.05,
    ));
    page.tables.push(table);
}
