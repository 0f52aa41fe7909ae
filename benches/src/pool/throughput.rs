//! Measures the requests per second of each variant, cell by cell. In each round every variant runs
//! for one window. The order changes from round to round, so that other work of the machine
//! disturbs all variants alike.

use anyhow::Result;
use serde::Serialize;

use super::test_bed::{Done, Load, TestBed};
use super::variant::Variant;
use crate::numbers::{Rounds, Spread, quantile};

/// Each variant runs for a window divided by this number, before a cell is measured.
const WARM_UP_SHARE: u32 = 2;

/// The figures of one variant under one load.
#[derive(Debug, Clone, Serialize)]
pub struct ThroughputCell {
    /// The variant.
    pub variant: Variant,
    /// The number of callers.
    pub callers: usize,
    /// The delay of the server's answer, in milliseconds.
    pub delay_ms: u8,
    /// The length of the request and of the answer, in bytes.
    pub bytes: usize,
    /// The requests per second, over the rounds.
    pub per_second: Spread,
    /// The median over the rounds of the median latency, in microseconds.
    pub p50_us: f64,
    /// The median over the rounds of the 99th percentile of latency, in microseconds.
    pub p99_us: f64,
    /// The CPU time of a request on client and server together, in microseconds, over the rounds.
    pub cpu_us: Spread,
}

/// The ratios between the variants of one cell. Above 1 the first variant is better. The benchmark
/// judges quotients of medians.
///
/// Two more figures are medians of the quotients within one round. The windows of a round follow
/// each other directly, so other work that lasts for seconds disturbs these figures less. The
/// benchmark does not judge them.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Ratio {
    /// The number of callers.
    pub callers: usize,
    /// The delay of the server's answer, in milliseconds.
    pub delay_ms: u8,
    /// The length of the request and of the answer, in bytes.
    pub bytes: usize,
    /// `stream_split / mutex_hold`.
    pub split_to_hold: f64,
    /// `stream_split / mutex_open`.
    pub split_to_open: f64,
    /// `stream_split / raw_handle`.
    pub split_to_raw: f64,
    /// The same ratio by rounds.
    pub split_to_raw_by_rounds: f64,
    /// The CPU time of a request, by rounds: `raw_handle / stream_split`. Above 1 the pool takes
    /// less.
    pub raw_to_split_cpu: f64,
}

/// Measures all variants under one load.
pub(super) async fn measure(
    bed: &TestBed,
    load: Load,
    rounds: Rounds,
) -> Result<(Vec<ThroughputCell>, Ratio)> {
    for variant in Variant::ALL {
        bed.window(variant, load, rounds.window / WARM_UP_SHARE).await?;
    }
    let mut done = Variant::ALL.map(|_| Vec::new());
    for round in 0..rounds.count {
        for turn in 0..Variant::ALL.len() {
            let which = (round + turn) % Variant::ALL.len();
            let mut window = bed.window(Variant::ALL[which], load, rounds.window).await?;
            window.latencies.sort_unstable_by(f64::total_cmp);
            done[which].push(window);
        }
    }
    let cells: Vec<ThroughputCell> =
        Variant::ALL.iter().zip(&done).map(|(variant, done)| cell(*variant, load, rounds, done)).collect();
    let ratio = ratio(load, &cells, &done);
    Ok((cells, ratio))
}

/// The figures of a cell from its rounds.
fn cell(variant: Variant, load: Load, rounds: Rounds, done: &[Done]) -> ThroughputCell {
    let over_rounds = |of: &dyn Fn(&Done) -> f64| Spread::of(done.iter().map(of));
    ThroughputCell {
        variant,
        callers: load.callers,
        delay_ms: load.delay_ms,
        bytes: load.bytes,
        per_second: over_rounds(&|done| done.in_time as f64 / rounds.window.as_secs_f64()),
        p50_us: over_rounds(&|done| quantile(&done.latencies, 0.5)).median,
        p99_us: over_rounds(&|done| quantile(&done.latencies, 0.99)).median,
        cpu_us: over_rounds(&|done| done.cpu_us),
    }
}

/// Compares the variants. Their rounds in `done` have the order of [`Variant::ALL`].
fn ratio(load: Load, cells: &[ThroughputCell], done: &[Vec<Done>; Variant::ALL.len()]) -> Ratio {
    let per_second = |wanted: Variant| {
        let found = cells.iter().find(|cell| cell.variant == wanted);
        found.map_or(f64::NAN, |cell| cell.per_second.median)
    };
    let [_, _, split, raw] = done;
    let by_rounds = |above: &[Done], below: &[Done], of: fn(&Done) -> f64| {
        Spread::of(above.iter().zip(below).map(|(above, below)| of(above) / of(below))).median
    };
    let of_split = per_second(Variant::StreamSplit);
    Ratio {
        callers: load.callers,
        delay_ms: load.delay_ms,
        bytes: load.bytes,
        split_to_hold: of_split / per_second(Variant::MutexHold),
        split_to_open: of_split / per_second(Variant::MutexOpen),
        split_to_raw: of_split / per_second(Variant::RawHandle),
        split_to_raw_by_rounds: by_rounds(split, raw, |done| done.in_time as f64),
        raw_to_split_cpu: by_rounds(raw, split, |done| done.cpu_us),
    }
}
