//! Scenarios as a program. `cargo xtask storm`, `chaos` and `soak` run it.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clap::{Args, Parser, Subcommand};
use kinfolk_scenarios::overload::{OverloadOptions, group, overload};
use kinfolk_scenarios::processes::{ChaosOptions, Played, SoakOptions, Story, chaos, soak};
use kinfolk_scenarios::run;
use kinfolk_scenarios::storm::{Tally, storm};

/// Whole members under faults: simulated, or real.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Requests over simulated QUIC with cancellations, time-outs, crashes and evictions; nothing may be left of them.
    Storm(StormArgs),
    /// Real agents in network namespaces: each scenario's faults, and what must follow. Needs root.
    Chaos(ChaosArgs),
    /// Real agents in network namespaces under random faults, and a summary of what came of it. Needs root.
    Soak(SoakArgs),
    /// Members in one process with too little CPU: how long they take to join, what they do at rest, and whom they falsely
    /// declare failed. Needs root and CPU control groups. Build it with `--release`.
    Overload(OverloadArgs),
    /// The members that `overload` starts.
    #[command(hide = true)]
    OverloadGroup {
        #[arg(long)]
        members: usize,
    },
}

#[derive(Args)]
struct StormArgs {
    /// How many runs. Each has a world of its own, from a seed of its own.
    #[arg(long, default_value_t = 10)]
    runs: u64,
    /// How many requests in each run.
    #[arg(long, default_value_t = 10_000)]
    requests: usize,
    /// The seed of the first run; the others follow.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Args)]
struct ChaosArgs {
    /// The form of the gate: fewer agents, fewer scenarios, shorter rounds.
    #[arg(long)]
    quick: bool,
    /// Only this scenario; repeat it for more.
    #[arg(long, value_name = "NAME")]
    only: Vec<Story>,
    /// How many agents, 3 to 99 [default: 15, with --quick 6].
    #[arg(long, value_parser = clap::value_parser!(u8).range(3..=99))]
    agents: Option<u8>,
    /// How long the partition of the full form lasts, in seconds.
    #[arg(long, default_value_t = 60)]
    partition: u64,
    #[command(flatten)]
    run: RunArgs,
}

#[derive(Args)]
struct SoakArgs {
    /// For how many minutes there are faults.
    #[arg(long, default_value_t = 30)]
    minutes: u64,
    /// How many agents, 5 to 99.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u8).range(5..=99))]
    agents: u8,
    #[command(flatten)]
    run: RunArgs,
}

#[derive(Args)]
struct OverloadArgs {
    /// How many members, 2 to 250.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u8).range(2..=250))]
    members: u8,
    /// How many cores all members have together; repeat it for more runs.
    #[arg(long, default_values_t = [2.0, 0.2, 0.1, 0.05], value_parser = cores)]
    cores: Vec<f64>,
    /// How many windows of 30 s to measure after the join.
    #[arg(long, default_value_t = 2)]
    windows: usize,
    /// Lets the group form with all cores, and then takes all but `--cores` away for a minute and gives them back for a
    /// minute, so many times.
    #[arg(long, default_value_t = 0)]
    swings: usize,
}

/// What every run of real agents can be told.
#[derive(Args)]
struct RunArgs {
    /// The program `kinfolk` that is put to the test [default: the one beside this program].
    #[arg(long, value_name = "FILE")]
    agent: Option<PathBuf>,
    /// The seed of all choices.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// One JSON object a scenario, or the summary as one, on standard output.
    #[arg(long)]
    json: bool,
    /// Keeps the agents' files of sound runs too, and says where.
    #[arg(long)]
    keep: bool,
}

/// The exit status of what was not run, as test programs use it. A caller must not take it for a success.
const SKIPPED: u8 = 77;

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Storm(args) => {
            run_storm(&args);
            Ok(Played::Whole)
        }
        Command::Chaos(args) => args.options().and_then(|options| chaos(&options)),
        Command::Soak(args) => args.options().and_then(|options| soak(&options)),
        Command::Overload(args) => overload(&args.options()).map(|()| Played::Whole),
        Command::OverloadGroup { members } => group(members).map(|()| Played::Whole),
    };
    match done {
        Ok(Played::Whole) => ExitCode::SUCCESS,
        Ok(Played::Skipped) => ExitCode::from(SKIPPED),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

impl ChaosArgs {
    fn options(self) -> Result<ChaosOptions> {
        Ok(ChaosOptions {
            agent: agent(self.run.agent)?,
            quick: self.quick,
            only: self.only,
            agents: self.agents.map(usize::from),
            partition: Duration::from_secs(self.partition),
            seed: self.run.seed,
            json: self.run.json,
            keep: self.run.keep,
        })
    }
}

impl SoakArgs {
    fn options(self) -> Result<SoakOptions> {
        Ok(SoakOptions {
            agent: agent(self.run.agent)?,
            lasts: Duration::from_secs(self.minutes.saturating_mul(60)),
            agents: usize::from(self.agents),
            seed: self.run.seed,
            json: self.run.json,
            keep: self.run.keep,
        })
    }
}

impl OverloadArgs {
    fn options(self) -> OverloadOptions {
        OverloadOptions {
            members: usize::from(self.members),
            cores: self.cores,
            join_limit: Duration::from_mins(1),
            windows: self.windows,
            swings: self.swings,
        }
    }
}

fn cores(given: &str) -> Result<f64, String> {
    let cores: f64 = given.parse().map_err(|_| "it is no number".to_owned())?;
    if (0.01..=1_000.0).contains(&cores) { Ok(cores) } else { Err("give 0.01 to 1000 cores".to_owned()) }
}

/// The agent that was given, or the one that was built into the same folder as this program.
fn agent(given: Option<PathBuf>) -> Result<PathBuf> {
    let path = match given {
        Some(path) => path,
        None => std::env::current_exe()?.with_file_name("kinfolk"),
    };
    let advice = "build it with `cargo build -p kinfolk-agent` in the same profile, or give it with --agent";
    path.canonicalize().with_context(|| format!("there is no agent at {}: {advice}", path.display()))
}

fn run_storm(args: &StormArgs) {
    let (begun, mut all) = (Instant::now(), Tally::default());
    for seed in (args.seed..).take(usize::try_from(args.runs).unwrap_or(usize::MAX)) {
        println!("run it alone: --seed {seed} --runs 1 --requests {}", args.requests);
        let tally = run(seed, async |world| storm(world, args.requests).await);
        println!("    {tally}");
        all.add(&tally);
    }
    println!("all: {all}");
    println!("nothing was left, and no deadline missed; {:.1} s of real time", begun.elapsed().as_secs_f64());
}
