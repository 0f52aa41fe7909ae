//! Agents: each a process of the program `kinfolk`, all in a network namespace that this makes and
//! removes. Their event logs say what they do, `/proc` says what they take, and the counters of the
//! namespace say what they send.

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

use super::{JOINED_AFTER, Plan, WINDOW};
use crate::numbers::Spread;

const LOOKED_EVERY: Duration = Duration::from_millis(20);

/// Beyond what anything here takes on the slowest machine.
const LIMIT: Duration = Duration::from_mins(2);

/// The figures of one size.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Cell {
    nodes: usize,
    /// Seconds until all see all, from the start of the first process: median and worst of the joins.
    join_s_median: f64,
    join_s_worst: f64,
    /// Kilobytes that an agent sends for the join, headers included.
    join_kb: f64,
    /// CPU of an agent for its start and the join.
    join_cpu_ms: f64,
    /// CPU of one agent alone until it listens.
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
    let place = Place::make(program, nodes)?;
    let start_cpu_ms = place.start_alone().await?;
    let (mut joins, mut kilobytes, mut cpu, mut formed) = (Vec::new(), Vec::new(), Vec::new(), None);
    let per_node = |count: u64| count as f64 / nodes as f64;
    for _ in 0..plan.joins.max(1) {
        drop(formed.take());
        let (mut town, before) = (Town::begin(&place)?, Place::sent()?);
        joins.push(town.whole().await?.as_secs_f64());
        sleep(JOINED_AFTER.saturating_sub(town.begun.elapsed())).await;
        kilobytes.push(per_node(Place::sent()?.bytes - before.bytes) / 1e3);
        cpu.push(town.cpu()?.as_secs_f64() * 1e3 / nodes as f64);
        formed = Some(town);
    }
    let mut town = formed.context("there is a join")?;
    sleep(Duration::from_mins(1).saturating_sub(town.begun.elapsed())).await;
    let (begun, spent, first) = (Instant::now(), town.cpu()?, Place::sent()?);
    let (mut rates, mut from, mut at) = (Vec::new(), first, Instant::now());
    for _ in 0..plan.windows.max(1) {
        sleep(WINDOW).await;
        let to = Place::sent()?;
        rates.push(per_node(to.bytes - from.bytes) / at.elapsed().as_secs_f64());
        (from, at) = (to, Instant::now());
    }
    let seconds = begun.elapsed().as_secs_f64();
    let idle_cpu = town.cpu()?.saturating_sub(spent).as_secs_f64() * 1e3 / nodes as f64;
    let (resident, anonymous) = town.memory()?;
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
        leave_ms: town.end_last(Signal::TERM, "node_left").await?.as_secs_f64() * 1e3,
        crash_s: town.end_last(Signal::KILL, "node_failed").await?.as_secs_f64(),
    })
}

/// A network namespace with a loopback device. This process and all that it starts are in it. Dropping it
/// removes it.
pub struct Namespace(String);

impl Namespace {
    /// Makes one and moves into it. Threads follow that begin after this.
    ///
    /// # Errors
    /// When there is no right to do so, or no `ip` of iproute2.
    pub fn enter() -> Result<Self> {
        let name = format!("kinfolk-bench-{}", std::process::id());
        run(Command::new("ip").args(["netns", "add", &name]))
            .context("agents need a network namespace: run this as root, with `ip` of iproute2")?;
        let namespace = Self(name);
        run(Command::new("ip").args(["-n", &namespace.0, "link", "set", "lo", "up"]))?;
        let file = File::open(Path::new("/run/netns").join(&namespace.0))?;
        move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))?;
        Ok(namespace)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // What is left of a run that failed is told by `ip netns` itself.
        let _told = run(Command::new("ip").args(["netns", "del", &self.0]));
    }
}

/// A folder with everybody's certificates, which goes when it is dropped.
struct Place {
    program: PathBuf,
    folder: PathBuf,
    nodes: usize,
}

/// What the namespace has carried. IP and UDP headers are in the bytes.
#[derive(Debug, Clone, Copy)]
struct Carried {
    bytes: u64,
    datagrams: u64,
}

