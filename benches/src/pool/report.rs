//! A whole run: what is measured, in which order, and what comes out of it, as text and as JSON.

use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use super::bars::{Bar, judge};
use super::bed::{Bed, Load};
use super::fresh::{self, FreshCell};
use super::lookup::{self, LookupCell};
use super::throughput::{self, Ratio, ThroughputCell};
use crate::host::Host;
use crate::numbers::Rounds;

/// Callers at the same time.
const CALLERS: [usize; 3] = [1, 8, 64];
/// How long the server waits, in milliseconds.
const DELAYS_MS: [u8; 2] = [0, 5];
/// The lengths of request and answer.
const BYTES: [usize; 2] = [100, 4096];

/// How thoroughly to measure.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Each variant in each cell with a server that answers at once: many short windows, because then the cores are what
    /// is short, and other programs take theirs in bursts.
    pub busy: Rounds,
    /// Each variant in each cell with a server that waits: windows of many waits.
    pub waiting: Rounds,
    /// How many rounds of fresh connections against the reused one.
    pub fresh_rounds: usize,
    /// Each cell of the lookups.
    pub lookup: Rounds,
}

/// What a run measured.
#[derive(Debug, Clone)]
pub struct Report {
    /// Where.
    pub host: Host,
    /// How.
    pub plan: Plan,
    /// Each variant in each cell.
    pub throughput: Vec<ThroughputCell>,
    /// The variants of each cell against each other.
    pub ratios: Vec<Ratio>,
    /// Reuse.
    pub fresh: FreshCell,
    /// Lookups.
    pub lookups: Vec<LookupCell>,
    /// What was expected.
    pub bars: Vec<Bar>,
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
        bars: &'a [Bar],
    },
}

impl Plan {
    /// About four minutes.
    pub const fn full() -> Self {
        Self {
            busy: Rounds { count: 75, window: Duration::from_millis(40) },
            waiting: Rounds { count: 7, window: Duration::from_millis(600) },
            fresh_rounds: 21,
            lookup: Rounds { count: 21, window: Duration::from_millis(20) },
        }
    }

    /// About half a minute: enough to see that nothing has broken, too little to compare within ten per cent.
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
    /// Measures everything. `progress` is told what comes next.
    ///
    /// # Errors
    /// When a port cannot be bound, or a connection or request fails: such a run shows nothing.
    pub async fn measure(plan: Plan, progress: impl Fn(&str)) -> Result<Self> {
        let bed = Bed::start().await?;
        progress("lookups of ready connections");
        let ready = bed.lookup().await?;
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
        let bars = judge(&ratios, &lookups);
        Ok(Self { host: Host::this(), plan, throughput: cells, ratios, fresh, lookups, bars })
    }

    /// One JSON object a cell, and a last one of the kind `summary`.
    ///
    /// # Errors
    /// When a figure cannot be written as JSON.
    pub fn json_lines(&self) -> Result<Vec<String>> {
        let summary = Line::Summary {
            bench: "pool",
            host: &self.host,
            ratios: &self.ratios,
            fresh_to_reused: self.fresh.fresh_to_reused,
            bars: &self.bars,
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
