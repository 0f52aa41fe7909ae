//! The results of a run over all sizes, as a table or as JSON. The table can compare with an
//! earlier run.

use std::fmt::{self, Display, Formatter};
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Plan, agents, measure};
use crate::host::Host;

const IN_ONE_PROCESS: &str = "all members in one process on loopback";

/// The figures of one size by name. `nodes` is the size. They are no struct, because members and
/// agents have different figures, and an earlier run may have fewer.
type Figures = Map<String, Value>;

/// The results of a run.
#[derive(Debug, Clone)]
pub struct Report {
    /// The machine.
    host: Host,
    /// A description of the measured members.
    what: &'static str,
    cells: Vec<Figures>,
    /// The cells of an earlier run.
    baseline: Vec<Figures>,
}

impl Report {
    /// Measures members in one process. Calls `next` with each size before its measurement.
    ///
    /// # Errors
    /// When a group does not form, or the file of the earlier run cannot be read.
    pub async fn measure(plan: &Plan, baseline: Option<&Path>, next: impl Fn(usize)) -> Result<Self> {
        let mut report = Self::new(IN_ONE_PROCESS, baseline)?;
        for &nodes in &plan.nodes {
            next(nodes);
            let cell = measure(nodes, plan).await.with_context(|| format!("a group of {nodes} members"))?;
            report.cells.push(figures(&cell)?);
        }
        Ok(report)
    }

    /// Joins the results of several processes from the lines of JSON that they printed.
    ///
    /// # Errors
    /// When a line has no figures, or the file of the earlier run cannot be read.
    pub fn of_lines(lines: &str, baseline: Option<&Path>) -> Result<Self> {
        let mut report = Self::new(IN_ONE_PROCESS, baseline)?;
        report.cells = parse(lines)?;
        Ok(report)
    }

    /// Measures agents, each a process of `program`. This process should be in a
    /// [namespace](super::Namespace).
    ///
    /// # Errors
    /// As [`measure`](Self::measure).
    pub async fn measure_agents(
        program: &Path,
        plan: &Plan,
        baseline: Option<&Path>,
        next: impl Fn(usize),
    ) -> Result<Self> {
        let mut report = Self::new(
            "each member is an agent in its own process; all are in one network namespace",
            baseline,
        )?;
        for &nodes in &plan.nodes {
            next(nodes);
            let cell = agents::measure(program, nodes, plan).await;
            report.cells.push(figures(&cell.with_context(|| format!("{nodes} agents"))?)?);
        }
        Ok(report)
    }

    fn new(what: &'static str, baseline: Option<&Path>) -> Result<Self> {
        let baseline = baseline.map(read).transpose()?.unwrap_or_default();
        Ok(Self { host: Host::this(), what, cells: Vec::new(), baseline })
    }

    /// One JSON object for each size.
    ///
    /// # Errors
    /// When a figure cannot be written as JSON.
    pub fn json_lines(&self) -> Result<Vec<String>> {
        self.cells.iter().map(|cell| Ok(serde_json::to_string(cell)?)).collect()
    }

    /// The earlier run's figures of the same size.
    fn before(&self, cell: &Figures) -> Option<&Figures> {
        self.baseline.iter().find(|before| before.get("nodes") == cell.get("nodes"))
    }
}

fn figures(cell: &impl Serialize) -> Result<Figures> {
    match serde_json::to_value(cell)? {
        Value::Object(figures) => Ok(figures),
        other => anyhow::bail!("the result {other} has no figures"),
    }
}

/// Reads the lines of JSON of an earlier run.
fn read(path: &Path) -> Result<Vec<Figures>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    parse(&text)
        .with_context(|| format!("{} is not the output of an earlier run with `--json`", path.display()))
}

fn parse(lines: &str) -> Result<Vec<Figures>> {
    let cell =
        |line: &str| serde_json::from_str(line).with_context(|| format!("the line {line:?} has no figures"));
    lines.lines().map(cell).collect()
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let host = &self.host;
        writeln!(f, "# Benchmark: whole members\n")?;
        writeln!(f, "Written by `cargo xtask bench cluster`: {}.\n", self.what)?;
        writeln!(f, "Machine: {}, {} cores, {}, {}.\n", host.cpu, host.cores, host.kernel, host.rustc)?;
        let Some(first) = self.cells.first() else { return Ok(()) };
        write!(f, "| figure, by members |")?;
        for cell in &self.cells {
            write!(f, " {} |", cell.get("nodes").unwrap_or(&Value::Null))?;
        }
        writeln!(f, "\n|---|{}", "---|".repeat(self.cells.len()))?;
        for name in first.keys().filter(|name| *name != "nodes") {
            let value = |of: &Figures| of.get(name).and_then(Value::as_f64).unwrap_or(f64::NAN);
            write!(f, "| `{name}` |")?;
            for cell in &self.cells {
                write!(f, " {:.2}", value(cell))?;
                // A figure that the earlier run did not have is shown without a ratio.
                if let Some(before) = self.before(cell).map(value).filter(|before| before.is_finite()) {
                    write!(f, " ({:.2} of {before:.2})", value(cell) / before)?;
                }
                write!(f, " |")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
