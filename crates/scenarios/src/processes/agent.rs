//! One agent: a process of the program `kinfolk` in a network namespace of its own, with its files,
//! its address and its log.

use std::fs::{self, OpenOptions};
use std::net::Ipv4Addr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::event_history::{EventHistory, LoggedEvent};
use super::view::{self, View};

/// The port of all agents. Each has an address of its own.
pub(super) const PORT: u16 = 7946;

/// Linux gives CPU times to programs in hundredths of a second.
const MILLIS_PER_TICK: u64 = 10;

/// The settings that all agents share.
#[derive(Debug)]
pub(super) struct Program {
    /// The program `kinfolk`.
    pub(super) path: PathBuf,
    /// The folder with the certificates. Each agent keeps its files in it too.
    pub(super) folder: PathBuf,
    /// Whether each agent has a `--state-dir`.
    pub(super) keeps_state: bool,
}

/// The resources of a process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct Usage {
    /// All of its memory, including pages of the program's file.
    pub(super) resident_kib: u64,
    /// The memory that it allocated itself.
    pub(super) anonymous_kib: u64,
    pub(super) descriptors: usize,
}

/// An agent, running or not. Dropping it kills its process.
#[derive(Debug)]
pub(super) struct Agent {
    pub(super) name: String,
    pub(super) addr: Ipv4Addr,
    namespace: String,
    socket: PathBuf,
    log: EventHistory,
    child: Option<Child>,
}

impl Agent {
    /// Makes an agent that does not run yet.
    pub(super) fn new(name: String, addr: Ipv4Addr, namespace: String, folder: &Path) -> Self {
        let log = EventHistory::new(folder.join(format!("{name}.events")));
        let socket = folder.join(format!("{name}.sock"));
        Self { name, addr, namespace, socket, log, child: None }
    }

    /// The address that it listens on.
    pub(super) fn listens_at(&self) -> String {
        format!("{}:{PORT}", self.addr)
    }

    /// Starts an instance.
    pub(super) fn start(&mut self, program: &Program, seeds: &[String]) -> Result<()> {
        let file = |ending: &str| program.folder.join(format!("{}{ending}", self.name));
        let output = OpenOptions::new().append(true).create(true).open(file(".log"))?;
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace]).arg(&program.path).arg("agent");
        command.arg("--cert").arg(file(".pem")).arg("--key").arg(file("-key.pem"));
        command.arg("--ca").arg(program.folder.join("ca.pem")).arg("--socket").arg(&self.socket);
        command.arg("--event-log").arg(self.log.path()).args(["--listen", &self.listens_at()]);
        command.args(["--log-format", "json", "--log-level", "info,kinfolk=debug"]);
        if program.keeps_state {
            command.arg("--state-dir").arg(file(".state"));
        }
        for seed in seeds {
            command.args(["--join", seed]);
        }
        for (name, _) in
            // Settings of the user's environment must not reach the agents.
            std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("KINFOLK_"))
        {
            command.env_remove(name);
        }
        // A process group of its own: Ctrl-C reaches this program only, which then stops the agents
        // and removes their namespaces in order.
        command.process_group(0).stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let child = command.spawn().with_context(|| format!("{} cannot be started", self.name))?;
        self.child = Some(child);
        Ok(())
    }

    /// Whether it has been started, and its end has not been observed.
    pub(super) fn runs(&self) -> bool {
        self.child.is_some()
    }

    /// The process id.
    pub(super) fn process(&self) -> Result<u32> {
        self.child.as_ref().map(Child::id).with_context(|| format!("{} does not run", self.name))
    }

    fn pid(&self) -> Result<Pid> {
        i32::try_from(self.process()?).ok().and_then(Pid::from_raw).context("a process has a number")
    }

    /// Sends it a signal.
    pub(super) fn signal(&self, signal: Signal) -> Result<()> {
        kill_process(self.pid()?, signal).with_context(|| format!("{} cannot be signalled", self.name))
    }

    /// Waits for its end, for at most `limit`.
    pub(super) async fn ended(&mut self, limit: Duration) -> Result<ExitStatus> {
        let until = Instant::now() + limit;
        let child = self.child.as_mut().with_context(|| format!("{} does not run", self.name))?;
        loop {
            if let Some(status) = child.try_wait()? {
                self.child = None;
                return Ok(status);
            }
            if Instant::now() >= until {
                bail!("{} does not end within {limit:?}", self.name);
            }
            // A short interval: the measured time of a leave includes it.
            sleep(Duration::from_millis(2)).await;
        }
    }

    /// The exit status, if it ended although nothing stopped it.
    pub(super) fn ended_by_itself(&mut self) -> Result<Option<ExitStatus>> {
        self.child.as_mut().map_or(Ok(None), |child| Ok(child.try_wait()?))
    }

    /// The cluster as this agent sees it.
    pub(super) async fn view(&self) -> Result<View> {
        view::ask(&self.socket).await.with_context(|| format!("{} was asked for its view", self.name))
    }

    /// Makes this agent announce a maintenance, as `kinfolk maintenance` does.
    pub(super) async fn announce_maintenance(&self, length: Duration) -> Result<()> {
        let asked = view::announce_maintenance(&self.socket, length).await;
        asked.with_context(|| format!("{} was asked for a maintenance", self.name))
    }

    /// All events of its log. Reads the lines that are new.
    pub(super) fn events(&mut self) -> Result<&[LoggedEvent]> {
        self.log.events()
    }

    /// The events that have been read so far. Does not read the file.
    pub(super) fn events_read(&self) -> &[LoggedEvent] {
        self.log.events_read()
    }

    /// The resources that it uses now.
    pub(super) fn usage(&self) -> Result<Usage> {
        let process = Path::new("/proc").join(self.pid()?.as_raw_nonzero().to_string());
        let status = fs::read_to_string(process.join("status"))?;
        let kib = |name: &str| {
            let value = status.lines().find_map(|line| line.strip_prefix(name));
            let number =
                value.and_then(|text| text.trim().strip_suffix(" kB")).and_then(|text| text.parse().ok());
            number.with_context(|| format!("{} has no {name}", self.name))
        };
        let descriptors = fs::read_dir(process.join("fd"))?.count();
        Ok(Usage { resident_kib: kib("VmRSS:")?, anonymous_kib: kib("RssAnon:")?, descriptors })
    }

    /// The CPU time that it has used so far.
    pub(super) fn cpu_time(&self) -> Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process()?))?;
        cpu_time(&stat).with_context(|| format!("{} has no CPU times", self.name))
    }
}

/// The CPU time in a line of `/proc/PID/stat`: the time in user mode and that in the kernel.
fn cpu_time(stat: &str) -> Option<Duration> {
    // The name of the program comes second, in parentheses, and may hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks = fields.split_whitespace().skip(11).take(2).map(|field| field.parse::<u64>().ok());
    ticks.sum::<Option<u64>>().map(|ticks| Duration::from_millis(ticks * MILLIS_PER_TICK))
}

impl Drop for Agent {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // The process may have ended already.
            let _ended = child.kill();
            let _status = child.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_the_sum_of_the_fields_14_and_15() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 100 0 0 0 12 30 5 6 20 0 3 0 99";
        assert_eq!(cpu_time(stat), Some(Duration::from_millis(420)));
        assert_eq!(cpu_time("7 (a"), None);
    }
}
