//! Measures agents. Each agent is a process of the program `kinfolk`. All are in one network
//! namespace, which this module makes and removes. Their event logs show what they do, `/proc`
//! shows their CPU time and memory, and the counters of the namespace show what they send.

use std::fs::{self, File};
use std::io::Read as _;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use super::{JOIN_SETTLE_TIME, Plan, WINDOW};
use crate::numbers::Spread;

/// The time between two reads of the event logs.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// The time limit of each wait: longer than any step takes on the slowest machine.
const LIMIT: Duration = Duration::from_mins(2);

/// The figures of one size.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Cell {
    nodes: usize,
    /// Seconds from the start of the first process until all agents see all others: the median of
    /// the joins.
    join_s_median: f64,
    /// The longest of them.
    join_s_worst: f64,
    /// Kilobytes that an agent sends for the join, with IP and UDP headers.
    join_kb: f64,
    /// CPU time of an agent for its start and the join, in milliseconds.
    join_cpu_ms: f64,
    /// CPU time of a single agent until it listens, in milliseconds.
    start_cpu_ms: f64,
    idle_bytes_s: f64,
    idle_bytes_s_worst_10s: f64,
    idle_datagrams_s: f64,
    idle_cpu_ms_min: f64,
    rss_kib: f64,
    anon_kib: f64,
    crash_s: f64,
    leave_ms: f64,
}

/// Measures one size.
pub(super) async fn measure(program: &Path, nodes: usize, plan: &Plan) -> Result<Cell> {
    let setup = Setup::make(program, nodes)?;
    let start_cpu_ms = setup.start_alone().await?;
    let (mut joins, mut kilobytes, mut cpu, mut formed) = (Vec::new(), Vec::new(), Vec::new(), None);
    let per_node = |count: u64| count as f64 / nodes as f64;
    for _ in 0..plan.joins.max(1) {
        // The agents of the next join use the same ports and files.
        drop(formed.take());
        let (mut group, before) = (AgentGroup::begin(&setup)?, Setup::sent()?);
        joins.push(group.complete().await?.as_secs_f64());
        sleep(JOIN_SETTLE_TIME.saturating_sub(group.begun.elapsed())).await;
        kilobytes.push(per_node(Setup::sent()?.bytes - before.bytes) / 1e3);
        cpu.push(group.cpu()?.as_secs_f64() * 1e3 / nodes as f64);
        formed = Some(group);
    }
    let mut group = formed.context("no join was measured")?;
    // The group settles for one minute, before its idle time is measured.
    sleep(Duration::from_mins(1).saturating_sub(group.begun.elapsed())).await;
    let (begun, spent, first) = (Instant::now(), group.cpu()?, Setup::sent()?);
    let (mut rates, mut from, mut at) = (Vec::new(), first, Instant::now());
    for _ in 0..plan.windows.max(1) {
        sleep(WINDOW).await;
        let to = Setup::sent()?;
        rates.push(per_node(to.bytes - from.bytes) / at.elapsed().as_secs_f64());
        (from, at) = (to, Instant::now());
    }
    let seconds = begun.elapsed().as_secs_f64();
    let idle_cpu = group.cpu()?.saturating_sub(spent).as_secs_f64() * 1e3 / nodes as f64;
    let (resident, anonymous) = group.memory()?;
    Ok(Cell {
        nodes,
        join_s_median: Spread::of(joins.iter().copied()).median,
        join_s_worst: Spread::of(joins).max,
        join_kb: Spread::of(kilobytes).median,
        join_cpu_ms: Spread::of(cpu).median,
        start_cpu_ms,
        idle_bytes_s: per_node(from.bytes - first.bytes) / seconds,
        idle_bytes_s_worst_10s: Spread::of(rates).max,
        idle_datagrams_s: per_node(from.datagrams - first.datagrams) / seconds,
        idle_cpu_ms_min: idle_cpu / seconds * 60.0,
        rss_kib: resident,
        anon_kib: anonymous,
        leave_ms: group.end_last(Signal::TERM, "node_left").await?.as_secs_f64() * 1e3,
        crash_s: group.end_last(Signal::KILL, "node_failed").await?.as_secs_f64(),
    })
}

/// A network namespace with a loopback device. This process and all processes that it starts are in
/// it. A drop removes the namespace.
pub struct Namespace(String);

impl Namespace {
    /// Makes a namespace and moves this thread into it. Threads that start later are in it too.
    ///
    /// # Errors
    /// When this process is not root, or `ip` of iproute2 is missing.
    pub fn enter() -> Result<Self> {
        let name = format!("kinfolk-bench-{}", std::process::id());
        run(Command::new("ip").args(["netns", "add", &name])).context(
            "cannot make a network namespace for the agents; run this as root, and install iproute2",
        )?;
        let namespace = Self(name);
        run(Command::new("ip").args(["-n", &namespace.0, "link", "set", "lo", "up"]))?;
        let file = File::open(Path::new("/run/netns").join(&namespace.0))?;
        move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))?;
        Ok(namespace)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // If this fails, `ip netns` lists the namespace that is left.
        let _ignored = run(Command::new("ip").args(["netns", "del", &self.0]));
    }
}

