//! Whole members on loopback: what a join, rest, a crash, a leave and a broadcast cost, with QUIC and everything else.

mod agents;
mod bulk;
mod group;
mod report;

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::Serialize;
use tokio::time::{Instant, sleep};

use crate::host::cpu_time;
use crate::numbers::Spread;
pub use agents::Namespace;
use group::{Group, Totals};
pub use report::Report;

/// After this time a join is over with all that follows from it: the neighbours' connections, and the news of it.
const JOINED_AFTER: Duration = Duration::from_secs(5);

/// The stretch over which rest is looked at.
const WINDOW: Duration = Duration::from_secs(10);

/// After this time a bulk transfer is over, with its buffers.
const BULK_OVER_AFTER: Duration = Duration::from_secs(1);

/// How much is measured.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The sizes of groups, each 4 or more.
    pub nodes: Vec<usize>,
    /// How many joins.
    pub joins: usize,
    /// How many windows of 10 s of the group at rest, after a minute.
    pub windows: usize,
}

/// The figures of one size. Bytes have the IP and UDP headers in them.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Cell {
    /// How many members.
    nodes: usize,
    /// Seconds until all see all: median and worst of the joins.
    join_s_median: f64,
    /// The worst.
    join_s_worst: f64,
    /// Handshakes of a member for the join, at both ends, neighbours included.
    join_handshakes: f64,
    /// Kilobytes that a member sends for it.
    join_kb: f64,
    /// CPU of a member for it.
    join_cpu_ms: f64,
    /// Bytes a member sends in a second of the worst window of the first minute.
    first_minute_bytes_s_worst_10s: f64,
    /// Bytes a member sends in a second at rest.
    idle_bytes_s: f64,
    /// Of these, by what they are for.
    idle_handshake_bytes_s: f64,
    /// Probes and their answers.
    idle_probe_bytes_s: f64,
    /// News that goes by itself.
    idle_gossip_bytes_s: f64,
    /// Comparisons and exchanges of views.
    idle_anti_entropy_bytes_s: f64,
    /// Checks of ports.
    idle_port_check_bytes_s: f64,
    /// All else.
    idle_other_bytes_s: f64,
    /// In the worst window.
    idle_bytes_s_worst_10s: f64,
    /// Datagrams a member sends in a second at rest.
    idle_datagrams_s: f64,
    /// Handshakes of a member in a minute at rest.
    idle_handshakes_min: f64,
    /// Connections of a member at rest.
    idle_connections: f64,
    /// CPU of a member in a minute at rest.
    idle_cpu_ms_min: f64,
    /// Resident memory of a member at rest.
    rss_kib: f64,
    /// Of that, what is in no file.
    anon_kib: f64,
    /// Megabytes in a second of a bulk transfer, by the member that opened the stream.
    bulk_up_mb_s: f64,
    /// By the member that accepted it.
    bulk_down_mb_s: f64,
    /// Resident memory that a bulk transfer leaves behind in the two members together.
    bulk_left_kib: f64,
    /// Seconds until all are told of a crash.
    crash_s: f64,
    /// Milliseconds until all are told of a leave.
    leave_ms: f64,
    /// Milliseconds until all are told of a broadcast.
    broadcast_ms: f64,
}

/// What a join cost.
#[derive(Debug, Clone, Copy)]
struct Join {
    seconds: f64,
    handshakes: f64,
    kilobytes: f64,
    cpu_ms: f64,
}

/// A group that has just joined, when it began, and what that cost.
async fn join(nodes: usize) -> Result<(Group, Instant, Join)> {
    let group = Group::start(nodes)?;
    let (begun, spent) = (Instant::now(), cpu_time());
    let seconds = group.join().await?.as_secs_f64();
    sleep(JOINED_AFTER.saturating_sub(begun.elapsed())).await;
    let totals = group.totals(begun);
    let per_node = |of: f64| of / nodes as f64;
    let join = Join {
        seconds,
        handshakes: per_node(totals.handshakes as f64),
        kilobytes: per_node(totals.bytes as f64) / 1e3,
        cpu_ms: per_node(totals.cpu.saturating_sub(spent).as_secs_f64() * 1e3),
    };
    Ok((group, begun, join))
}

