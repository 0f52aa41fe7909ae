//! The project's own tasks, run as `cargo xtask <task>`. This file only reads the command line and
//! calls the task.

mod api;
mod bench;
mod cargo_steps;
mod chaos;
mod ci;
mod deny;
mod disk;
mod dist;
mod layers;
mod loom;
mod messages;
mod metrics;
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
    /// The gate: installs the tools that it needs, then runs its steps, cheapest first. Stops at
    /// the first step that fails.
    Ci,
    /// Installs the tools that the gate needs and this machine lacks. Only Debian packages need
    /// root.
    Setup,
    /// Only the tests: nextest, then doctests.
    Test,
    /// Checks that the code is formatted as rustfmt formats it.
    Fmt,
    /// Checks the dependencies between crates against the table of edges, and that pure crates
    /// reach no I/O. Folders inside a crate must not import each other in a circle; those of swim
    /// must follow their table.
    Layers,
    /// Checks the house rules: module docs, lengths of files and functions, leftovers, clocks,
    /// sleeps, columns of comments, names of tests, words, links between documents, the page of
    /// messages.
    Tidy,
    /// Writes `docs/messages.md`, the table of all errors and log lines, from the code. `tidy`
    /// fails when the page does not match the code.
    Messages,
    /// Checks the metrics of a running member, the alerts with their tests, and the queries of the
    /// dashboard with Prometheus' promtool, if it is installed.
    Metrics,
    /// Checks dependencies: licences, no crate twice, crates.io only; and known advisories, if
    /// their database can be fetched.
    Deny,
    /// Runs clippy on every target; a warning is an error.
    Clippy,
    /// Runs unit and integration tests.
    Nextest,
    /// Runs the examples in the documentation.
    Doctest,
    /// Builds the documentation without a warning, for users and for developers.
    Rustdoc,
    /// Runs the concurrency models in `loom_*.rs` files.
    Loom {
        /// Allows three preemptions in each execution instead of two. It takes many times as long.
        #[arg(long)]
        full: bool,
    },
    /// Runs the simulator's smoke test. `sim same` compares runs and quick experiments with the
    /// checksums in `crates/sim/same.txt`, which a refactoring must not change. `sim same --record`
    /// writes these checksums.
    Sim {
        /// Arguments for `kinfolk-sim smoke`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Makes 100,000 requests over simulated QUIC with cancellations, crashes, and evictions, and
    /// checks that they leave nothing behind. Not part of the gate, whose tests make fewer
    /// requests.
    Storm {
        /// Arguments for `kinfolk-scenarios storm`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Runs real agents in network namespaces under crashes, pauses, partitions, loss, and
    /// restarts, and checks all events that they report. Needs root. The gate runs it with
    /// `--quick`.
    Chaos {
        /// Arguments for `kinfolk-scenarios chaos`: `--quick`, `--only NAME`, `--agents N`,
        /// `--partition SECONDS`, `--agent FILE`, `--seed S`, `--json`, `--keep`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Runs real agents in network namespaces under random faults for a chosen time. Needs root.
    /// Not part of the gate.
    Soak {
        /// Arguments for `kinfolk-scenarios soak`: `--minutes M`, `--agents N`, `--agent FILE`,
        /// `--seed S`, `--json`, `--keep`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Runs the quick form of `kinfolk-sim swim`, the experiments of the SWIM paper. Fails if one
    /// does not keep its promise.
    Experiments,
    /// Tests the agent's API: schemathesis against its OpenAPI document, and a thousand clients of
    /// its events, half of which stop reading. Needs python3 and the network. Not part of the gate.
    Api {
        /// The number of requests that schemathesis makes for each operation and phase.
        #[arg(long, default_value_t = 50)]
        examples: u32,
    },
    /// Builds each crate by itself, with only the features that it asks for.
    Alone,
    /// Measures, prints a table, and writes it to `docs/bench/`. Not part of the gate.
    Bench {
        /// What to measure.
        what: bench::Benchmark,
        /// Fewer and shorter rounds, and no file is written: seconds for `core` and `select`, about
        /// half a minute for `pool`, about 4 minutes for `cluster`.
        #[arg(long)]
        quick: bool,
        /// Prints one JSON object for each cell instead of the table. All but `cluster` add a last
        /// one of the kind `summary`.
        #[arg(long)]
        json: bool,
        /// For `cluster`: the sizes of groups, such as `32,128`.
        #[arg(long, value_name = "SIZES")]
        nodes: Option<String>,
        /// For `cluster`: the figures of an earlier run with `--json`, to compare with.
        #[arg(long, value_name = "FILE")]
        baseline: Option<String>,
        /// For `cluster`: each member is an agent that `dist` builds, and all are in one network
        /// namespace. Needs root.
        #[arg(long)]
        agents: bool,
    },
    /// Builds the program `kinfolk` for distribution: stripped, with its symbols in a separate
    /// file.
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
        Task::Metrics => metrics::check(),
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
        Task::Api { examples } => api::check(examples),
        Task::Alone => cargo_steps::alone(),
        Task::Bench { what, quick, json, nodes, baseline, agents } => {
            bench::run(what, bench::Options { quick, json, nodes, baseline, agents })
        }
        Task::Dist => dist::build().map(|program| format!("built {program}")),
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
