//! The program behind `cargo xtask bench`: measures, prints a table or JSON, and writes the report if asked to. What is
//! measured, and how, stands in the library.

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
    /// The connection pool against a mutex, against QUIC alone, and its lookups.
    Pool(How),
    /// Registry, codec, queue, phi and machine.
    Core(How),
    /// Whole members on loopback: joins, rest, crash, leave, broadcast, memory.
    Cluster(Members),
}

#[derive(Args)]
struct How {
    /// Fewer and shorter rounds, about half a minute.
    #[arg(long)]
    quick: bool,
    /// Prints one JSON object a cell and a last one of the kind `summary`, instead of the table.
    #[arg(long)]
    json: bool,
    /// Writes the table to this file too.
    #[arg(long)]
    write: Option<PathBuf>,
}

#[derive(Args)]
struct Members {
    /// The sizes of groups, each 4 to 250.
    #[arg(long, value_delimiter = ',', default_values_t = [32, 128], value_parser = clap::value_parser!(u8).range(4..=250))]
    nodes: Vec<u8>,
    /// The figures of an earlier run, as `--json` prints them: each figure is shown as a part of the earlier one too.
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Measures agents: processes of this program, in a network namespace that is made for them and removed. Needs root.
    #[arg(long, value_name = "PROGRAM")]
    agents: Option<PathBuf>,
    #[command(flatten)]
    how: How,
}

fn main() -> Result<()> {
    match Cli::parse().what {
        What::Pool(how) => {
            let plan = if how.quick { pool::Plan::quick() } else { pool::Plan::full() };
            let runtime = tokio::runtime::Runtime::new().context("the runtime does not start")?;
            let report =
                runtime.block_on(pool::Report::measure(plan, |next| eprintln!("measuring: {next}")))?;
            publish(&how, &report.to_string(), &report.json_lines()?)
        }
        What::Cluster(members) => members.measure(),
        What::Core(how) => {
            let rounds = if how.quick { core::QUICK } else { core::FULL };
            let report = core::Report::measure(rounds);
            publish(&how, &report.to_string(), &report.json_lines()?)
        }
    }
}

impl Members {
    fn measure(self) -> Result<()> {
        let Self { nodes, baseline, agents, how } = self;
        let baseline = baseline.as_deref();
        let report = if agents.is_none() && nodes.len() > 1 {
            cluster::Report::of_lines(&in_processes_of_their_own(&nodes, &how)?, baseline)?
        } else {
            let _inside = agents.is_some().then(cluster::Namespace::enter).transpose()?;
            let (joins, windows) = if how.quick { (3, 3) } else { (10, 30) };
            let plan = cluster::Plan { nodes: nodes.into_iter().map(usize::from).collect(), joins, windows };
            let runtime = tokio::runtime::Runtime::new().context("the runtime does not start")?;
            let next = |nodes| eprintln!("measuring: {nodes} members");
            match agents {
                Some(program) => {
                    runtime.block_on(cluster::Report::measure_agents(&program, &plan, baseline, next))?
                }
                None => runtime.block_on(cluster::Report::measure(&plan, baseline, next))?,
            }
        };
        publish(&how, &report.to_string(), &report.json_lines()?)
    }
}

/// Measures each size in a process of its own: the memory that one leaves behind would count for the next. Gives their lines of JSON.
fn in_processes_of_their_own(nodes: &[u8], how: &How) -> Result<String> {
    let mut lines = String::new();
    for nodes in nodes {
        let mut one = Command::new(std::env::current_exe()?);
        one.args(["cluster", "--json", "--nodes", &nodes.to_string()]).stderr(Stdio::inherit());
        if how.quick {
            one.arg("--quick");
        }
        let output = one.output().context("this program cannot be started anew")?;
        anyhow::ensure!(output.status.success(), "the measurement of {nodes} members failed");
        lines += &String::from_utf8_lossy(&output.stdout);
    }
    Ok(lines)
}

fn publish(how: &How, table: &str, json: &[String]) -> Result<()> {
    if how.json {
        println!("{}", json.join("\n"));
    } else {
        print!("{table}");
    }
    how.write.as_deref().map_or(Ok(()), |path| write(path, table))
}

fn write(path: &Path, table: &str) -> Result<()> {
    let shown = || format!("{} cannot be written", path.display());
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(shown)?;
    }
    std::fs::write(path, table).with_context(shown)
}
