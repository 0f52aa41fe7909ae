//! The command of an experiment: runs it, prints its page or its rows, keeps it if asked to. An unexpected miss of a bar
//! is a failure.

use std::io::{self, Write as _};
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::{Args, value_parser};
use kinfolk_sim::experiments::{Experiment, Settings};

/// How an experiment is run and told.
#[derive(Args)]
pub(crate) struct Options {
    /// The form of under a minute: fewer cells and seeds.
    #[arg(long)]
    quick: bool,
    /// How many seeds each cell has, instead of as many as the experiment says.
    #[arg(long, value_parser = value_parser!(u64).range(1..))]
    seeds: Option<u64>,
    /// One JSON object a row instead of the page.
    #[arg(long)]
    json: bool,
    /// Keep the page and its plots in this directory.
    #[arg(long, value_name = "DIRECTORY", num_args = 0..=1, default_missing_value = "docs/results")]
    write: Option<PathBuf>,
}

/// Runs the experiment of this name.
///
/// # Errors
/// If a bar is missed of which nobody knew that it would be, or nothing can be written.
pub(crate) fn run(name: &str, options: &Options) -> Result<()> {
    let experiment = Experiment::find(name).context("the command line knows the experiments' names")?;
    let page = (experiment.run)(&Settings { quick: options.quick, seeds: options.seeds });
    let mut out = io::stdout().lock();
    if options.json {
        page.json().try_for_each(|row| writeln!(out, "{row}"))?;
    } else {
        write!(out, "{page}")?;
    }
    if let Some(directory) = &options.write {
        for path in page.write(directory).with_context(|| format!("writing into {}", directory.display()))? {
            eprintln!("wrote {}", path.display());
        }
    }
    let broken: Vec<_> = page.broken().map(|bar| format!("{}: {}", bar.promise, bar.found)).collect();
    if broken.is_empty() { Ok(()) } else { bail!("missed:\n  {}", broken.join("\n  ")) }
}
