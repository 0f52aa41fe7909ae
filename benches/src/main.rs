//! The program behind `cargo xtask bench`: measures, prints a table or JSON, and writes the report if asked to. What is
//! measured, and how, stands in the library.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::{Args, Parser, Subcommand};
use kinfolk_benches::{core, pool};

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

fn main() -> Result<()> {
    match Cli::parse().what {
        What::Pool(how) => {
            let plan = if how.quick { pool::Plan::quick() } else { pool::Plan::full() };
            let runtime = tokio::runtime::Runtime::new().context("the runtime does not start")?;
            let report =
                runtime.block_on(pool::Report::measure(plan, |next| eprintln!("measuring: {next}")))?;
            publish(&how, &report.to_string(), &report.json_lines()?)
        }
        What::Core(how) => {
            let rounds = if how.quick { core::QUICK } else { core::FULL };
            let report = core::Report::measure(rounds);
            publish(&how, &report.to_string(), &report.json_lines()?)
        }
    }
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
