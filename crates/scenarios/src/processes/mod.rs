//! Real agents as processes, each in a network namespace of its own, under real faults: SIGKILL,
//! SIGSTOP, links that go down, dropped packets. Afterwards a checker reads the event logs of all
//! agents. It needs root; `cargo xtask chaos` and `cargo xtask soak` run it.
//!
//! Nothing here runs in virtual time. Of the product it uses only the random numbers, except for
//! the attacker of the case `liar`, which speaks the real wire, and the members of the case
//! `rotation`, which embed the library. It judges the agents by their event logs and by the
//! responses of their control sockets.

mod agent;
mod attack;
mod attacker;
mod calls;
mod cases;
mod checker;
mod cluster;
mod command;
mod embedded;
mod event_history;
mod faults;
mod host;
mod lan;
mod member;
mod outcome;
mod soak;
mod truth;
mod view;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};

pub use attack::{AttackOptions, attack};
pub use cases::Case;
use cases::{CaseRun, Extent};
use cluster::AgentCluster;
pub use embedded::{EmbeddedOptions, embedded};
use lan::PREFIX;
use outcome::Outcome;
pub use soak::{SoakOptions, soak};

/// The scenarios to run, and their options.
#[derive(Debug, Clone)]
pub struct ChaosOptions {
    /// The program `kinfolk`.
    pub agent: PathBuf,
    /// The quick form: fewer agents and shorter rounds, for the gate.
    pub quick: bool,
    /// Run only these scenarios. If it is empty, run all scenarios of the form.
    pub only: Vec<Case>,
    /// The number of agents. `None` for the number of the form: 6 or 15, and for `liar` and
    /// `rotation` 5.
    pub agents: Option<usize>,
    /// How long a partition lasts in the full form.
    pub partition: Duration,
    /// The seed of all random choices.
    pub seed: u64,
    /// Print one JSON object for each scenario on standard output.
    pub json: bool,
    /// Keep the agents' files also of scenarios that passed.
    pub keep: bool,
}

/// How a run without a violation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completion {
    /// It ran to its end.
    Complete,
    /// It did not start: this machine cannot make network namespaces.
    Skipped,
}

/// The number of agents in the quick and in the full form.
const AGENTS_QUICK: usize = 6;
const AGENTS_FULL: usize = 15;

/// Runs the scenarios one after the other, each with its own agents and its own network.
///
/// # Errors
/// A scenario is broken, or cannot run to its end.
pub fn chaos(options: &ChaosOptions) -> Result<Completion> {
    if is_skipped("chaos") {
        return Ok(Completion::Skipped);
    }
    until_interrupted(async {
        let all = <Case as clap::ValueEnum>::value_variants();
        let form = if options.quick { Case::QUICK } else { all };
        let cases = if options.only.is_empty() { form } else { &options.only };
        let mut broken = Vec::new();
        for &case in cases {
            let outcome = run_case(case, options).await?;
            if options.json {
                println!("{}", serde_json::to_string(&outcome)?);
            }
            eprintln!("{outcome}");
            // Go on after a broken scenario: one run shows all of them.
            if !outcome.passed() {
                broken.push(case.name());
            }
        }
        if !broken.is_empty() {
            bail!("broken scenarios: {}", broken.join(", "));
        }
        Ok(Completion::Complete)
    })
}

/// Whether this machine cannot run it. If so, prints the reason.
fn is_skipped(what: &str) -> bool {
    let missing = host::missing_requirement();
    // Loud, because a skipped run must not be taken for one that passed.
    if let Some(why) = &missing {
        eprintln!(
            "*** SKIPPED: {what} did not run: it needs network namespaces, and this machine cannot make them: {why} ***"
        );
    }
    missing.is_some()
}

/// Runs `work` on a runtime of its own. SIGINT and SIGTERM drop it, which ends all processes and
/// removes all namespaces.
fn until_interrupted(work: impl Future<Output = Result<Completion>>) -> Result<Completion> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (mut interrupt, mut terminate) =
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        lan::remove_leftovers()?;
        tokio::select! {
            done = work => done,
            _ = interrupt.recv() => bail!("interrupted by SIGINT"),
            _ = terminate.recv() => bail!("terminated by SIGTERM"),
        }
    })
}

async fn run_case(case: Case, options: &ChaosOptions) -> Result<Outcome> {
    let (name, begun) = (case.name(), Instant::now());
    let usual = case.agents().unwrap_or(if options.quick { AGENTS_QUICK } else { AGENTS_FULL });
    let agents = options.agents.unwrap_or(usual);
    let folder = folder(&name)?;
    let cluster = AgentCluster::new(&options.agent, folder.path().to_owned(), agents, options.seed)?;
    let extent = Extent { quick: options.quick, partition: options.partition };
    let outcome = Outcome { scenario: name.clone(), agents, seed: options.seed, ..Outcome::default() };
    let mut run = CaseRun { cluster, extent, outcome };
    let done = case.run(&mut run).await;
    let CaseRun { mut cluster, mut outcome, .. } = run;
    // Check the logs even if the scenario did not end: they may show why.
    let findings = cluster.check()?;
    outcome.events = findings.events;
    outcome.false_reports = findings.false_reports;
    outcome.broken.extend(findings.broken);
    outcome.took_s = begun.elapsed().as_secs_f64();
    // End the agents before their files are kept or removed.
    drop(cluster);
    if done.is_err() || !outcome.passed() || options.keep {
        keep(folder);
    }
    done.with_context(|| format!("the scenario {name} did not run to its end; seed {}", options.seed))?;
    Ok(outcome)
}
/// A new folder for the files of a run. Dropping it removes it, unless it is [kept](TempDir::keep).
fn folder(name: &str) -> Result<TempDir> {
    let prefix = format!("{PREFIX}{}-{name}-", std::process::id());
    tempfile::Builder::new().prefix(&prefix).tempdir().context("cannot make a folder for the agents' files")
}

/// Keeps the agents' files, and prints where they are.
fn keep(folder: TempDir) {
    eprintln!("kept the agents' logs and event logs in {}", folder.keep().display());
}
