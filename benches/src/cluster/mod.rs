//! Measures whole members on loopback: the cost of a join, of idle time, of a crash, of a leave,
//! and of a broadcast, with QUIC and all other parts.

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

/// After this time a join is complete: the neighbours are connected, and its gossip updates have
/// reached all members.
const JOIN_SETTLE_TIME: Duration = Duration::from_secs(5);

/// The length of a window in which an idle group is measured. The names of some figures contain it
/// (`idle_bytes_s_worst_10s`), so a change of the length must rename them.
const WINDOW: Duration = Duration::from_secs(10);

/// After this time a bulk transfer has released its buffers.
const BULK_SETTLE_TIME: Duration = Duration::from_secs(1);

/// How much is measured.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The sizes of groups, each 4 or more.
    pub nodes: Vec<usize>,
    /// The number of joins.
    pub joins: usize,
    /// The number of windows of 10 s in which the idle group is measured. They begin after a
    /// minute.
    pub windows: usize,
}

/// The figures of one size. Bytes include the IP and UDP headers.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Cell {
    /// The number of members.
    nodes: usize,
    /// Seconds until each member sees all others: the median of the joins.
    join_s_median: f64,
    /// The longest of them.
    join_s_worst: f64,
    /// Handshakes of a member for the join, at both ends, neighbours included.
    join_handshakes: f64,
    /// Kilobytes that a member sends for the join.
    join_kb: f64,
    /// CPU time of a member for the join, in milliseconds.
    join_cpu_ms: f64,
    /// Bytes a second that a member sends in the worst window of the first minute.
    first_minute_bytes_s_worst_10s: f64,
    /// Bytes a second that a member sends while the group is idle.
    idle_bytes_s: f64,
    /// Of these bytes: handshakes.
    idle_handshake_bytes_s: f64,
    /// Probes and their answers.
    idle_probe_bytes_s: f64,
    /// Gossip updates in their own messages.
    idle_gossip_bytes_s: f64,
    /// Anti-entropy rounds and other exchanges of views.
    idle_anti_entropy_bytes_s: f64,
    /// Port checks.
    idle_port_check_bytes_s: f64,
    /// The rest.
    idle_other_bytes_s: f64,
    /// All bytes a second, in the worst window.
    idle_bytes_s_worst_10s: f64,
    /// Datagrams a second that a member sends while the group is idle.
    idle_datagrams_s: f64,
    /// Handshakes of a member in an idle minute, at both ends.
    idle_handshakes_min: f64,
    /// Connections of an idle member.
    idle_connections: f64,
    /// CPU time of a member in an idle minute, in milliseconds.
    idle_cpu_ms_min: f64,
    /// Resident memory of an idle member, in KiB.
    rss_kib: f64,
    /// Of this, the anonymous memory, which no file backs.
    anon_kib: f64,
    /// Megabytes a second of a bulk transfer from the member that opened the stream.
    bulk_up_mb_s: f64,
    /// From the member that accepted the stream.
    bulk_down_mb_s: f64,
    /// Resident memory that a bulk transfer leaves behind in both members together, in KiB.
    bulk_left_kib: f64,
    /// Seconds until all members have the event of a crash.
    crash_s: f64,
    /// Milliseconds until all members have the event of a leave.
    leave_ms: f64,
    /// Milliseconds until all members have the event of a broadcast.
    broadcast_ms: f64,
    /// Milliseconds until all members know a new service.
    offer_ms: f64,
    /// Milliseconds of the join of one more member: until it sees all, and all see it. The median.
    join_one_ms: f64,
}

/// How often one more member joins.
const JOINS_OF_ONE: usize = 5;

/// The cost of a join. All but `seconds` is for one member.
#[derive(Debug, Clone, Copy)]
struct Join {
    seconds: f64,
    handshakes: f64,
    kilobytes: f64,
    cpu_ms: f64,
}

/// Starts a group and lets it join. Returns the group, the time of its start, and the cost of the
/// join.
async fn join(nodes: usize) -> Result<(Group, Instant, Join)> {
    let group = Group::start(nodes)?;
    let (begun, spent) = (Instant::now(), cpu_time());
    let seconds = group.join().await?.as_secs_f64();
    sleep(JOIN_SETTLE_TIME.saturating_sub(begun.elapsed())).await;
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

/// Measures one size. The memory figures are those of the process's first group: memory that
/// earlier groups leave behind would be used again by a later group, and not be counted.
async fn measure(nodes: usize, plan: &Plan) -> Result<Cell> {
    let before = Memory::now()?;
    let (mut group, begun, first_join) = join(nodes).await?;
    let mut joins = vec![first_join];
    // Six windows of 10 s are the first minute. In it the group settles, so it is measured apart
    // from the idle time.
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
    let last = rest.last().context("no window was measured")?.1;
    let at_rest = Memory::now()?;
    // These steps come after the idle time, because they change the memory or the members.
    let bulk = group.transfer().await?;
    sleep(BULK_SETTLE_TIME).await;
    let after_bulk = Memory::now()?;
    let broadcast = group.broadcast().await?;
    let offer = group.offer().await?;
    let mut ones = Vec::new();
    for number in 0..JOINS_OF_ONE {
        ones.push(group.join_one(number).await?.as_secs_f64() * 1e3);
    }
    let leave = group.leave().await?;
    let crash = group.crash().await?;
    group.end();
    while joins.len() < plan.joins {
        // Gives the members of the previous group time to end.
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
        offer_ms: offer.as_secs_f64() * 1e3,
        join_one_ms: Spread::of(ones.iter().copied()).median,
        leave_ms: leave.as_secs_f64() * 1e3,
        crash_s: crash.as_secs_f64(),
    })
}

/// Waits for `count` windows. Returns the totals before and after each.
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

    /// The memory of the process whose status file this is.
    fn of(status: &Path) -> Result<Self> {
        let status = fs::read_to_string(status).context("cannot read /proc; this benchmark needs Linux")?;
        let kib = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let kib = line.and_then(|text| text.trim().strip_suffix(" kB")?.parse().ok());
            kib.with_context(|| format!("the status file of a process has no line {name}"))
        };
        Ok(Self { resident: kib("VmRSS:")?, anonymous: kib("RssAnon:")? })
    }
}