/// What a group of agents needs: the program, and a folder with the certificates of all agents. A
/// drop removes the folder.
struct Setup {
    program: PathBuf,
    folder: PathBuf,
    nodes: usize,
}

/// What all agents have sent. The bytes include IP and UDP headers.
#[derive(Debug, Clone, Copy)]
struct Sent {
    bytes: u64,
    datagrams: u64,
}

impl Setup {
    fn make(program: &Path, nodes: usize) -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("kinfolk-bench-{}", std::process::id()));
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let setup = Self { program: program.to_owned(), folder, nodes };
        run(Command::new(program).args(["ca", "init", "--cluster", "bench"]).arg(&setup.folder))?;
        for node in 0..nodes {
            run(Command::new(program).args(["ca", "issue"]).arg(&setup.folder).arg(format!("n{node}")))?;
        }
        Ok(setup)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn start(&self, node: usize, seed: Option<usize>) -> Result<Agent> {
        let file = |ending: &str| self.file(&format!("n{node}{ending}"));
        let log = file(".events");
        // This empties the log: the events of an earlier group would count for this group.
        File::create(&log).with_context(|| format!("cannot make {}", log.display()))?;
        let addr = |node: usize| format!("127.0.0.1:{}", 20_000 + node);
        let mut command = Command::new(&self.program);
        command.arg("agent").arg("--cert").arg(file(".pem")).arg("--key").arg(file("-key.pem"));
        command.arg("--ca").arg(self.file("ca.pem")).arg("--socket").arg(file(".sock"));
        command.arg("--event-log").arg(&log).args(["--listen", &addr(node), "--log-level", "warn"]);
        if let Some(seed) = seed {
            command.args(["--join", &addr(seed)]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().with_context(|| format!("cannot start {}", self.program.display()))?;
        Ok(Agent { child, log: Log::open(&log)? })
    }

    /// The CPU time of a single agent until it listens, in milliseconds: the median of five starts.
    async fn start_alone(&self) -> Result<f64> {
        let mut taken = Vec::new();
        for _ in 0..5 {
            let mut agent = self.start(0, None)?;
            let begun = Instant::now();
            while agent.log.lines()?.is_empty() {
                ensure!(begun.elapsed() < LIMIT, "an agent did not start within {LIMIT:?}");
                sleep(POLL_INTERVAL).await;
            }
            sleep(POLL_INTERVAL * 5).await;
            taken.push(agent.cpu()?.as_secs_f64() * 1e3);
        }
        Ok(Spread::of(taken).median)
    }

    /// What the agents have sent so far, from the counters of the loopback device.
    fn sent() -> Result<Sent> {
        let table = fs::read_to_string("/proc/net/dev")
            .context("cannot read /proc/net/dev; this benchmark needs Linux")?;
        let line = table.lines().find_map(|line| line.trim().strip_prefix("lo:"));
        let numbers: Vec<u64> = line
            .into_iter()
            .flat_map(str::split_whitespace)
            .filter_map(|number| number.parse().ok())
            .collect();
        // Eight counters of received traffic come first, then the sent bytes and the sent packets.
        let (&bytes, &datagrams) =
            numbers.get(8).zip(numbers.get(9)).context("/proc/net/dev has no line for lo")?;
        Ok(Sent { bytes, datagrams })
    }
}

impl Drop for Setup {
    fn drop(&mut self) {
        // After an error only a few small files stay behind.
        let _ignored = fs::remove_dir_all(&self.folder);
    }
}

/// Agents that start together and join through the first agent.
struct AgentGroup {
    agents: Vec<Agent>,
    begun: Instant,
    begun_unix_ms: u64,
}

impl AgentGroup {
    fn begin(setup: &Setup) -> Result<Self> {
        let (begun, begun_unix_ms) = (Instant::now(), unix_ms());
        let seed = |node: usize| (node > 0).then_some(0);
        let agents = (0..setup.nodes).map(|node| setup.start(node, seed(node))).collect::<Result<_>>()?;
        Ok(Self { agents, begun, begun_unix_ms })
    }

    /// Waits until each agent has reported the join of all others. Returns the time since the
    /// start.
    async fn complete(&mut self) -> Result<Duration> {
        let others = self.agents.len() - 1;
        let last = self.event_time("node_joined", others).await?;
        Ok(Duration::from_millis(last.saturating_sub(self.begun_unix_ms)))
    }

    /// Waits until each agent has reported `count` events of this kind. Returns the time of the
    /// last of these events in Unix milliseconds.
    async fn event_time(&mut self, kind: &str, count: usize) -> Result<u64> {
        let begun = Instant::now();
        loop {
            let mut last = Some(0);
            for agent in &mut self.agents {
                let mut of_kind = agent.log.lines()?.iter().filter(|line| line.kind == kind);
                last = last.zip(of_kind.nth(count - 1)).map(|(last, line)| last.max(line.unix_ms));
            }
            if let Some(last) = last {
                return Ok(last);
            }
            ensure!(
                begun.elapsed() < LIMIT,
                "not all agents reported {count} events `{kind}` within {LIMIT:?}: {}",
                self.behind(kind, count)
            );
            sleep(POLL_INTERVAL).await;
        }
    }

    /// The agents with fewer than `count` events of this kind, and whether their processes run.
    fn behind(&mut self, kind: &str, count: usize) -> String {
        let reported = |agent: &Agent| agent.log.lines.iter().filter(|line| line.kind == kind).count();
        let behind = self.agents.iter_mut().enumerate().filter(|(_, agent)| reported(agent) < count);
        let shown = behind
            .map(|(n, agent)| format!("n{n} reported {} ({:?})", reported(agent), agent.child.try_wait()));
        shown.collect::<Vec<_>>().join(", ")
    }

    /// Sends this signal to the last agent. Returns the time until each other agent has reported an
    /// event of this kind.
    async fn end_last(&mut self, signal: Signal, kind: &str) -> Result<Duration> {
        let agent = self.agents.pop().context("the group has no agent")?;
        let begun = unix_ms();
        agent.signal(signal)?;
        let last = self.event_time(kind, 1).await?;
        Ok(Duration::from_millis(last.saturating_sub(begun)))
    }

    /// The CPU time of all agents together.
    fn cpu(&self) -> Result<Duration> {
        self.agents.iter().map(Agent::cpu).sum()
    }

    /// The mean resident and anonymous memory of an agent, in KiB.
    fn memory(&self) -> Result<(f64, f64)> {
        let memory: Vec<(f64, f64)> = self.agents.iter().map(Agent::memory).collect::<Result<_>>()?;
        let mean = |of: fn(&(f64, f64)) -> f64| memory.iter().map(of).sum::<f64>() / memory.len() as f64;
        Ok((mean(|memory| memory.0), mean(|memory| memory.1)))
    }
}

/// An agent's process. A drop kills it.
struct Agent {
    child: Child,
    log: Log,
}

impl Agent {
    fn signal(&self, signal: Signal) -> Result<()> {
        let pid = i32::try_from(self.child.id())
            .ok()
            .and_then(Pid::from_raw)
            .context("the number of the process is not valid")?;
        Ok(kill_process(pid, signal)?)
    }

    fn proc(&self, file: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{file}", self.child.id()))
    }

    /// The CPU time of the agent's threads. `schedstat` counts in nanoseconds, and an agent's start
    /// takes only some milliseconds.
    fn cpu(&self) -> Result<Duration> {
        let mut nanos = 0;
        for task in fs::read_dir(self.proc("task"))? {
            // A thread may end between the listing and this read.
            let Ok(times) = fs::read_to_string(task?.path().join("schedstat")) else { continue };
            nanos += times.split_whitespace().next().and_then(|time| time.parse::<u64>().ok()).unwrap_or(0);
        }
        Ok(Duration::from_nanos(nanos))
    }

    fn memory(&self) -> Result<(f64, f64)> {
        let memory = super::Memory::of(&self.proc("status"))?;
        Ok((memory.resident, memory.anonymous))
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // Both fail only if the process has ended already.
        let _ignored = self.child.kill();
        let _ignored = self.child.wait();
    }
}

/// A line of an event log.
#[derive(Deserialize)]
struct Line {
    unix_ms: u64,
    kind: String,
}

/// An agent's event log, and the lines that were read so far.
struct Log {
    file: File,
    lines: Vec<Line>,
    /// The start of a line that the agent has not written completely.
    rest: Vec<u8>,
}

impl Log {
    fn open(path: &Path) -> Result<Self> {
        Ok(Self { file: File::open(path)?, lines: Vec::new(), rest: Vec::new() })
    }

    /// Reads new lines. Returns all complete lines so far.
    fn lines(&mut self) -> Result<&[Line]> {
        self.file.read_to_end(&mut self.rest)?;
        let whole = self.rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        for line in self.rest[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            self.lines.push(serde_json::from_slice(line)?);
        }
        self.rest.drain(..whole);
        Ok(&self.lines)
    }
}

/// Runs a program to its end. Returns its standard output.
fn run(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot start {command:?}"))?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?} failed: {}", error.trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
