//! Measures what a scrape of the metrics costs a member of a group: its time, and its allocations.
//! A program by itself, because counting allocations slows every allocation down.

use std::alloc::System;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clap::Parser;
use kinfolk::metrics::{Format, Metrics, MetricsOptions};
use kinfolk::{Cluster, ClusterCa, ClusterConfig, ClusterId, NodeId};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The time limit of the joins: longer than they take on the slowest machine.
const LIMIT: Duration = Duration::from_mins(2);

/// Measures a scrape of one member. Build it with optimisations, or the figures mean nothing.
#[derive(Parser)]
#[command(name = "kinfolk-bench-metrics")]
struct Cli {
    /// The number of members in this process.
    #[arg(long, default_value_t = 128)]
    nodes: usize,
    /// The number of scrapes of each kind.
    #[arg(long, default_value_t = 1_000)]
    scrapes: usize,
}

// One thread: while a scrape runs, no member runs, so that all allocations are the scrape's.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let Cli { nodes, scrapes } = Cli::parse();
    let members = start(nodes).await?;
    println!("| members | format | series of members | bytes | median, µs | 99 %, µs | allocations |");
    println!("|---|---|---|---|---|---|---|");
    for format in [Format::Prometheus, Format::OpenMetrics] {
        for shown in [0, nodes] {
            let options = MetricsOptions::default().per_member(shown);
            let metrics = Metrics::with(&members[0], options);
            let cost = measure(&metrics, format, scrapes).await;
            let Cost { bytes, median, slow, allocations } = cost;
            println!("| {nodes} | {format:?} | {shown} | {bytes} | {median} | {slow} | {allocations} |");
        }
    }
    Ok(())
}

/// Starts the members, and waits until all see all.
async fn start(count: usize) -> Result<Vec<Cluster>> {
    let ca = ClusterCa::create(&ClusterId::new("bench")?)?;
    let start = |number: usize| -> Result<Cluster> {
        let identity = ca.issue(&NodeId::new(&format!("n{number}"))?, Duration::from_hours(1))?;
        Ok(Cluster::start(ClusterConfig::new(identity, "127.0.0.1:0".parse()?))?)
    };
    let members = (0..count).map(start).collect::<Result<Vec<_>>>()?;
    let seed = members[0].addr().to_string();
    for member in members.iter().skip(1) {
        member.join(&[&seed]).await?;
    }
    let whole = async {
        while members.iter().any(|member| member.members().members().count() != count) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LIMIT, whole).await.context("the members did not join within two minutes")?;
    Ok(members)
}

struct Cost {
    bytes: usize,
    /// In microseconds.
    median: u128,
    slow: u128,
    /// For one scrape.
    allocations: usize,
}

async fn measure(metrics: &Metrics, format: Format, scrapes: usize) -> Cost {
    let (mut times, mut allocations, mut bytes) =
        (Vec::with_capacity(scrapes), Vec::with_capacity(scrapes), 0);
    for _ in 0..scrapes {
        let (begun, before) = (Instant::now(), ALLOCATOR.stats());
        let page = metrics.render(format);
        let after = ALLOCATOR.stats();
        times.push(begun.elapsed().as_micros());
        let made = |stats: stats_alloc::Stats| stats.allocations + stats.reallocations;
        allocations.push(made(after) - made(before));
        bytes = page.len();
        // The members run between two scrapes, as they do in use.
        tokio::task::yield_now().await;
    }
    times.sort_unstable();
    allocations.sort_unstable();
    let at = |share: usize| (times.len() * share / 100).min(times.len() - 1);
    Cost {
        bytes,
        median: times[at(50)],
        slow: times[at(99)],
        allocations: allocations[allocations.len() / 2],
    }
}
