//! Runs the benchmarks. What is measured, and how, is the business of `benches/`.
//!
//! A full run keeps its report in `docs/bench/`; a quick one is too rough to be kept.

use anyhow::Result;
use clap::ValueEnum;

use crate::{dist, shell};

/// What is measured.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum What {
    /// The connection pool against a mutex, against QUIC alone, and its lookups.
    Pool,
    /// Registry, codec, gossip queue, phi and machine.
    Core,
    /// Whole members on loopback: joins, rest, crash, leave, broadcast, memory.
    Cluster,
    /// Choosing an instance of a service: nanoseconds and allocations of each strategy.
    Select,
}

/// How it is measured and shown.
pub(crate) struct How {
    pub(crate) quick: bool,
    pub(crate) json: bool,
    pub(crate) nodes: Option<String>,
    pub(crate) baseline: Option<String>,
    /// Whether the members are agents.
    pub(crate) agents: bool,
}

impl What {
    const fn name(self) -> &'static str {
        match self {
            Self::Pool => "pool",
            Self::Core => "core",
            Self::Cluster => "cluster",
            Self::Select => "select",
        }
    }
}

/// Runs `kinfolk-bench`; its table, or with `json` its lines of JSON, go to standard output, everything else to standard
/// error.
///
/// # Errors
/// When it does not build, or a request of the benchmark fails.
pub(crate) fn run(what: What, how: How) -> Result<String> {
    let How { quick, json, nodes, baseline, agents } = how;
    let name = what.name();
    let report = format!("docs/bench/{name}{}.md", if agents { "-agents" } else { "" });
    let program = if agents { Some(dist::build()?) } else { None };
    let mut command = shell::cargo(["run", "--release", "--package", "kinfolk-benches"]);
    match what {
        // It counts allocations, and is a program of its own for that.
        What::Select => command.args(["--bin", "kinfolk-bench-select", "--"]),
        _ => command.args(["--bin", "kinfolk-bench", "--", name]),
    };
    for (flag, value) in [("--nodes", nodes), ("--baseline", baseline), ("--agents", program)] {
        if let Some(value) = value {
            command.args([flag, &value]);
        }
    }
    if json {
        command.arg("--json");
    }
    if quick {
        command.arg("--quick");
    } else {
        command.args(["--write", &report]);
    }
    shell::run(&mut command)?;
    Ok(if quick { "a quick run, not kept".to_owned() } else { format!("the table stands in {report}") })
}
