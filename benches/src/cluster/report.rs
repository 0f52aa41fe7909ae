//! A whole run over the sizes, as a table or as JSON, beside an earlier run if there is one.

use std::fmt::{self, Display, Formatter};
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::{Map, Value};

use super::{Cell, Plan, measure};
use crate::host::Host;

/// What a run measured.
#[derive(Debug, Clone)]
pub struct Report {
    /// Where.
    pub host: Host,
    /// Each size.
    pub cells: Vec<Cell>,
    /// The cells of an earlier run.
    baseline: Vec<Cell>,
}

impl Report {
    /// Measures everything, and says in `next` what comes next.
    ///
    /// # Errors
    /// When a group does not form, or the file of the earlier run cannot be read.
    pub async fn measure(plan: &Plan, baseline: Option<&Path>, next: impl Fn(usize)) -> Result<Self> {
        let baseline = baseline.map(read).transpose()?.unwrap_or_default();
        let mut cells = Vec::new();
        for &nodes in &plan.nodes {
            next(nodes);
            cells.push(measure(nodes, plan).await.with_context(|| format!("a group of {nodes} members"))?);
        }
        Ok(Self { host: Host::this(), cells, baseline })
    }

    /// One JSON object a size.
    ///
    /// # Errors
    /// When a figure cannot be written as JSON.
    pub fn json_lines(&self) -> Result<Vec<String>> {
        self.cells.iter().map(|cell| Ok(serde_json::to_string(cell)?)).collect()
    }
}

/// The lines of JSON of an earlier run.
fn read(path: &Path) -> Result<Vec<Cell>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let cell = |line: &str| {
        serde_json::from_str(line).with_context(|| format!("{} has no figures in {line:?}", path.display()))
    };
    text.lines().map(cell).collect()
}

/// The figures by their names.
fn figures(cell: &Cell) -> Map<String, Value> {
    match serde_json::to_value(cell) {
        Ok(Value::Object(figures)) => figures,
        _ => Map::new(),
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let host = &self.host;
        writeln!(f, "# Benchmark: whole members\n")?;
        writeln!(f, "Written by `cargo xtask bench cluster`: all members in one process on loopback.\n")?;
        writeln!(f, "Machine: {}, {} cores, {}, {}.\n", host.cpu, host.cores, host.kernel, host.rustc)?;
        let names: Vec<String> = self
            .cells
            .first()
            .map(figures)
            .into_iter()
            .flat_map(|of| of.into_iter().map(|(name, _)| name))
            .collect();
        write!(f, "| figure, by members |")?;
        for cell in &self.cells {
            write!(f, " {} |", cell.nodes)?;
        }
        writeln!(f, "\n|---|{}", "---|".repeat(self.cells.len()))?;
        for name in names.iter().filter(|name| *name != "nodes") {
            write!(f, "| `{name}` |")?;
            for cell in &self.cells {
                let value = |of: &Cell| figures(of).get(name).and_then(Value::as_f64).unwrap_or(f64::NAN);
                write!(f, " {:.2}", value(cell))?;
                if let Some(before) = self.baseline.iter().find(|before| before.nodes == cell.nodes) {
                    write!(f, " ({:.2} of {:.2})", value(cell) / value(before), value(before))?;
                }
                write!(f, " |")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
