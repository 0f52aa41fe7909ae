//! The scenarios as a program. `cargo xtask storm`, `chaos` and `soak` run it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clap::{Args, Parser, Subcommand};
use kinfolk::NodeId;
use kinfolk_scenarios::event_clients::{EventClientsOptions, event_clients};
use kinfolk_scenarios::overload::{OverloadOptions, group, overload};
use kinfolk_scenarios::processes::{
    AttackOptions, Case, ChaosOptions, Completion, EmbeddedOptions, SoakOptions, attack, chaos, embedded,
    soak,
};
use kinfolk_scenarios::run;
use kinfolk_scenarios::storm::{Tally, storm};

/// Runs whole members under faults: simulated, or real.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Send requests over simulated QUIC with cancellations, time-outs, crashes and evictions;
    /// nothing may be left of them
    Storm(StormArgs),
    /// Run the scenarios with real agents in network namespaces; needs root
    Chaos(ChaosArgs),
    /// Run real agents in network namespaces under random faults, and print a summary; needs root
    Soak(SoakArgs),
    /// Measure members in one process with too little CPU: their joins, their work when idle, and
    /// false failures
    ///
    /// It needs root and CPU control groups. Build it with `--release`.
    Overload(OverloadArgs),
    /// Follow the events of a real agent with many clients, half of which stop reading
    EventClients(EventClientsArgs),
    /// Attack the agents of the scenario `liar`
    #[command(hide = true)]
    Attack(AttackArgs),
    /// Run a member of the scenario `rotation`
    #[command(hide = true)]
    Embedded(EmbeddedArgs),
    /// Start the members for `overload`
    #[command(hide = true)]
    OverloadGroup {
        #[arg(long)]
        members: usize,
    },
}

#[derive(Args)]
struct StormArgs {
    /// The number of runs; each has its own world and its own seed
    #[arg(long, default_value_t = 10)]
    runs: u64,
    /// The number of requests in each run
    #[arg(long, default_value_t = 10_000)]
    requests: usize,
    /// The seed of the first run; each further run adds 1
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Args)]
struct ChaosArgs {
    /// Run the gate's form: fewer agents, fewer scenarios, shorter rounds
    #[arg(long)]
    quick: bool,
    /// Run only this scenario; repeat it for more
    #[arg(long, value_name = "NAME")]
    only: Vec<Case>,
    /// The number of agents, 3 to 99 [default: 15, with --quick 6, for `liar` and `rotation` 5]
    #[arg(long, value_parser = clap::value_parser!(u8).range(3..=99))]
    agents: Option<u8>,
    /// How long the partition of the full form lasts, in seconds
    #[arg(long, default_value_t = 60)]
    partition: u64,
    #[command(flatten)]
    run: RunArgs,
}

#[derive(Args)]
struct SoakArgs {
    /// For how many minutes faults are made
    #[arg(long, default_value_t = 30)]
    minutes: u64,
    /// The number of agents, 5 to 99
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u8).range(5..=99))]
    agents: u8,
    #[command(flatten)]
    run: RunArgs,
}

#[derive(Args)]
struct EventClientsArgs {
    /// The number of clients, 2 to 1000
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u16).range(2..=1_000))]
    clients: u16,
    /// The number of events that are sent meanwhile
    #[arg(long, default_value_t = 2_000)]
    events: usize,
    /// The program `kinfolk` to test [default: the one beside this program]
    #[arg(long, value_name = "FILE")]
    agent: Option<PathBuf>,
}

/// The identity and the address of a process that a scenario starts.
#[derive(Args)]
struct ProcessArgs {
    #[arg(long)]
    cert: PathBuf,
    #[arg(long)]
    key: PathBuf,
    #[arg(long)]
    ca: PathBuf,
    #[arg(long)]
    listen: SocketAddr,
}

#[derive(Args)]
struct AttackArgs {
    #[command(flatten)]
    process: ProcessArgs,
    #[arg(long)]
    victim: Vec<String>,
}

#[derive(Args)]
struct EmbeddedArgs {
    #[command(flatten)]
    process: ProcessArgs,
    #[arg(long)]
    join: Vec<String>,
    #[arg(long)]
    peer: Vec<NodeId>,
}

