//! A run over the pure crates, and its report as text and as JSON. Each round runs every case once.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use super::expectations::{Expectation, judge};
use super::{MEMBERS, cases};
use crate::case::{Cell, measure};
use crate::host::Host;
use crate::numbers::Rounds;

/// A full run takes about 20 seconds.
pub const FULL: Rounds = Rounds { count: 15, window: Duration::from_millis(40) };

/// A quick run takes a few seconds.
pub const QUICK: Rounds = Rounds { count: 5, window: Duration::from_millis(10) };

/// The results of a run.
#[derive(Debug, Clone)]
pub struct Report {
    /// The machine.
    pub host: Host,
    /// The rounds of each case.
    pub rounds: Rounds,
    /// The figures of each case.
    pub cells: Vec<Cell>,
    /// The expectations, and whether the figures meet them.
    pub expectations: Vec<Expectation>,
}

/// One line of JSON.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Line<'a> {
    Core(&'a Cell),
    Summary { bench: &'static str, host: &'a Host, cells: usize, bars: &'a [Expectation] },
}

impl Report {
    /// Measures everything.
    pub fn measure(rounds: Rounds) -> Self {
        let cells = measure(cases(&MEMBERS), rounds);
        Self { host: Host::this(), rounds, expectations: judge(&cells), cells }
    }

    /// One JSON object for each case, and a last one of the kind `summary`.
    ///
    /// # Errors
    /// When a figure cannot be written as JSON.
    pub fn json_lines(&self) -> Result<Vec<String>> {
        let summary = Line::Summary {
            bench: "core",
            host: &self.host,
            cells: self.cells.len(),
            bars: &self.expectations,
        };
        let lines = self.cells.iter().map(Line::Core).chain([summary]);
        lines.map(|line| Ok(serde_json::to_string(&line)?)).collect()
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (host, rounds) = (&self.host, self.rounds);
        writeln!(f, "# Benchmark: the pure crates\n")?;
        writeln!(f, "Written by `cargo xtask bench core`, which measures everything in one run.\n")?;
        writeln!(f, "Machine: {}, {} cores, {}, {}.\n", host.cpu, host.cores, host.kernel, host.rustc)?;
        writeln!(
            f,
            "Nanoseconds for one operation: median, lowest, and highest of {} rounds of about {:?}. The cases take \
             turns. The last number of an operation is the number of members, where it matters.\n",
            rounds.count, rounds.window
        )?;
        writeln!(f, "| operation | median | lowest | highest |\n|---|---|---|---|")?;
        for Cell { name, ns } in &self.cells {
            writeln!(f, "| {name} | {:.0} | {:.0} | {:.0} |", ns.median, ns.min, ns.max)?;
        }
        writeln!(f, "\n| expected | measured | met |\n|---|---|---|")?;
        for Expectation { claim, measured, met } in &self.expectations {
            writeln!(f, "| {claim} | {measured:.2} | {} |", if *met { "yes" } else { "no" })?;
        }
        Ok(())
    }
}
