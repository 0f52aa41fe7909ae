//! A run: what it measures, in which order, and its results as text and as JSON.

use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use super::expectations::{Expectation, judge};
use super::fresh::{self, FreshCell};
use super::lookup::{self, LookupCell};
use super::test_bed::{Load, TestBed};
use super::throughput::{self, Ratio, ThroughputCell};
use crate::host::Host;
use crate::numbers::Rounds;

/// The numbers of callers at the same time.
const CALLERS: [usize; 3] = [1, 8, 64];
/// The delays of the server's answer, in milliseconds.
const DELAYS_MS: [u8; 2] = [0, 5];
/// The lengths of a request and its answer, in bytes.
const BYTES: [usize; 2] = [100, 4096];

/// The rounds of each measurement.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// For each variant in each cell with a server that answers at once. The windows are many and
    /// short: here the cores are the bottleneck, and other programs use them in bursts.
    pub busy: Rounds,
    /// For each variant in each cell with a server that waits. A window contains many waits.
    pub waiting: Rounds,
    /// The number of rounds of fresh connections against the reused one.
    pub fresh_rounds: usize,
    /// For each cell of the lookups.
    pub lookup: Rounds,
}

/// The results of a run.
#[derive(Debug, Clone)]
pub struct Report {
    /// The machine.
    pub host: Host,
    /// The rounds.
    pub plan: Plan,
    /// The figures of each variant in each cell.
    pub throughput: Vec<ThroughputCell>,
    /// The ratios between the variants of each cell.
    pub ratios: Vec<Ratio>,
    /// Reuse against fresh connections.
    pub fresh: FreshCell,
    /// The lookups of ready connections.
    pub lookups: Vec<LookupCell>,
    /// The expectations, and whether the figures meet them.
    pub expectations: Vec<Expectation>,
}

/// One line of JSON.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Line<'a> {
    Throughput(&'a ThroughputCell),
    Fresh(&'a FreshCell),
    Lookup(&'a LookupCell),
    Summary {
        bench: &'static str,
        host: &'a Host,
        ratios: &'a [Ratio],
        fresh_to_reused: f64,
        bars: &'a [Expectation],
    },
}

impl Plan {
    /// A full run, about four minutes.
    pub const fn full() -> Self {
        Self {
            busy: Rounds { count: 75, window: Duration::from_millis(40) },
            waiting: Rounds { count: 7, window: Duration::from_millis(600) },
            fresh_rounds: 21,
            lookup: Rounds { count: 21, window: Duration::from_millis(20) },
        }
    }

    /// A quick run, about half a minute. It shows that everything works. Its figures are too rough
    /// to compare within ten per cent.
    pub const fn quick() -> Self {
        Self {
            busy: Rounds { count: 15, window: Duration::from_millis(30) },
            waiting: Rounds { count: 3, window: Duration::from_millis(100) },
            fresh_rounds: 5,
            lookup: Rounds { count: 5, window: Duration::from_millis(10) },
        }
    }

    fn rounds(self, load: Load) -> Rounds {
        if load.delay_ms == 0 { self.busy } else { self.waiting }
    }
}

impl Report {
    /// Measures everything. Calls `progress` with the name of each part before it begins.
    ///
    /// # Errors
    /// When a port cannot be bound, or a connection or request fails. Such a run has no results.
    pub async fn measure(plan: Plan, progress: impl Fn(&str)) -> Result<Self> {
        let bed = TestBed::start().await?;
        progress("lookups of ready connections");
        let ready = bed.lookup().await?;
        // The lookups block this thread. So tokio must move its other tasks to another thread.
        let lookups = tokio::task::block_in_place(|| lookup::measure(&ready, plan.lookup))?;
        drop(ready);

        let (mut cells, mut ratios) = (Vec::new(), Vec::new());
        for load in loads() {
            let Load { callers, delay_ms, bytes } = load;
            progress(&format!("{callers} callers, server waits {delay_ms} ms, {bytes} bytes"));
            let (of_load, ratio) = throughput::measure(&bed, load, plan.rounds(load)).await?;
            cells.extend(of_load);
            ratios.push(ratio);
        }
        progress("a fresh connection for each request");
        let fresh = fresh::measure(&bed, &bed.fresh()?, plan.fresh_rounds).await?;
        bed.close().await;
        let expectations = judge(&ratios, &lookups);
        Ok(Self { host: Host::this(), plan, throughput: cells, ratios, fresh, lookups, expectations })
    }

    /// One JSON object for each cell, and a last one of the kind `summary`.
    ///
    /// # Errors
    /// When a figure cannot be written as JSON.
    pub fn json_lines(&self) -> Result<Vec<String>> {
        let summary = Line::Summary {
            bench: "pool",
            host: &self.host,
            ratios: &self.ratios,
            fresh_to_reused: self.fresh.fresh_to_reused,
            bars: &self.expectations,
        };
        let throughput = self.throughput.iter().map(Line::Throughput);
        let lookups = self.lookups.iter().map(Line::Lookup);
        let lines = throughput.chain([Line::Fresh(&self.fresh)]).chain(lookups).chain([summary]);
        lines.map(|line| Ok(serde_json::to_string(&line)?)).collect()
    }
}

fn loads() -> impl Iterator<Item = Load> {
    let with_delay = |delay_ms| {
        BYTES.into_iter().flat_map(move |bytes| CALLERS.map(|callers| Load { callers, delay_ms, bytes }))
    };
    DELAYS_MS.into_iter().flat_map(with_delay)
}
