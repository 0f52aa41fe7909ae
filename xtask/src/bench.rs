//! Runs the benchmarks. The package in `benches/` decides what it measures, and how.
//!
//! A full run writes its report to `docs/bench/`. A quick run writes nothing: its figures vary too
//! much from run to run to be compared.

use anyhow::Result;
use clap::ValueEnum;

use crate::{dist, shell};

/// A benchmark.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Benchmark {
    /// The connection pool against a mutex and against QUIC alone, and the pool's lookups.
    Pool,
    /// Registry, codec, gossip queue, phi, and protocol machine.
    Core,
    /// Whole members on loopback: joins, idle time, crash, leave, broadcast, memory.
    Cluster,
    /// The choice of a service's instance: nanoseconds and allocations of each strategy.
    Select,
}

/// The options of a run.
pub(crate) struct Options {
    pub(crate) quick: bool,
    pub(crate) json: bool,
    pub(crate) nodes: Option<String>,
    pub(crate) baseline: Option<String>,
    /// Whether the members are agents, each in its own process.
    pub(crate) agents: bool,
}

impl Benchmark {
    const fn name(self) -> &'static str {
        match self {
            Self::Pool => "pool",
            Self::Core => "core",
            Self::Cluster => "cluster",
            Self::Select => "select",
        }
    }
}

/// Runs a benchmark. Its table, or with `json` its lines of JSON, goes to standard output.
/// Everything else goes to standard error, so that a program can read the figures from a pipe.
///
/// # Errors
/// When the program does not build, or a request of the benchmark fails.
pub(crate) fn run(benchmark: Benchmark, options: Options) -> Result<String> {
    let Options { quick, json, nodes, baseline, agents } = options;
    let name = benchmark.name();
    // The figures of agents and of members in one process differ: each has its own page.
    let report = format!("docs/bench/{name}{}.md", if agents { "-agents" } else { "" });
    let program = if agents { Some(dist::build()?) } else { None };
    // Figures of a build without optimisations mean nothing. Whole members are built as they are
    // distributed (`cargo xtask dist`): the pages of the program count in their memory.
    let profile = if matches!(benchmark, Benchmark::Cluster) { "dist" } else { "release" };
    let mut command = shell::cargo(["run", "--profile", profile, "--package", "kinfolk-benches"]);
    match benchmark {
        // This benchmark counts allocations. The counter slows down every allocation, so it must
        // not be in the program that runs the other benchmarks.
        Benchmark::Select => command.args(["--bin", "kinfolk-bench-select", "--"]),
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
    Ok(if quick {
        "a quick run; it writes no report".to_owned()
    } else {
        format!("wrote the table to {report}")
    })
}
