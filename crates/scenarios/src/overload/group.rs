//! The group that runs under a quota: members in one process. It prints samples as JSON lines, and
//! reads commands from standard input.

use std::io::Write as _;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use kinfolk::{Cluster, ClusterCa, ClusterConfig, ClusterEvent, ClusterId, NodeId, NodeState, Subscription};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::time::{Instant, MissedTickBehavior, interval};

/// How often it prints a sample.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(250);

/// The state of the group at one moment. Counters only rise.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct Sample {
    /// The time since the start of the join, in milliseconds.
    pub(super) at_ms: u64,
    /// The CPU time of the whole process, in milliseconds.
    pub(super) cpu_ms: u64,
    /// The number of members that see all members alive.
    pub(super) see_all: usize,
    /// The number of open connections, counted at both ends.
    pub(super) connections: usize,
    /// The number of successful handshakes, counted at both ends.
    pub(super) handshakes: u64,
    /// The number of started dials.
    pub(super) dials: u64,
    /// The number of failed dials.
    pub(super) dials_failed: u64,
    /// The number of connections that were given up because of a time-out.
    pub(super) unresponsive: u64,
    /// The number of requests that timed out.
    pub(super) timed_out: u64,
    /// The number of reported suspicions. All are false: no member gets a fault.
    pub(super) suspected: u64,
    /// The number of reported failures. All are false too.
    pub(super) failed: u64,
    /// The number of joins that have not ended.
    pub(super) joining: usize,
}

/// Starts the members and prints `ready`. At the line `join` it joins them; then it prints samples
/// until its input ends.
///
/// # Errors
/// A member cannot be started.
pub fn group(members: usize) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(run(members))
}

async fn run(members: usize) -> Result<()> {
    let ca = ClusterCa::create(&ClusterId::new("overload")?)?;
    let start = |n: usize| -> Result<Cluster> {
        let identity = ca.issue(&NodeId::new(&format!("n{n}"))?, Duration::from_hours(24))?;
        Ok(Cluster::start(ClusterConfig::new(identity, "127.0.0.1:0".parse()?))?)
    };
    let group: Vec<Cluster> = (0..members).map(start).collect::<Result<_>>()?;
    let mut events: Vec<Subscription> = group.iter().map(Cluster::subscribe).collect();
    println!("ready");
    let mut commands = BufReader::new(tokio::io::stdin()).lines();
    if commands.next_line().await?.as_deref() != Some("join") {
        bail!("expected the line `join`");
    }
    let begun = Instant::now();
    let seed = group.first().context("there is a member")?.addr().to_string();
    let mut joins = tokio::task::JoinSet::new();
    for member in &group[1..] {
        let (member, seed) = (member.clone(), seed.clone());
        joins.spawn(async move { member.join(&[seed]).await });
    }
    let mut sample = Sample::default();
    let mut ticks = interval(SAMPLE_INTERVAL);
    // Without CPU some ticks are missed. Making up for them later would cost CPU again.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            line = commands.next_line() => if line?.is_none() { return Ok(()) },
            Some(joined) = joins.join_next() => drop(joined?.context("a join failed")?),
            _ = ticks.tick() => {
                sample.at_ms = u64::try_from(begun.elapsed().as_millis())?;
                sample.joining = joins.len();
                measure(&mut sample, &group, &mut events);
                let mut out = std::io::stdout().lock();
                writeln!(out, "{}", serde_json::to_string(&sample)?)?;
                out.flush()?;
            }
        }
    }
}

fn measure(sample: &mut Sample, group: &[Cluster], events: &mut [Subscription]) {
    for event in events.iter_mut().flat_map(|member| std::iter::from_fn(|| member.try_recv())) {
        match event {
            ClusterEvent::NodeFailed { .. } => sample.failed += 1,
            ClusterEvent::NodeSuspected { .. } => sample.suspected += 1,
            _ => {}
        }
    }
    let clock = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    sample.cpu_ms = u64::try_from(clock.tv_sec * 1_000 + clock.tv_nsec / 1_000_000).unwrap_or_default();
    sample.see_all = group
        .iter()
        .filter(|member| {
            member.members().members().filter(|node| node.state == NodeState::Alive).count() == group.len()
        })
        .count();
    let counts = Sample { joining: sample.joining, ..*sample };
    *sample = Sample {
        handshakes: 0,
        dials: 0,
        dials_failed: 0,
        unresponsive: 0,
        timed_out: 0,
        connections: 0,
        ..counts
    };
    for member in group {
        let stats = member.stats();
        sample.connections += stats.pool.total;
        sample.handshakes += stats.transport.handshakes;
        sample.dials += stats.pool.dials;
        sample.dials_failed += stats.pool.dials_failed;
        sample.unresponsive += stats.pool.unresponsive;
        sample.timed_out += stats.transport.requests_timed_out;
    }
}
