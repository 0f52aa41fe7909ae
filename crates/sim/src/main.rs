//! The command line of the simulator: the smoke list, one run, and the trace of one run.

use std::io::{self, Write as _};
use std::num::NonZero;
use std::panic::resume_unwind;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::{Error, Result, anyhow, bail};
use clap::{Args, Parser, Subcommand, value_parser};
use kinfolk_sim::{Kind, Report, Scenario, Trace, run};
use kinfolk_swim::SwimConfig;

/// Runs the real protocol machine and health checker in virtual time, from a seed.
#[derive(Parser)]
#[command(name = "kinfolk-sim", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run every scenario in every size and mode, from fixed seeds; exit with 1 if an invariant was broken.
    Smoke {
        /// How many seeds, from 1 on.
        #[arg(long, default_value_t = 5, value_parser = value_parser!(u64).range(1..))]
        seeds: u64,
        /// Only this seed.
        #[arg(long, conflicts_with = "seeds")]
        seed: Option<u64>,
    },
    /// Run one scenario and print what was measured.
    Run {
        #[command(flatten)]
        which: Which,
        /// Print the trace too.
        #[arg(long)]
        trace: bool,
    },
    /// Run one scenario and print its trace.
    Replay {
        #[command(flatten)]
        which: Which,
    },
}

#[derive(Args)]
struct Which {
    /// The seed.
    #[arg(long)]
    seed: u64,
    /// How many nodes.
    #[arg(long, default_value_t = 5)]
    nodes: usize,
    /// Which protocol.
    #[arg(long, default_value = "lifeguard", value_parser = ["swim", "lifeguard"])]
    mode: String,
    /// Which scenario.
    #[arg(long, default_value = "random", value_parser = Kind::ALL.map(Kind::name))]
    scenario: String,
}

/// The sizes of the smoke list: alone, the smallest groups, a usual one, and one where chance has room.
const SIZES: [usize; 6] = [1, 2, 3, 5, 16, 64];

/// From this size on a run takes so long that only the first half of the seeds is run, rounded up.
const LARGE: usize = 64;
const LARGE_SHARE: usize = 2;

/// How many broken runs are explained; all are counted.
const BROKEN_TOLD_MAX: usize = 10;

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Smoke { seeds, seed } => smoke(&seed.map_or((1..=seeds).collect(), |seed| vec![seed])),
        Command::Run { which, trace } => one(&which, trace),
        Command::Replay { which } => one(&which, true),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads has read enough, as `head` does.
        Err(error)
            if error.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe) =>
        {
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn smoke(seeds: &[u64]) -> Result<()> {
    let mut scenarios = Vec::new();
    for kind in Kind::ALL {
        for nodes in SIZES.into_iter().filter(|nodes| *nodes >= kind.nodes_min()) {
            let seeds = if nodes < LARGE { seeds } else { &seeds[..seeds.len().div_ceil(LARGE_SHARE)] };
            for (_, config) in Scenario::modes() {
                let of_seed = |seed: &u64| (Scenario::new(kind, nodes, config.clone(), *seed), *seed);
                scenarios.extend(seeds.iter().map(of_seed));
            }
        }
    }
    let (runs, mut lasted, mut broken) = (scenarios.len(), Duration::ZERO, Vec::new());
    for some in scenarios.chunks(thread::available_parallelism().map_or(1, NonZero::get)) {
        for ((scenario, seed), report) in some.iter().zip(side_by_side(some)) {
            broken.extend(tell(scenario, *seed, &report)?);
            lasted += report.lasted;
        }
    }
    let hours = lasted.as_secs_f64() / 3_600.0;
    if broken.is_empty() {
        writeln!(io::stdout(), "{runs} runs of {hours:.1} virtual hours kept every invariant")?;
        return Ok(());
    }
    broken.iter().take(BROKEN_TOLD_MAX).for_each(|error| eprintln!("\n{error}"));
    bail!("\n{} of {runs} runs broke an invariant", broken.len())
}

/// Runs these, each on a thread of its own: no run knows of another, so that it makes no difference to any.
fn side_by_side(scenarios: &[(Scenario, u64)]) -> Vec<Report> {
    thread::scope(|scope| {
        let start = |(scenario, seed): &'_ (Scenario, u64)| {
            let (scenario, seed) = (scenario.clone(), *seed);
            scope.spawn(move || run(&scenario, seed, Trace::off()))
        };
        let running: Vec<_> = scenarios.iter().map(start).collect();
        let done = running.into_iter().map(|run| run.join().unwrap_or_else(|panic| resume_unwind(panic)));
        done.collect()
    })
}

fn one(which: &Which, trace: bool) -> Result<()> {
    let kind =
        Kind::find(&which.scenario).ok_or_else(|| anyhow!("there is no scenario {}", which.scenario))?;
    if which.nodes < kind.nodes_min() {
        bail!("the scenario {kind} needs {} nodes: give --nodes", kind.nodes_min());
    }
    let scenario = Scenario::new(kind, which.nodes, config(&which.mode)?, which.seed);
    let report = run(&scenario, which.seed, if trace { Trace::on() } else { Trace::off() });
    io::stdout().write_all(report.trace.as_bytes())?;
    tell(&scenario, which.seed, &report)?.map_or(Ok(()), Err)
}

fn config(mode: &str) -> Result<SwimConfig> {
    let known = Scenario::modes().into_iter().find(|(name, _)| *name == mode);
    known.map(|(_, config)| config).ok_or_else(|| anyhow!("there is no mode {mode}"))
}

/// Prints a run in one line. Returns what is wrong, if an invariant was broken, and how to see it again.
fn tell(scenario: &Scenario, seed: u64, report: &Report) -> Result<Option<Error>> {
    let (kind, nodes, mode) = (scenario.kind, scenario.nodes, scenario.mode());
    let outcome = if report.broken.is_some() { "BROKEN" } else { "ok" };
    writeln!(
        io::stdout(),
        "{kind:<9}  {mode:<9}  seed {seed:<3}  {nodes:>3} nodes  {:>5.0} s  {outcome:<6}  {}",
        report.lasted.as_secs_f64(),
        report.figures
    )?;
    Ok(report.broken.as_ref().map(|broken| {
        anyhow!(
            "{broken}\nto see it again: cargo run -p kinfolk-sim -- replay --scenario {kind} --mode {mode} \
             --nodes {nodes} --seed {seed}"
        )
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parses(line: &str) -> bool {
        Cli::try_parse_from(line.split_whitespace()).is_ok()
    }

    #[test]
    fn the_command_that_a_broken_run_prints_is_understood_and_nonsense_is_not() {
        for kind in Kind::ALL {
            assert!(parses(&format!("kinfolk-sim replay --scenario {kind} --mode swim --nodes 64 --seed 1")));
        }
        assert!(
            parses("kinfolk-sim run --seed 1 --nodes 5 --trace") && parses("kinfolk-sim smoke --seeds 1")
        );
        assert!(!parses("kinfolk-sim smoke --seeds 0") && !parses("kinfolk-sim smoke --seeds 2 --seed 1"));
        assert!(!parses("kinfolk-sim replay") && !parses("kinfolk-sim run --seed 1 --scenario nonsense"));
    }
}