#[derive(Args)]
struct OverloadArgs {
    /// The number of members, 2 to 250
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u8).range(2..=250))]
    members: u8,
    /// How many cores all members have together; repeat it for more runs
    #[arg(long, default_values_t = [2.0, 0.2, 0.1, 0.05], value_parser = cores)]
    cores: Vec<f64>,
    /// The number of windows of 30 s to measure after the join
    #[arg(long, default_value_t = 2)]
    windows: usize,
    /// Let the group form with all cores; then limit it to the first --cores for a minute and
    /// remove the limit for a minute, this many times
    #[arg(long, default_value_t = 0)]
    swings: usize,
}

/// The arguments of all runs with real agents.
#[derive(Args)]
struct RunArgs {
    /// The program `kinfolk` to test [default: the one beside this program]
    #[arg(long, value_name = "FILE")]
    agent: Option<PathBuf>,
    /// The seed of all random choices
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print one JSON object for each scenario, or for the soak, on standard output
    #[arg(long)]
    json: bool,
    /// Keep the agents' files also of runs that passed, and print where they are
    #[arg(long)]
    keep: bool,
}

/// The exit status of a run that was skipped, as test programs use it. A caller must not take it
/// for a success.
const SKIPPED: u8 = 77;

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Storm(args) => {
            run_storm(&args);
            Ok(Completion::Complete)
        }
        Command::Chaos(args) => args.options().and_then(|options| chaos(&options)),
        Command::Soak(args) => args.options().and_then(|options| soak(&options)),
        Command::EventClients(args) => args.run(),
        Command::Attack(args) => attack(&args.options()).map(|()| Completion::Complete),
        Command::Embedded(args) => embedded(args.options()).map(|()| Completion::Complete),
        Command::Overload(args) => overload(&args.options()).map(|()| Completion::Complete),
        Command::OverloadGroup { members } => group(members).map(|()| Completion::Complete),
    };
    match result {
        Ok(Completion::Complete) => ExitCode::SUCCESS,
        Ok(Completion::Skipped) => ExitCode::from(SKIPPED),
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

impl EventClientsArgs {
    fn run(self) -> Result<Completion> {
        let options = EventClientsOptions {
            agent: agent(self.agent)?,
            clients: usize::from(self.clients),
            events: self.events,
        };
        event_clients(&options).map(|_| Completion::Complete)
    }
}

impl AttackArgs {
    fn options(self) -> AttackOptions {
        let Self { process: ProcessArgs { cert, key, ca, listen }, victim } = self;
        AttackOptions { cert, key, ca, listen, victims: victim }
    }
}

impl EmbeddedArgs {
    fn options(self) -> EmbeddedOptions {
        let Self { process: ProcessArgs { cert, key, ca, listen }, join, peer } = self;
        EmbeddedOptions { cert, key, ca, listen, join, peers: peer }
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
    let cores: f64 = given.parse().map_err(|_| "it is not a number; give 0.01 to 1000 cores".to_owned())?;
    if (0.01..=1_000.0).contains(&cores) { Ok(cores) } else { Err("give 0.01 to 1000 cores".to_owned()) }
}

/// The path of the given agent, or of the agent in the folder of this program.
fn agent(given: Option<PathBuf>) -> Result<PathBuf> {
    let path = match given {
        Some(path) => path,
        None => std::env::current_exe()?.with_file_name("kinfolk"),
    };
    let advice = "build it with `cargo build -p kinfolk-agent` in the same profile, or give it with --agent";
    path.canonicalize().with_context(|| format!("there is no agent at {}; {advice}", path.display()))
}

fn run_storm(args: &StormArgs) {
    let (begun, mut all) = (Instant::now(), Tally::default());
    for seed in (args.seed..).take(usize::try_from(args.runs).unwrap_or(usize::MAX)) {
        // Printed before the run, so that the seed is known if the run panics.
        println!("to repeat this run: --seed {seed} --runs 1 --requests {}", args.requests);
        let tally = run(seed, async |world| storm(world, args.requests).await);
        println!("    {tally}");
        all.add(&tally);
    }
    println!("all: {all}");
    println!(
        "nothing was left, and no deadline was missed; {:.1} s of real time",
        begun.elapsed().as_secs_f64()
    );
}
