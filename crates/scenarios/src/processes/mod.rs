//! Real agents as processes, each in a network namespace of its own, under real faults: SIGKILL, SIGSTOP, links that go down,
//! packets that are dropped. A checker reads afterwards what all of them told. Needs root; `cargo xtask chaos` and `soak` run it.
//!
//! Nothing here runs in virtual time, and nothing of the product is used but its random numbers: the agents are judged by what
//! they write into their event logs and answer at their control sockets.

mod agent;
mod command;
mod faults;
mod host;
mod judge;
mod lan;
mod outcome;
mod soak;
mod stories;
mod told;
mod town;
mod truth;
mod view;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};

use lan::PREFIX;
use outcome::Outcome;
pub use soak::{SoakOptions, soak};
pub use stories::Story;
use stories::{Extent, Scene};
use town::Town;

/// What to play, and how.
#[derive(Debug, Clone)]
pub struct ChaosOptions {
    /// The program `kinfolk`.
    pub agent: PathBuf,
    /// Fewer agents and shorter rounds: those of the gate.
    pub quick: bool,
    /// Only these scenarios; all of the form if it is empty.
    pub only: Vec<Story>,
    /// How many agents; the form's number if it is `None`.
    pub agents: Option<usize>,
    /// How long a partition lasts in the full form.
    pub partition: Duration,
    /// The seed of all choices.
    pub seed: u64,
    /// One JSON object a scenario on standard output.
    pub json: bool,
    /// Keeps the agents' files of sound scenarios too.
    pub keep: bool,
}

/// What became of a run that broke nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Played {
    /// It was played to its end.
    Whole,
    /// It was not begun: network namespaces cannot be made here.
    Skipped,
}

/// How many agents the two forms have.
const AGENTS_QUICK: usize = 6;
const AGENTS_FULL: usize = 15;

/// Plays the scenarios one after the other, each with agents and a network of its own.
///
/// # Errors
/// When a scenario is broken, or cannot be played to its end.
pub fn chaos(options: &ChaosOptions) -> Result<Played> {
    if is_skipped("chaos") {
        return Ok(Played::Skipped);
    }
    until_interrupted(async {
        let all = <Story as clap::ValueEnum>::value_variants();
        let form = if options.quick { Story::QUICK } else { all };
        let stories = if options.only.is_empty() { form } else { &options.only };
        let mut broken = Vec::new();
        for &story in stories {
            let outcome = play(story, options).await?;
            if options.json {
                println!("{}", serde_json::to_string(&outcome)?);
            }
            eprintln!("{outcome}");
            if !outcome.is_sound() {
                broken.push(story.name());
            }
        }
        if !broken.is_empty() {
            bail!("broken: {}", broken.join(", "));
        }
        Ok(Played::Whole)
    })
}

/// Says loudly that nothing is run, if that is so.
fn is_skipped(what: &str) -> bool {
    let lacking = host::what_is_lacking();
    if let Some(why) = &lacking {
        eprintln!(
            "*** SKIPPED: {what} was not run: it makes network namespaces, and here it cannot: {why} ***"
        );
    }
    lacking.is_some()
}

/// Runs this on a runtime of its own. SIGINT and SIGTERM drop it, and with it all processes and namespaces.
fn until_interrupted(work: impl Future<Output = Result<Played>>) -> Result<Played> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (mut interrupt, mut terminate) =
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        lan::remove_leftovers()?;
        tokio::select! {
            done = work => done,
            _ = interrupt.recv() => bail!("interrupted"),
            _ = terminate.recv() => bail!("terminated"),
        }
    })
}

async fn play(story: Story, options: &ChaosOptions) -> Result<Outcome> {
    let (name, begun) = (story.name(), Instant::now());
    let usual = if options.quick { AGENTS_QUICK } else { AGENTS_FULL };
    let agents = options.agents.unwrap_or(usual);
    let folder = folder(&name)?;
    let town = Town::new(&options.agent, folder.path().to_owned(), agents, options.seed)?;
    let extent = Extent { quick: options.quick, partition: options.partition };
    let outcome = Outcome { scenario: name.clone(), agents, seed: options.seed, ..Outcome::default() };
    let mut scene = Scene { town, extent, outcome };
    let played = story.play(&mut scene).await;
    let Scene { mut town, mut outcome, .. } = scene;
    let findings = town.judge()?;
    outcome.events = findings.events;
    outcome.false_reports = findings.false_reports;
    outcome.broken.extend(findings.broken);
    outcome.took_s = begun.elapsed().as_secs_f64();
    drop(town);
    if played.is_err() || !outcome.is_sound() || options.keep {
        keep(folder);
    }
    played.with_context(|| format!("{name} could not be played to its end; seed {}", options.seed))?;
    Ok(outcome)
}

/// A new folder for the files of a run, which goes when it is dropped and not [kept](TempDir::keep).
fn folder(name: &str) -> Result<TempDir> {
    let prefix = format!("{PREFIX}{}-{name}-", std::process::id());
    tempfile::Builder::new().prefix(&prefix).tempdir().context("no folder can be made for the agents' files")
}

/// Says where the agents' files stay.
fn keep(folder: TempDir) {
    eprintln!("what the agents told and logged is kept in {}", folder.keep().display());
}
