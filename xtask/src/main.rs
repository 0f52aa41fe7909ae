//! The project's own tasks, run as `cargo xtask <task>`: this file reads the command line and routes, nothing else.

mod bench;
mod cargo_steps;
mod chaos;
mod ci;
mod deny;
mod dist;
mod layers;
mod loom;
mod messages;
mod same;
mod setup;
mod shell;
mod sim;
mod storm;
mod tidy;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The project's own tasks. `ci` is the gate: every change passes it.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// The gate: installs what it needs, then runs every step below, cheapest first. Stops at the
    /// first that fails.
    Ci,
    /// Installs the tools that the gate needs and this machine lacks. Asks for root only where a
    /// Debian package needs it.
    Setup,
    /// Only the tests: nextest, then doctests.
    Test,
    /// Formatting is what rustfmt makes of it.
    Fmt,
    /// Crates depend on each other as the edge table says, and the pure ones stay pure; folders inside a crate
    /// import each other in no circle, and those of swim as their table says.
    Layers,
    /// Module docs, lengths of files and functions, leftovers, clocks, sleeps, columns of comments,
    /// names of tests, words of the glossary, links between documents, the page of messages.
    Tidy,
    /// Writes `docs/messages.md`, the table of all errors and log lines, from the code. `tidy` fails
    /// when the page does not match the code.
    Messages,
    /// Dependencies: their licences, no crate twice, crates.io only; known advisories, where the
    /// database can be fetched.
    Deny,
    /// Clippy on every target, warnings are errors.
    Clippy,
    /// Unit and integration tests.
    Nextest,
    /// The examples in the documentation run.
    Doctest,
    /// The documentation builds without a warning, for users and for developers.
    Rustdoc,
    /// The concurrency models in `loom_*.rs` files.
    Loom {
        /// Allows three preemptions in each execution instead of two, which takes many times as long.
        #[arg(long)]
        full: bool,
    },
    /// The simulator's smoke run; what follows is passed on to it. `sim same` compares its runs and quick
    /// experiments with the checksums in `crates/sim/same.txt`, which a refactoring must not change; `sim
    /// same --record` writes them down.
    Sim {
        /// Passed on to `kinfolk-sim smoke`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// 100,000 requests over simulated QUIC with cancellations, crashes and evictions leave nothing behind. Not part of the
    /// gate, which runs a small storm among the tests.
    Storm {
        /// Passed on to `kinfolk-scenarios`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Real agents in network namespaces: crashes, pauses, cuts, loss, restarts, and a checker of all that they tell. Needs
    /// root; the gate plays the form of `--quick`.
    Chaos {
        /// Passed on to `kinfolk-scenarios chaos`: `--quick`, `--only NAME`, `--agents N`, `--partition S`, `--seed S`,
        /// `--json`, `--keep`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Real agents in network namespaces under random faults for as long as one likes. Needs root; not part of the gate.
    Soak {
        /// Passed on to `kinfolk-scenarios soak`: `--minutes M`, `--agents N`, `--seed S`, `--json`, `--keep`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// The papers' experiments in their quick form; fails if one misses what it promises.
    Experiments,
    /// Each crate builds by itself, with only the features that it asks for.
    Alone,
    /// Measures, prints a table, and keeps it in `docs/bench/`. Not part of the gate.
    Bench {
        /// What to measure.
        what: bench::What,
        /// Fewer and shorter rounds, about half a minute; nothing is kept.
        #[arg(long)]
        quick: bool,
        /// One JSON object a cell instead of the table (`pool` and `core`: and a last one of the kind `summary`).
        #[arg(long)]
        json: bool,
        /// `cluster`: the sizes of groups, such as `32,128`.
        #[arg(long, value_name = "SIZES")]
        nodes: Option<String>,
        /// `cluster`: the figures of an earlier run with `--json`, to compare with.
        #[arg(long, value_name = "FILE")]
        baseline: Option<String>,
        /// `cluster`: each member is an agent, as `dist` builds it, in a network namespace. Needs root.
        #[arg(long)]
        agents: bool,
    },
    /// Builds the program `kinfolk` as it is given to others: stripped, its symbols in a file beside it.
    Dist,
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().task {
        Task::Ci => ci::gate(),
        Task::Setup => setup::setup(),
        Task::Test => ci::tests(),
        Task::Fmt => cargo_steps::fmt(),
        Task::Layers => layers::check(),
        Task::Tidy => tidy::check(),
        Task::Messages => messages::write(),
        Task::Deny => deny::check(),
        Task::Clippy => cargo_steps::clippy(),
        Task::Nextest => cargo_steps::nextest(),
        Task::Doctest => cargo_steps::doctest(),
        Task::Rustdoc => cargo_steps::rustdoc(),
        Task::Loom { full } => loom::check(full),
        Task::Sim { args } => sim::sim(&args),
        Task::Storm { args } => storm::run(&args),
        Task::Chaos { args } => chaos::chaos(&args),
        Task::Soak { args } => chaos::soak(&args),
        Task::Experiments => sim::experiments(),
        Task::Alone => cargo_steps::alone(),
        Task::Bench { what, quick, json, nodes, baseline, agents } => {
            bench::run(what, bench::How { quick, json, nodes, baseline, agents })
        }
        Task::Dist => dist::build().map(|program| format!("{program} is built")),
    };
    match outcome {
        Ok(note) => {
            eprintln!("{note}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