/// Measures one size. The memory is that of the first group of the process: what other groups leave behind
/// would hide that of a later one.
async fn measure(nodes: usize, plan: &Plan) -> Result<Cell> {
    let before = Memory::now()?;
    let (mut group, begun, first_join) = join(nodes).await?;
    let mut joins = vec![first_join];
    let first = windows(&group, begun, 6).await;
    let rest = windows(&group, begun, plan.windows.max(1)).await;
    let rate = |of: &[(Totals, Totals)], value: fn(&Totals) -> f64| {
        let rates = of.iter().map(|(from, to)| {
            (value(to) - value(from)) / to.at.saturating_sub(from.at).as_secs_f64() / nodes as f64
        });
        let rates: Vec<f64> = rates.collect();
        let mean = rates.iter().sum::<f64>() / rates.len() as f64;
        (mean, Spread::of(rates).max)
    };
    let bytes = |totals: &Totals| totals.bytes as f64;
    let idle = rate(&rest, bytes);
    let last = rest.last().context("there is a window")?.1;
    let at_rest = Memory::now()?;
    let bulk = group.transfer().await?;
    sleep(BULK_OVER_AFTER).await;
    let after_bulk = Memory::now()?;
    let broadcast = group.broadcast().await?;
    let leave = group.leave().await?;
    let crash = group.crash().await?;
    group.end();
    while joins.len() < plan.joins {
        sleep(Duration::from_secs(1)).await;
        let (group, _, join) = join(nodes).await?;
        joins.push(join);
        group.end();
    }
    let median = |of: fn(&Join) -> f64| Spread::of(joins.iter().map(of)).median;
    Ok(Cell {
        nodes,
        join_s_median: median(|join| join.seconds),
        join_s_worst: Spread::of(joins.iter().map(|join| join.seconds)).max,
        join_handshakes: median(|join| join.handshakes),
        join_kb: median(|join| join.kilobytes),
        join_cpu_ms: median(|join| join.cpu_ms),
        first_minute_bytes_s_worst_10s: rate(&first, bytes).1,
        idle_bytes_s: idle.0,
        idle_handshake_bytes_s: rate(&rest, |totals| totals.sent_for[0]).0,
        idle_probe_bytes_s: rate(&rest, |totals| totals.sent_for[1]).0,
        idle_gossip_bytes_s: rate(&rest, |totals| totals.sent_for[2]).0,
        idle_anti_entropy_bytes_s: rate(&rest, |totals| totals.sent_for[3]).0,
        idle_port_check_bytes_s: rate(&rest, |totals| totals.sent_for[4]).0,
        idle_other_bytes_s: rate(&rest, |totals| totals.sent_for[5]).0,
        idle_bytes_s_worst_10s: idle.1,
        idle_datagrams_s: rate(&rest, |totals| totals.datagrams as f64).0,
        idle_handshakes_min: rate(&rest, |totals| totals.handshakes as f64).0 * 60.0,
        idle_connections: last.connections as f64 / nodes as f64,
        idle_cpu_ms_min: rate(&rest, |totals| totals.cpu.as_secs_f64() * 1e3).0 * 60.0,
        rss_kib: (at_rest.resident - before.resident) / nodes as f64,
        anon_kib: (at_rest.anonymous - before.anonymous) / nodes as f64,
        bulk_up_mb_s: bulk.up_mb_s,
        bulk_down_mb_s: bulk.down_mb_s,
        bulk_left_kib: after_bulk.resident - at_rest.resident,
        broadcast_ms: broadcast.as_secs_f64() * 1e3,
        leave_ms: leave.as_secs_f64() * 1e3,
        crash_s: crash.as_secs_f64(),
    })
}

/// So many windows from now on, each with what was done before and after it.
async fn windows(group: &Group, begun: Instant, count: usize) -> Vec<(Totals, Totals)> {
    let mut windows = Vec::new();
    let mut from = group.totals(begun);
    for _ in 0..count {
        sleep(WINDOW).await;
        let to = group.totals(begun);
        windows.push((from, to));
        from = to;
    }
    windows
}

/// The memory of this process, in KiB.
#[derive(Debug, Clone, Copy)]
struct Memory {
    resident: f64,
    anonymous: f64,
}

impl Memory {
    fn now() -> Result<Self> {
        Self::of(Path::new("/proc/self/status"))
    }

    /// That of the process of which this is the status.
    fn of(status: &Path) -> Result<Self> {
        let status = fs::read_to_string(status).context("this system has no /proc")?;
        let kib = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let kib = line.and_then(|text| text.trim().strip_suffix(" kB")?.parse().ok());
            kib.with_context(|| format!("the status of a process has no {name}"))
        };
        Ok(Self { resident: kib("VmRSS:")?, anonymous: kib("RssAnon:")? })
    }
}
