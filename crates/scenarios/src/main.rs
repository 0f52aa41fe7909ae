//! The storm as a program, for as many requests as one has time for. `cargo xtask storm` runs it.

use std::time::Instant;

use clap::Parser;
use kinfolk_scenarios::run;
use kinfolk_scenarios::storm::{Tally, storm};

/// Requests over simulated QUIC with cancellations, time-outs, crashes and evictions; nothing may be left of them.
#[derive(Parser)]
struct Cli {
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

fn main() {
    let cli = Cli::parse();
    let (begun, mut all) = (Instant::now(), Tally::default());
    for seed in (cli.seed..).take(usize::try_from(cli.runs).unwrap_or(usize::MAX)) {
        println!("run it alone: --seed {seed} --runs 1 --requests {}", cli.requests);
        let tally = run(seed, async |world| storm(world, cli.requests).await);
        println!("    {tally}");
        all.add(&tally);
    }
    println!("all: {all}");
    println!("nothing was left, and no deadline missed; {:.1} s of real time", begun.elapsed().as_secs_f64());
}
