//! The program behind `cargo xtask bench select`. It counts allocations. This slows every
//! allocation down, so the other benchmarks are in another program, `kinfolk-bench`.

use std::alloc::System;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Parser;
use kinfolk_benches::select::{FULL, QUICK, Report};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Measures how long each strategy takes to choose an instance of a service. Build it with
/// `--release`, or the figures mean nothing.
#[derive(Parser)]
#[command(name = "kinfolk-bench-select")]
struct Cli {
    /// Fewer and shorter rounds: some seconds.
    #[arg(long)]
    quick: bool,
    /// Prints JSON instead of the table: one object for each strategy and number of instances, and
    /// a last one of the kind `summary`.
    #[arg(long)]
    json: bool,
    /// Also writes the table to this file.
    #[arg(long)]
    write: Option<PathBuf>,
}

fn main() -> Result<()> {
    let Cli { quick, json, write } = Cli::parse();
    let report = Report::measure(if quick { QUICK } else { FULL }, || ALLOCATOR.stats().allocations);
    if json {
        println!("{}", report.json_lines()?.join("\n"));
    } else {
        print!("{report}");
    }
    if let Some(path) = write {
        std::fs::write(&path, report.to_string())
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
