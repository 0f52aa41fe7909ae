//! One agent: a process of the program `kinfolk` in a namespace of its own, with its files, its address and its log.

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

use super::told::{EventLog, Told};
use super::view::{self, View};

/// The port that all agents listen on, each at its own address.
pub(super) const PORT: u16 = 7946;

/// What all agents have in common.
#[derive(Debug)]
pub(super) struct Program {
    /// The program `kinfolk`.
    pub(super) path: PathBuf,
    /// The folder with the certificates, in which each agent has its files.
    pub(super) folder: PathBuf,
    /// Whether it keeps what it knows in a `--state-dir`.
    pub(super) keeps_state: bool,
}

/// What a process takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct Usage {
    /// All of its memory, with what is read from the program's file.
    pub(super) resident_kib: u64,
    /// What it has asked for itself.
    pub(super) anonymous_kib: u64,
    pub(super) descriptors: usize,
}

/// An agent, running or not. It is killed when it is dropped.
#[derive(Debug)]
pub(super) struct Agent {
    pub(super) name: String,
    pub(super) addr: Ipv4Addr,
    namespace: String,
    socket: PathBuf,
    log: EventLog,
    child: Option<Child>,
}

impl Agent {
    /// An agent that does not run yet.
    pub(super) fn new(name: String, addr: Ipv4Addr, namespace: String, folder: &Path) -> Self {
        let log = EventLog::new(folder.join(format!("{name}.events")));
        let socket = folder.join(format!("{name}.sock"));
        Self { name, addr, namespace, socket, log, child: None }
    }

    /// Where it listens.
    pub(super) fn listens_at(&self) -> String {
        format!("{}:{PORT}", self.addr)
    }

    /// Begins a life.
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
            std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("KINFOLK_"))
        {
            command.env_remove(name);
        }
        // In a process group of its own, so that Ctrl-C ends the run in good order and not the agents before it.
        command.process_group(0).stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let child = command.spawn().with_context(|| format!("{} cannot be started", self.name))?;
        self.child = Some(child);
        Ok(())
    }

    /// Whether it has been started and its end has not been seen.
    pub(super) fn runs(&self) -> bool {
        self.child.is_some()
    }

    /// The number of its process.
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

    /// Waits for its end.
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
            sleep(Duration::from_millis(2)).await;
        }
    }

    /// Whether it ended without having been told to, and how.
    pub(super) fn ended_by_itself(&mut self) -> Result<Option<ExitStatus>> {
        self.child.as_mut().map_or(Ok(None), |child| Ok(child.try_wait()?))
    }

    /// The cluster as it sees it.
    pub(super) async fn view(&self) -> Result<View> {
        view::ask(&self.socket).await.with_context(|| format!("{} was asked for its view", self.name))
    }

    /// All that it told so far.
    pub(super) fn told(&mut self) -> Result<&[Told]> {
        self.log.told()
    }

    /// All that it had told when it was last asked.
    pub(super) fn told_before(&self) -> &[Told] {
        self.log.told_before()
    }

    /// What it takes now.
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
}

impl Drop for Agent {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may have ended already.
            let _gone = child.kill();
            let _status = child.wait();
        }
    }
}
