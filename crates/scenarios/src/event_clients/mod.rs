//! Many clients of one agent's event stream, half of which stop reading. The agent may neither
//! probe late nor hold their events, and each slow client must learn what it lost.
//!
//! The agents are real processes on the loopback interface, in real time. As in
//! [`processes`](crate::processes), nothing of the product is used but its program.

mod client;
mod group;

use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::task::JoinSet;
use tokio::time::sleep;

use client::{Client, Told};
use group::{Group, Sample};

/// How much anonymous memory one client may cost, in bytes: its task, its connection, the 16 KiB
/// that wait for it, and what the allocator adds.
const BYTES_PER_CLIENT: u64 = 48 * 1024;
/// What the agent may need besides: the events that it keeps, and the requests of this program.
const BYTES_BESIDES: u64 = 4 * 1024 * 1024;
/// The payload of each event. It takes a thousand bytes with its frame.
const PAYLOAD_BYTES: usize = 900;
/// The time between two events.
const PACE: Duration = Duration::from_millis(8);
/// The time limit of a client, from its connection to its end.
const CLIENT_LIMIT: Duration = Duration::from_mins(5);

/// What to run.
#[derive(Debug, Clone)]
pub struct EventClientsOptions {
    /// The program `kinfolk` to test.
    pub agent: PathBuf,
    /// The number of clients.
    pub clients: usize,
    /// The number of events that are sent while half of them do not read.
    pub events: usize,
}

/// What was measured.
#[derive(Debug, Clone)]
pub struct EventClientsReport {
    clients: usize,
    events: usize,
    before: Sample,
    peak_bytes: u64,
    after: Sample,
    readers: Told,
    stalled: Told,
    stalled_told: usize,
    took: Duration,
}

/// Runs it.
///
/// # Errors
/// The agents do not start, a probe is late or fails, memory is over its bound, or a client was not
/// told what it lost.
pub fn event_clients(options: &EventClientsOptions) -> Result<EventClientsReport> {
    // Each client is a file. The usual soft limit of 1,024 is too low for a thousand clients.
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })
        .context("cannot raise the limit of open files; raise it by `ulimit -n`")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(measure(options))
}

async fn measure(options: &EventClientsOptions) -> Result<EventClientsReport> {
    let group = Group::start(&options.agent).await?;
    let before = group.sample().await?;
    let begun = Instant::now();
    let (mut readers, mut stalled) = (JoinSet::new(), Vec::new());
    for number in 0..options.clients {
        let client = Client::connect(group.socket()).await?;
        if number % 2 == 0 {
            readers.spawn(tokio::time::timeout(CLIENT_LIMIT, client.read_to_last()));
        } else {
            // From here on it reads nothing.
            stalled.push(client);
        }
    }
    let payload = "x".repeat(PAYLOAD_BYTES);
    let mut peak_bytes = 0;
    for number in 0..options.events {
        group.send_event("load", &payload).await?;
        if number % 50 == 0 {
            peak_bytes = peak_bytes.max(group.anonymous_bytes()?);
        }
        sleep(PACE).await;
    }
    group.send_event("last", "").await?;
    let mut read = Told::default();
    while let Some(told) = readers.join_next().await {
        read.add(told???);
    }
    peak_bytes = peak_bytes.max(group.anonymous_bytes()?);
    // Now the slow clients read on.
    let (mut late, mut lost, mut told_count) = (JoinSet::new(), Told::default(), 0);
    for client in stalled {
        late.spawn(tokio::time::timeout(CLIENT_LIMIT, client.read_to_last()));
    }
    while let Some(told) = late.join_next().await {
        let told = told???;
        told_count += usize::from(told.lost > 0 && told.snapshots == 2);
        lost.add(told);
    }
    let report = EventClientsReport {
        clients: options.clients,
        events: options.events,
        before,
        peak_bytes,
        after: group.sample().await?,
        readers: read,
        stalled: lost,
        stalled_told: told_count,
        took: begun.elapsed(),
    };
    println!("{report}");
    report.check().map(|()| report)
}

impl EventClientsReport {
    fn check(&self) -> Result<()> {
        let (before, after) = (&self.before, &self.after);
        ensure!(before.probes < after.probes, "the agent did not probe meanwhile");
        ensure!(after.late == before.late, "probes were late or failed: {before:?}, then {after:?}");
        let bound = before.bytes + BYTES_BESIDES + BYTES_PER_CLIENT * self.clients as u64;
        ensure!(self.peak_bytes <= bound, "{} bytes of memory, and the bound is {bound}", self.peak_bytes);
        let slow = self.clients / 2;
        ensure!(self.stalled_told == slow, "{} of {slow} slow clients were told", self.stalled_told);
        // Each event reached each client, or was counted as lost.
        let all = slow * (self.events + 1);
        ensure!(
            self.stalled.accounts_for(all),
            "of {all} events the slow clients know of {:?}",
            self.stalled
        );
        Ok(())
    }
}

impl fmt::Display for EventClientsReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        let Self { clients, events, before, after, .. } = self;
        writeln!(
            f,
            "{clients} clients, half of which stopped reading; {events} events in {:.1} s",
            self.took.as_secs_f64()
        )?;
        writeln!(
            f,
            "memory     {:.1} MiB before, {:.1} MiB at most, {:.1} MiB after",
            mib(before.bytes),
            mib(self.peak_bytes),
            mib(after.bytes)
        )?;
        writeln!(
            f,
            "probes     {} made, {} late or failed",
            after.probes - before.probes,
            after.late - before.late
        )?;
        writeln!(f, "readers    {} events read, {} lost", self.readers.events, self.readers.lost)?;
        write!(
            f,
            "slow ones  {} events read, {} lost; {} of {} were told",
            self.stalled.events,
            self.stalled.lost,
            self.stalled_told,
            clients / 2
        )
    }
}
