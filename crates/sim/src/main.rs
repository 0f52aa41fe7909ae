//! The command line of the simulator: the smoke list, one run, the trace of one run, the
//! experiments, and the simulator's own speed.

mod experiment_command;
mod large_pages;
mod smoke;
mod speed;

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use clap::{Args, Parser, Subcommand, value_parser};
use kinfolk_sim::{Kind, Scenario, Trace, run};
use kinfolk_swim::SwimConfig;

use experiment_command::Options;

/// Runs the real protocol machine and health checker in virtual time, from a seed.
#[derive(Parser)]
#[command(name = "kinfolk-sim", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run every scenario in every size and mode, first from fixed seeds and then from fresh ones;
    /// exit with 1 if an invariant is broken.
    Smoke {
        /// The number of fixed seeds, from 1.
        #[arg(long, default_value_t = 5, value_parser = value_parser!(u64).range(1..))]
        seeds: u64,
        /// Run this seed only.
        #[arg(long, conflicts_with = "seeds")]
        seed: Option<u64>,
        /// For how many seconds to try fresh seeds; 0 for none.
        #[arg(long, default_value_t = 60)]
        fresh_seconds: u64,
    },
    /// Run one scenario and print what was measured.
    Run {
        #[command(flatten)]
        which: Which,
        /// Also print the trace.
        #[arg(long)]
        trace: bool,
    },
    /// Run one scenario and print its trace.
    Replay {
        #[command(flatten)]
        which: Which,
    },
    /// Print how fast one core simulates an idle group, and in how much memory.
    Speed {
        /// The number of nodes.
        #[arg(long, default_value_t = 1_000)]
        nodes: usize,
        /// The number of virtual seconds.
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// The protocol mode.
        #[arg(long, default_value = "verified", value_parser = Scenario::modes().map(|(name, _)| name))]
        mode: String,
        /// Members also watch each other with phi accrual.
        #[arg(long)]
        phi: bool,
        /// One node crashes halfway.
        #[arg(long)]
        crash: bool,
    },
    /// SWIM's paper: first detection, false detections, load, spread, joins under loss.
    Swim(Options),
    /// Lifeguard's paper: false failures and latency in each mode, with members that do not process
    /// messages.
    Lifeguard(Options),
    /// Phi accrual's paper: mistake rate against detection time, for this phi and for others.
    Phi(Options),
    /// Rapid's paper: bootstrap, faulty members, cost.
    Rapid(Options),
    /// Groups of 32 to 10,000: detection, dissemination, traffic, connections, memory.
    Scale(Options),
    /// 10,000 tombstones: what joins, anti-entropy, and an idle group cost beside them.
    Names(Options),
    /// Too little CPU: joins, lost connections, and CPU that is taken away, with the cost of a
    /// handshake.
    Overload(Options),
    /// Members that lie: one with each strategy, and colluders against each quorum of accusers.
    Hostile(Options),
    /// Network coordinates: how good they become, how many statements they take, and false ones.
    Coordinates(Options),
}

#[derive(Args)]
struct Which {
    /// The seed of the run.
    #[arg(long)]
    seed: u64,
    /// The number of nodes.
    #[arg(long, default_value_t = 5)]
    nodes: usize,
    /// The protocol mode.
    #[arg(long, default_value = "verified", value_parser = Scenario::modes().map(|(name, _)| name))]
    mode: String,
    /// The scenario.
    #[arg(long, default_value = "random", value_parser = Kind::ALL.map(Kind::name))]
    scenario: String,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    // After parsing: a wrong command line must not start the program twice.
    large_pages::request();
    let done = match cli.command {
        Command::Smoke { seeds, seed, fresh_seconds } => {
            let fresh = Duration::from_secs(fresh_seconds);
            smoke::smoke(&seed.map_or((1..=seeds).collect(), |seed| vec![seed]), fresh)
        }
        Command::Run { which, trace } => one(&which, trace),
        Command::Replay { which } => one(&which, true),
        Command::Swim(options) => experiment_command::run("swim", &options),
        Command::Lifeguard(options) => experiment_command::run("lifeguard", &options),
        Command::Speed { nodes, seconds, mode, phi, crash } => speed(nodes, seconds, &mode, phi, crash),
        Command::Phi(options) => experiment_command::run("phi", &options),
        Command::Rapid(options) => experiment_command::run("rapid", &options),
        Command::Scale(options) => experiment_command::run("scale", &options),
        Command::Names(options) => experiment_command::run("names", &options),
        Command::Overload(options) => experiment_command::run("overload", &options),
        Command::Hostile(options) => experiment_command::run("hostile", &options),
        Command::Coordinates(options) => experiment_command::run("coordinates", &options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        // The reader of the output closed the pipe, as `head` does when it has enough. That is no
        // failure.
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

fn one(which: &Which, trace: bool) -> Result<()> {
    let kind =
        Kind::find(&which.scenario).ok_or_else(|| anyhow!("there is no scenario {:?}", which.scenario))?;
    if which.nodes < kind.nodes_min() {
        bail!(
            "the scenario {kind} needs at least {} nodes, and --nodes is {}; give a larger --nodes",
            kind.nodes_min(),
            which.nodes
        );
    }
    let scenario = Scenario::new(kind, which.nodes, config(&which.mode)?, which.seed);
    let report = run(&scenario, which.seed, if trace { Trace::on() } else { Trace::off() });
    io::stdout().write_all(report.trace.as_bytes())?;
    smoke::print_report(&scenario, which.seed, &report)?.map_or(Ok(()), Err)
}

fn config(mode: &str) -> Result<SwimConfig> {
    let known = Scenario::modes().into_iter().find(|(name, _)| *name == mode);
    known.map(|(_, config)| config).ok_or_else(|| anyhow!("there is no mode {mode:?}"))
}

fn speed(nodes: usize, seconds: u64, mode: &str, phi: bool, crash: bool) -> Result<()> {
    let plan = speed::Plan { nodes, seconds, config: config(mode)?, phi, crash };
    writeln!(io::stdout(), "{}", speed::measure(&plan)?)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parses(line: &str) -> bool {
        Cli::try_parse_from(line.split_whitespace()).is_ok()
    }

    #[test]
    /// `replay` has the form that a broken run prints.
    fn only_valid_command_lines_are_parsed() {
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