impl Place {
    fn make(program: &Path, nodes: usize) -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("kinfolk-bench-{}", std::process::id()));
        fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        let place = Self { program: program.to_owned(), folder, nodes };
        run(Command::new(program).args(["ca", "init", "--cluster", "bench"]).arg(&place.folder))?;
        for node in 0..nodes {
            run(Command::new(program).args(["ca", "issue"]).arg(&place.folder).arg(format!("n{node}")))?;
        }
        Ok(place)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn start(&self, node: usize, seed: Option<usize>) -> Result<Agent> {
        let file = |ending: &str| self.file(&format!("n{node}{ending}"));
        let log = file(".events");
        // What an earlier group told says nothing of this one.
        File::create(&log).with_context(|| format!("{} cannot be made", log.display()))?;
        let addr = |node: usize| format!("127.0.0.1:{}", 20_000 + node);
        let mut command = Command::new(&self.program);
        command.arg("agent").arg("--cert").arg(file(".pem")).arg("--key").arg(file("-key.pem"));
        command.arg("--ca").arg(self.file("ca.pem")).arg("--socket").arg(file(".sock"));
        command.arg("--event-log").arg(&log).args(["--listen", &addr(node), "--log-level", "warn"]);
        if let Some(seed) = seed {
            command.args(["--join", &addr(seed)]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child =
            command.spawn().with_context(|| format!("{} cannot be started", self.program.display()))?;
        Ok(Agent { child, log: Log::open(&log)? })
    }

    /// The CPU that one agent alone takes until it listens, in milliseconds: the median of some.
    async fn start_alone(&self) -> Result<f64> {
        let mut taken = Vec::new();
        for _ in 0..5 {
            let mut agent = self.start(0, None)?;
            let begun = Instant::now();
            while agent.log.lines()?.is_empty() {
                ensure!(begun.elapsed() < LIMIT, "an agent does not start");
                sleep(LOOKED_EVERY).await;
            }
            sleep(LOOKED_EVERY * 5).await;
            taken.push(agent.cpu()?.as_secs_f64() * 1e3);
        }
        Ok(Spread::of(taken).median)
    }

    fn sent() -> Result<Carried> {
        let table = fs::read_to_string("/proc/net/dev").context("this system has no /proc")?;
        let line = table.lines().find_map(|line| line.trim().strip_prefix("lo:"));
        let numbers: Vec<u64> = line
            .into_iter()
            .flat_map(str::split_whitespace)
            .filter_map(|number| number.parse().ok())
            .collect();
        // Eight numbers of what was received, then bytes and packets that were sent.
        let (&bytes, &datagrams) = numbers.get(8).zip(numbers.get(9)).context("/proc/net/dev has no lo")?;
        Ok(Carried { bytes, datagrams })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What is left of a run that failed is a few small files.
        let _gone = fs::remove_dir_all(&self.folder);
    }
}

/// Agents that have been started at once, and join through the first.
struct Town {
    agents: Vec<Agent>,
    begun: Instant,
    begun_unix_ms: u64,
}

impl Town {
    fn begin(place: &Place) -> Result<Self> {
        let (begun, begun_unix_ms) = (Instant::now(), unix_ms());
        let seed = |node: usize| (node > 0).then_some(0);
        let agents = (0..place.nodes).map(|node| place.start(node, seed(node))).collect::<Result<_>>()?;
        Ok(Self { agents, begun, begun_unix_ms })
    }

    /// The time until all see all.
    async fn whole(&mut self) -> Result<Duration> {
        let others = self.agents.len() - 1;
        let last = self.told("node_joined", others).await?;
        Ok(Duration::from_millis(last.saturating_sub(self.begun_unix_ms)))
    }

    /// When the last agent told such an event for so many members.
    async fn told(&mut self, kind: &str, count: usize) -> Result<u64> {
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
                "not all agents have told {count} times `{kind}` within {LIMIT:?}: {}",
                self.behind(kind, count)
            );
            sleep(LOOKED_EVERY).await;
        }
    }

    /// Who has told less than that, and how the process stands.
    fn behind(&mut self, kind: &str, count: usize) -> String {
        let told = |agent: &Agent| agent.log.lines.iter().filter(|line| line.kind == kind).count();
        let behind = self.agents.iter_mut().enumerate().filter(|(_, agent)| told(agent) < count);
        let shown =
            behind.map(|(n, agent)| format!("n{n} told {} ({:?})", told(agent), agent.child.try_wait()));
        shown.collect::<Vec<_>>().join(", ")
    }

    /// Sends the last agent this signal. Gives the time until every other one has told of its end.
    async fn end_last(&mut self, signal: Signal, kind: &str) -> Result<Duration> {
        let agent = self.agents.pop().context("there is an agent")?;
        let begun = unix_ms();
        agent.signal(signal)?;
        let last = self.told(kind, 1).await?;
        Ok(Duration::from_millis(last.saturating_sub(begun)))
    }

    fn cpu(&self) -> Result<Duration> {
        self.agents.iter().map(Agent::cpu).sum()
    }

    /// Resident and anonymous memory of an agent in KiB, on average.
    fn memory(&self) -> Result<(f64, f64)> {
        let memory: Vec<(f64, f64)> = self.agents.iter().map(Agent::memory).collect::<Result<_>>()?;
        let mean = |of: fn(&(f64, f64)) -> f64| memory.iter().map(of).sum::<f64>() / memory.len() as f64;
        Ok((mean(|memory| memory.0), mean(|memory| memory.1)))
    }
}

/// A process. It is killed when it is dropped.
struct Agent {
    child: Child,
    log: Log,
}

impl Agent {
    fn signal(&self, signal: Signal) -> Result<()> {
        let pid =
            i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).context("a process has a number")?;
        Ok(kill_process(pid, signal)?)
    }

    fn proc(&self, file: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{file}", self.child.id()))
    }

    /// The time that its threads have been on a core.
    fn cpu(&self) -> Result<Duration> {
        let mut nanos = 0;
        for task in fs::read_dir(self.proc("task"))? {
            // A thread may end at this moment.
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
        // Both fail only if it has ended already.
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// One line of an event log.
#[derive(Deserialize)]
struct Line {
    unix_ms: u64,
    kind: String,
}

/// An agent's event log, as far as it has been read.
struct Log {
    file: File,
    lines: Vec<Line>,
    /// The beginning of a line.
    rest: Vec<u8>,
}

impl Log {
    fn open(path: &Path) -> Result<Self> {
        Ok(Self { file: File::open(path)?, lines: Vec::new(), rest: Vec::new() })
    }

    /// All whole lines so far.
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

/// Runs a program to its end, and gives what it said.
fn run(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("{command:?} cannot be started"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?} failed: {}", said.trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
