//! A whole run over the pure crates: every case once a round, in turns, and what comes out of it.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use super::bars::{Bar, judge};
use super::case::Case;
use super::{MEMBERS, cases};
use crate::host::Host;
use crate::numbers::{Rounds, Spread};

/// About 20 seconds.
pub const FULL: Rounds = Rounds { count: 15, window: Duration::from_millis(40) };

/// A few seconds.
pub const QUICK: Rounds = Rounds { count: 5, window: Duration::from_millis(10) };

/// What a run measured.
#[derive(Debug, Clone)]
pub struct Report {
    /// Where.
    pub host: Host,
    /// How.
    pub rounds: Rounds,
    /// Each case.
    pub cells: Vec<Cell>,
    /// What was expected of them.
    pub bars: Vec<Bar>,
}

/// What one case takes.
#[derive(Debug, Clone, Serialize)]
pub struct Cell {
    /// Which.
    pub name: String,
    /// One operation in nanoseconds, over the rounds.
    pub ns: Spread,
}

/// One line of JSON.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Line<'a> {
    Core(&'a Cell),
    Summary { bench: &'static str, host: &'a Host, cells: usize, bars: &'a [Bar] },
}

impl Report {
    /// Measures everything.
    pub fn measure(rounds: Rounds) -> Self {
        let mut cases: Vec<(Case, u64)> =
            cases(&MEMBERS).into_iter().map(|case| calibrated(case, rounds)).collect();
        let mut measured = vec![Vec::new(); cases.len()];
        for _ in 0..rounds.count {
            for ((case, count), figures) in cases.iter_mut().zip(&mut measured) {
                figures.push(case.run(*count).as_secs_f64() * 1e9 / *count as f64);
            }
        }
        let cell = |((case, _), figures): (&(Case, u64), Vec<f64>)| Cell {
            name: case.name().to_owned(),
            ns: Spread::of(figures),
        };
        let cells: Vec<_> = cases.iter().zip(measured).map(cell).collect();
        Self { host: Host::this(), rounds, bars: judge(&cells), cells }
    }

    /// One JSON object a case, and a last one of the kind `summary`.
    ///
    /// # Errors
    /// When a figure cannot be written as JSON.
    pub fn json_lines(&self) -> Result<Vec<String>> {
        let summary =
            Line::Summary { bench: "core", host: &self.host, cells: self.cells.len(), bars: &self.bars };
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
        for Bar { claim, measured, met } in &self.bars {
            writeln!(f, "| {claim} | {measured:.2} | {} |", if *met { "yes" } else { "no" })?;
        }
        Ok(())
    }
}

/// How often a case has to run to fill about a window.
fn calibrated(mut case: Case, rounds: Rounds) -> (Case, u64) {
    let mut count = 1;
    while case.run(count) < rounds.window / 2 {
        count *= 2;
    }
    (case, count)
}
