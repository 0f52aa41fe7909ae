//! A run over the strategies, and its results as text and as JSON.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use super::{INSTANCES, cases};
use crate::case::{Cell, measure};
use crate::host::Host;
use crate::numbers::{Rounds, Spread};

/// A full run takes about 20 seconds.
pub const FULL: Rounds = Rounds { count: 9, window: Duration::from_millis(40) };

/// A quick run takes a few seconds.
pub const QUICK: Rounds = Rounds { count: 3, window: Duration::from_millis(5) };

/// How often a case runs while its allocations are counted.
const COUNTED: u64 = 128;

/// The results of a run.
#[derive(Debug)]
pub struct Report {
    host: Host,
    rounds: Rounds,
    rows: Vec<Row>,
}

/// The figures of one strategy with one number of instances.
#[derive(Debug, Serialize)]
struct Row {
    strategy: String,
    instances: usize,
    /// The time of one choice in nanoseconds.
    ns: Spread,
    /// The allocations of one choice.
    allocations: f64,
}

/// One line of JSON.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Line<'a> {
    Select(&'a Row),
    Summary { bench: &'static str, host: &'a Host, cells: usize },
}

impl Report {
    /// Measures everything. `allocations` returns how often the program has allocated so far.
    pub fn measure(rounds: Rounds, allocations: impl Fn() -> usize) -> Self {
        let mut rows = Vec::new();
        for instances in INSTANCES {
            let mut counted: Vec<f64> = Vec::new();
            for mut case in cases(instances) {
                let before = allocations();
                case.run(COUNTED);
                counted.push((allocations() - before) as f64 / COUNTED as f64);
            }
            let cells = measure(cases(instances), rounds);
            rows.extend(
                cells.into_iter().zip(counted).map(|(cell, allocations)| row(&cell, instances, allocations)),
            );
        }
        Self { host: Host::this(), rounds, rows }
    }

    /// One JSON object for each strategy and number of instances, and a last one of the kind
    /// `summary`.
    ///
    /// # Errors
    /// When a figure cannot be written as JSON.
    pub fn json_lines(&self) -> Result<Vec<String>> {
        let summary = Line::Summary { bench: "select", host: &self.host, cells: self.rows.len() };
        let lines = self.rows.iter().map(Line::Select).chain([summary]);
        lines.map(|line| Ok(serde_json::to_string(&line)?)).collect()
    }
}

fn row(cell: &Cell, instances: usize, allocations: f64) -> Row {
    let strategy = cell.name.split(',').next().unwrap_or_default().to_owned();
    Row { strategy, instances, ns: cell.ns, allocations }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (host, rounds) = (&self.host, self.rounds);
        writeln!(f, "# Benchmark: choosing an instance\n")?;
        writeln!(f, "`cargo xtask bench select` writes this page from one run.\n")?;
        writeln!(f, "Machine: {}, {} cores, {}, {}.\n", host.cpu, host.cores, host.kernel, host.rustc)?;
        writeln!(
            f,
            "Nanoseconds for one choice from a built pool: median of {} rounds of about {:?}. In brackets: the\n\
             allocations of one choice, if there are any. A pool is built once for a view.\n",
            rounds.count, rounds.window
        )?;
        writeln!(f, "| strategy |{}", INSTANCES.map(|count| format!(" {count} instances |")).concat())?;
        writeln!(f, "|---|{}", "---|".repeat(INSTANCES.len()))?;
        let per_size = self.rows.len() / INSTANCES.len();
        for strategy in 0..per_size {
            let cells = (0..INSTANCES.len()).map(|size| &self.rows[size * per_size + strategy]);
            let shown = cells.map(|row| match row.allocations {
                0.0 => format!(" {:.1} |", row.ns.median),
                some => format!(" {:.1} ({some:.0}) |", row.ns.median),
            });
            writeln!(f, "| {} |{}", self.rows[strategy].strategy, shown.collect::<String>())?;
        }
        Ok(())
    }
}
