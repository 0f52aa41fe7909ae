//! The runs of E3's "Interval" family: C members at a time stop processing messages for D, process
//! them for I, and so on.

use std::collections::BTreeSet;
use std::time::Duration;

use kinfolk_core::{Instant, Rng};

use super::super::modes::Mode;
use super::super::{Settings, side_by_side};
use crate::faults::Fault;
use crate::node::NodeIndex;
use crate::scenario::Scenario;
use crate::seen::{Seen, What};
use crate::world::World;

/// The size of every group (the paper's).
pub(super) const NODES: usize = 128;
/// The numbers of members with anomalies at the same time (the paper's axis).
pub(super) const CONCURRENT: [usize; 9] = [1, 4, 8, 12, 16, 20, 24, 28, 32];
/// The same in the quick form.
pub(super) const QUICK: [usize; 1] = [16];
/// The lengths of an anomaly, in milliseconds: every second value of the paper, from 512 on.
const DURATIONS_MS: [u64; 4] = [512, 2_048, 8_192, 32_768];
/// The lengths of the pause between two anomalies, in milliseconds: four of the paper's eight
/// values.
const INTERVALS_MS: [u64; 4] = [1, 64, 1_024, 16_384];
/// The full form runs each third cell of the grid, and with network faults each thirteenth. Neither
/// number divides a row of the grid, so that all lengths of anomalies and pauses occur.
const STEP: usize = 3;
const STEP_AT_FAULT: usize = 13;
/// The time before the first anomaly.
pub(super) const QUIET: Duration = Duration::from_secs(5);
/// The length of a run.
const LASTS: Duration = Duration::from_mins(2);
/// The one-way condition: the number of members without anomalies that miss messages, and the share
/// that they miss.
const DEAF: usize = 8;
const DEAF_LOSS: f64 = 0.2;

/// The network's faults beside the anomalies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Condition {
    /// No faults.
    Clean,
    /// This share of all messages is lost.
    Loss(f64),
    /// Some members without anomalies lose a share of the messages to them, and none of their own.
    OneWay,
}

/// One run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cell {
    pub concurrent: usize,
    duration: Duration,
    interval: Duration,
    seed: u64,
}

/// The results of one run.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Outcome {
    pub concurrent: usize,
    /// Failure events about members without anomalies, at any member.
    pub fp: u64,
    /// The same events at members without anomalies.
    pub fp_healthy: u64,
    pub messages: u64,
    pub bytes: u64,
}

/// The results of all runs of one mode, in the order of the cells, which is the same for all modes.
/// Ratios between modes need this order.
#[derive(Debug, Clone, Default)]
pub(super) struct Totals(pub Vec<Outcome>);

impl Totals {
    pub(super) fn of(&self, figure: fn(&Outcome) -> u64) -> Vec<f64> {
        self.0.iter().map(|outcome| figure(outcome) as f64).collect()
    }

    pub(super) fn sum(&self, figure: fn(&Outcome) -> u64) -> u64 {
        self.0.iter().map(figure).sum()
    }

    /// The runs with so many anomalies at the same time.
    pub(super) fn with(&self, concurrent: usize) -> Self {
        Self(self.0.iter().filter(|outcome| outcome.concurrent == concurrent).copied().collect())
    }
}

/// The number of runs of each cell; with network faults, one.
pub(super) fn repetitions(settings: &Settings, condition: Condition) -> u64 {
    if condition == Condition::Clean { settings.seeds(1, 1) } else { 1 }
}

/// The cells to run.
fn cells(settings: &Settings, condition: Condition) -> Vec<Cell> {
    let step = if condition == Condition::Clean { settings.either(STEP, 1) } else { STEP_AT_FAULT };
    let mut cells = Vec::new();
    for concurrent in settings.either(&CONCURRENT[..], &QUICK[..]) {
        for duration in settings.either(&DURATIONS_MS[..], &[32_768]) {
            for interval in settings.either(&INTERVALS_MS[..], &[64, 1_024]) {
                for seed in 1..=repetitions(settings, condition) {
                    let (duration, interval) =
                        (Duration::from_millis(*duration), Duration::from_millis(*interval));
                    cells.push(Cell { concurrent: *concurrent, duration, interval, seed });
                }
            }
        }
    }
    cells.into_iter().step_by(step).collect()
}

/// Runs the whole grid in one mode.
pub(super) fn totals(mode: &Mode, settings: &Settings, condition: Condition) -> Totals {
    Totals(side_by_side(&cells(settings, condition), |cell| run(mode, *cell, condition)))
}

/// Random members with anomalies, and then the other members.
pub(super) fn chosen(concurrent: usize, seed: u64) -> (Vec<NodeIndex>, Vec<NodeIndex>) {
    let mut all: Vec<NodeIndex> = (0..NODES).map(NodeIndex).collect();
    Rng::from_seed(seed).shuffle(&mut all);
    let others = all.split_off(concurrent);
    (all, others)
}

fn run(mode: &Mode, cell: Cell, condition: Condition) -> Outcome {
    let mut scenario = mode.group(NODES);
    let (affected, unaffected) = chosen(cell.concurrent, cell.seed);
    alternate(&mut scenario, &affected, cell.duration, cell.interval);
    let mut deaf = BTreeSet::new();
    match condition {
        Condition::Clean => {}
        Condition::Loss(loss) => scenario.network.loss = loss,
        Condition::OneWay => {
            deaf.extend(&unaffected[..DEAF]);
            for node in deaf.iter().copied() {
                scenario.script.fault(Duration::ZERO, Fault::Ingress { node, loss: DEAF_LOSS });
            }
        }
    }
    let mut world = World::light_preformed(&scenario, cell.seed);
    world.run_until(Instant::ORIGIN + LASTS);
    let affected: BTreeSet<NodeIndex> = affected.into_iter().collect();
    let is_false = |seen: &Seen| matches!(seen.what, What::Failed(_)) && !affected.contains(&seen.subject);
    let wrong: Vec<Seen> = world.take_seen().into_iter().filter(is_false).collect();
    let healthy = wrong.iter().filter(|seen| !affected.contains(&seen.node) && !deaf.contains(&seen.node));
    let traffic = world.traffic_of_all();
    Outcome {
        concurrent: cell.concurrent,
        fp: wrong.len() as u64,
        fp_healthy: healthy.count() as u64,
        messages: traffic.messages_sent,
        bytes: traffic.bytes_sent,
    }
}

/// Adds anomalies of all these members at the same time, with pauses between them, until the end of
/// the run.
fn alternate(scenario: &mut Scenario, affected: &[NodeIndex], duration: Duration, interval: Duration) {
    let mut at = QUIET;
    while at < LASTS {
        for node in affected {
            scenario.script.fault(at, Fault::Block(*node));
            scenario.script.fault(at + duration, Fault::Unblock(*node));
        }
        at += duration + interval;
    }
}
