//! The program behind `cargo xtask bench`, except for `select`. It measures, prints a table or
//! JSON, and writes the report to a file on request. The library contains what it measures, and
//! how.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};
use clap::{Args, Parser, Subcommand};
use kinfolk_benches::{cluster, core, pool};

/// Measures Kinfolk. Build it with `--release`, or the figures mean nothing.
#[derive(Parser)]
#[command(name = "kinfolk-bench")]
struct Cli {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// The connection pool against a mutex and against QUIC alone, and the pool's lookups.
    Pool(Options),
    /// Registry, codec, gossip queue, phi, and protocol machine.
    Core(Options),
    /// Whole members on loopback: joins, idle time, crash, leave, broadcast, memory.
    Cluster(Members),
}

#[derive(Args)]
struct Options {
    /// Fewer and shorter rounds: some seconds for `core`, about half a minute for `pool`, about 4
    /// minutes for `cluster`.
    #[arg(long)]
    quick: bool,
    /// Prints JSON instead of the table: one object for each cell, and for `pool` and `core` a last
    /// one of the kind `summary`.
    #[arg(long)]
    json: bool,
    /// Also writes the table to this file.
    #[arg(long)]
    write: Option<PathBuf>,
}

#[derive(Args)]
struct Members {
    /// The sizes of groups, each 4 to 250.
    #[arg(long, value_delimiter = ',', default_values_t = [32, 128], value_parser = clap::value_parser!(u8).range(4..=250))]
    nodes: Vec<u8>,
    /// The figures of an earlier run, as `--json` prints them. The table then shows the ratio of
    /// each figure to the earlier one.
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Measures agents instead: processes of this program, in a network namespace that the
    /// benchmark makes and removes. Needs root.
    #[arg(long, value_name = "PROGRAM")]
    agents: Option<PathBuf>,
    #[command(flatten)]
    options: Options,
}

fn main() -> Result<()> {
    match Cli::parse().what {
        What::Pool(options) => {
            let plan = if options.quick { pool::Plan::quick() } else { pool::Plan::full() };
            let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
            let report =
                runtime.block_on(pool::Report::measure(plan, |next| eprintln!("measuring: {next}")))?;
            publish(&options, &report.to_string(), &report.json_lines()?)
        }
        What::Cluster(members) => members.measure(),
        What::Core(options) => {
            let rounds = if options.quick { core::QUICK } else { core::FULL };
            let report = core::Report::measure(rounds);
            publish(&options, &report.to_string(), &report.json_lines()?)
        }
    }
}

impl Members {
    fn measure(self) -> Result<()> {
        let Self { nodes, baseline, agents, options } = self;
        let baseline = baseline.as_deref();
        let report = if agents.is_none() && nodes.len() > 1 {
            cluster::Report::of_lines(&in_separate_processes(&nodes, &options)?, baseline)?
        } else {
            // The runtime starts after this: only threads that start later are in the namespace.
            let _namespace = agents.is_some().then(cluster::Namespace::enter).transpose()?;
            // 30 windows of 10 s are 5 minutes of idle time, after 10 joins.
            let (joins, windows) = if options.quick { (3, 3) } else { (10, 30) };
            let plan = cluster::Plan { nodes: nodes.into_iter().map(usize::from).collect(), joins, windows };
            let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
            let next = |nodes| eprintln!("measuring: {nodes} members");
            match agents {
                Some(program) => {
                    runtime.block_on(cluster::Report::measure_agents(&program, &plan, baseline, next))?
                }
                None => runtime.block_on(cluster::Report::measure(&plan, baseline, next))?,
            }
        };
        publish(&options, &report.to_string(), &report.json_lines()?)
    }
}

/// Measures each size in its own process. In one process, memory that one size leaves behind would
/// count for the next size. Returns the lines of JSON of all processes.
fn in_separate_processes(nodes: &[u8], options: &Options) -> Result<String> {
    let mut lines = String::new();
    for nodes in nodes {
        let mut process = Command::new(std::env::current_exe()?);
        process.args(["cluster", "--json", "--nodes", &nodes.to_string()]).stderr(Stdio::inherit());
        if options.quick {
            process.arg("--quick");
        }
        let output = process.output().context("cannot start this program again")?;
        anyhow::ensure!(output.status.success(), "the measurement of {nodes} members failed");
        lines += &String::from_utf8_lossy(&output.stdout);
    }
    Ok(lines)
}

fn publish(options: &Options, table: &str, json: &[String]) -> Result<()> {
    if options.json {
        println!("{}", json.join("\n"));
    } else {
        print!("{table}");
    }
    options.write.as_deref().map_or(Ok(()), |path| write(path, table))
}

fn write(path: &Path, table: &str) -> Result<()> {
    let shown = || format!("cannot write {}", path.display());
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(shown)?;
    }
    std::fs::write(path, table).with_context(shown)
}
