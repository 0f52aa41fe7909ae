//! The command of an experiment. It runs the experiment, prints its page or its rows, and writes
//! them on request. A bar that is missed unexpectedly makes the command fail.

use std::io::{self, Write as _};
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::{Args, value_parser};
use kinfolk_sim::experiments::{Experiment, Settings};

/// How to run an experiment and what to print.
#[derive(Args)]
pub(crate) struct Options {
    /// Run the quick form, which takes less than a minute: fewer cells and seeds.
    #[arg(long)]
    quick: bool,
    /// The number of seeds of each cell, instead of the experiment's own number.
    #[arg(long, value_parser = value_parser!(u64).range(1..))]
    seeds: Option<u64>,
    /// Print one JSON object for each row instead of the page.
    #[arg(long)]
    json: bool,
    /// Write the page and its plots into this directory.
    #[arg(long, value_name = "DIRECTORY", num_args = 0..=1, default_missing_value = "docs/results")]
    write: Option<PathBuf>,
}

/// Runs the experiment of this name.
///
/// # Errors
/// When a bar is missed that is not marked as a known miss, or when output cannot be written.
pub(crate) fn run(name: &str, options: &Options) -> Result<()> {
    let experiment =
        Experiment::find(name).context("the command line allows only the names of experiments")?;
    let page = (experiment.run)(&Settings { quick: options.quick, seeds: options.seeds });
    let mut out = io::stdout().lock();
    if options.json {
        page.json().try_for_each(|row| writeln!(out, "{row}"))?;
    } else {
        write!(out, "{page}")?;
    }
    if let Some(directory) = &options.write {
        for path in page
            .write(directory)
            .with_context(|| format!("cannot write the page into {}", directory.display()))?
        {
            eprintln!("wrote {}", path.display());
        }
    }
    let broken: Vec<_> = page.broken().map(|bar| format!("{}: {}", bar.promise, bar.found)).collect();
    if broken.is_empty() {
        Ok(())
    } else {
        bail!("the experiment missed these bars:\n  {}", broken.join("\n  "))
    }
}
