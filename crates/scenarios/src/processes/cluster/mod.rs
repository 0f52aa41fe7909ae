//! The agents of a run on their network, and what can be done to them. Every fault is recorded in
//! the [`Truth`] when it is made.

mod network;
mod waits;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use kinfolk_core::Rng;
use rustix::process::Signal;
use tokio::time::Instant;

use super::agent::{Agent, PORT, Program};
use super::attacker::Attacker;
use super::command::run;
use super::event_history::{Kind, unix_ms};
use super::faults::{Nodes, port};
use super::lan::{Lan, first_addr};
use super::member::Member;
use super::outcome::millis;
use super::truth::{By, Truth};
use crate::quota::Quota;

/// The agents' default of `tolerated_pause`: a shorter stall never counts as a failure.
pub(super) const TOLERATED_PAUSE: Duration = Duration::from_secs(5);

/// The time limit of each wait: more than any step takes on the slowest machine.
pub(super) const DEADLINE: Duration = Duration::from_mins(1);

/// Agents on a network. Dropping it ends the agents and removes the network.
pub(super) struct AgentCluster {
    // The order of the fields matters: the agents end before their namespaces are removed.
    agents: Vec<Agent>,
    lan: Lan,
    program: Program,
    truth: Truth,
    /// For each agent the windows of the truth that its current fault has opened.
    open_windows: BTreeMap<usize, Vec<usize>>,
    paused: Nodes,
    /// The CPU limit of all agents together, once there was one. It is removed when no agent is in
    /// it any more, so it comes after the agents.
    quota: Option<Quota>,
    /// Random choices, from the seed of the run.
    pub(super) rng: Rng,
}

impl AgentCluster {
    /// Makes a network, and a CA and certificates for `agents` agents, none of which runs yet.
    /// Their files are in `folder`.
    pub(super) fn new(program: &Path, folder: PathBuf, agents: usize, seed: u64) -> Result<Self> {
        let kinfolk = program.to_str().context("the program's path is UTF-8")?;
        let authority = folder.to_str().context("the folder's path is UTF-8")?;
        run(kinfolk, &["ca", "init", authority, "--cluster", "chaos"], "")?;
        let lan = Lan::new(agents)?;
        let mut made = Vec::new();
        for node in 0..agents {
            let name = port(node);
            run(kinfolk, &["ca", "issue", authority, &name], "")?;
            made.push(Agent::new(name, first_addr(node), lan.namespace(node).to_owned(), &folder));
        }
        let program = Program { path: program.to_owned(), folder, keeps_state: false };
        let (truth, open_windows) = (Truth::default(), BTreeMap::new());
        let rng = Rng::from_seed(seed);
        Ok(Self { agents: made, lan, program, truth, open_windows, paused: Nodes::new(), quota: None, rng })
    }

    /// Gives each agent a state directory from its next start on.
    ///
    /// # Errors
    /// The program has no such setting.
    pub(super) fn keep_state(&mut self) -> Result<(), &'static str> {
        // --agent may name a program of another version.
        let help = self.kinfolk(&["agent", "--help"]).unwrap_or_default();
        if !help.contains("--state-dir") {
            return Err("the agent has no --state-dir");
        }
        self.program.keeps_state = true;
        Ok(())
    }

    /// The number of agents, running or not.
    pub(super) fn size(&self) -> usize {
        self.agents.len()
    }

    /// The name of an agent.
    pub(super) fn name(&self, node: usize) -> String {
        self.agents[node].name.clone()
    }

    /// The agent of this number.
    pub(super) fn agent(&mut self, node: usize) -> &mut Agent {
        &mut self.agents[node]
    }

    /// All agents that run, paused ones included.
    pub(super) fn running(&self) -> Nodes {
        (0..self.size()).filter(|&node| self.agents[node].runs()).collect()
    }

    /// All agents that run and are not paused, except `node`.
    pub(super) fn others(&self, node: usize) -> Nodes {
        self.running().into_iter().filter(|other| *other != node && !self.paused.contains(other)).collect()
    }

    /// The current addresses of the first three agents.
    pub(super) fn seeds(&self) -> Vec<String> {
        self.agents.iter().take(3).map(Agent::listens_at).collect()
    }

    /// Starts an agent. That ends the fault that it had.
    pub(super) fn start(&mut self, node: usize, seeds: &[String]) -> Result<()> {
        self.agents[node].start(&self.program, seeds)?;
        // A new process is outside of the control group.
        self.enter_quota(node)?;
        self.end_fault(node);
        Ok(())
    }

    /// Limits the CPU that all agents have together, in cores, also of those that start later.
    /// `None` removes the limit.
    ///
    /// # Errors
    /// This system has no CPU control groups.
    pub(super) fn limit_cpu(&mut self, cores: Option<f64>) -> Result<()> {
        if self.quota.is_none() {
            self.quota = Some(Quota::new()?);
            for node in self.running() {
                self.enter_quota(node)?;
            }
        }
        self.quota.as_ref().map_or(Ok(()), |quota| quota.set(cores))
    }

    fn enter_quota(&self, node: usize) -> Result<()> {
        self.quota.as_ref().map_or(Ok(()), |quota| quota.take(self.agents[node].process()?))
    }

    /// Starts a process that lies about all agents, in a namespace of its own and with a
    /// certificate of the cluster. It may fail or leave at any time.
    pub(super) fn start_attacker(&mut self, name: &str) -> Result<Attacker> {
        let folder = &self.program.folder;
        self.kinfolk(&["ca", "issue", &folder.to_string_lossy(), name])?;
        let node = self.lan.add_node()?;
        let listen = format!("{}:{PORT}", first_addr(node));
        for kind in [Kind::NodeFailed, Kind::NodeLeft] {
            self.truth.allow(kind, name, By::All, unix_ms());
        }
        let victims = self.agents.iter().map(|agent| format!("{}={}", agent.name, agent.listens_at()));
        Attacker::start(name, (self.lan.namespace(node), &listen), folder, victims)
    }

    /// Starts a member with the library embedded in the place of each agent. Each gets a folder of
    /// its own for its files.
    pub(super) fn start_embedded(&self) -> Result<Vec<Member>> {
        let named = self.agents.iter().map(|agent| (agent.name.clone(), agent.listens_at()));
        let all: Vec<(String, String)> = named.collect();
        let start = |(node, (name, listen)): (usize, &(String, String))| {
            let folder = self.program.folder.join(name);
            fs::create_dir(&folder)?;
            for file in [format!("{name}.pem"), format!("{name}-key.pem")] {
                fs::rename(self.program.folder.join(&file), folder.join(&file))?;
            }
            fs::copy(self.program.folder.join("ca.pem"), folder.join("ca.pem"))?;
            Member::start(name, (self.lan.namespace(node), listen), folder, &all)
        };
        all.iter().enumerate().map(start).collect()
    }

    /// The folder of the run. The authority is in it.
    pub(super) fn folder(&self) -> &Path {
        &self.program.folder
    }

    /// Runs the program `kinfolk` to its end. Returns its standard output.
    pub(super) fn kinfolk(&self, args: &[&str]) -> Result<String> {
        run(&self.program.path.to_string_lossy(), args, "")
    }

    /// Starts all agents and waits until each sees all of them.
    pub(super) async fn start_all(&mut self) -> Result<Duration> {
        self.begin_all()?;
        self.settle(DEADLINE).await?.map_err(|why| anyhow::anyhow!("the cluster does not form: {why}"))
    }

    /// Starts all agents at once.
    pub(super) fn begin_all(&mut self) -> Result<()> {
        let seeds = self.seeds();
        (0..self.size()).try_for_each(|node| self.start(node, &seeds))
    }

    /// Kills an agent with SIGKILL. Returns the time of the kill.
    pub(super) async fn kill(&mut self, node: usize) -> Result<u64> {
        // The time before the signal: a report may come at the very moment of the kill.
        let at = unix_ms();
        self.allow(node, Kind::NodeFailed, By::All, at);
        self.agents[node].signal(Signal::KILL)?;
        self.paused.remove(&node);
        self.agents[node].ended(DEADLINE).await?;
        Ok(at)
    }

    /// Kills all agents with SIGKILL. It does not wait in between, so that none of them can report
    /// the end of another one.
    pub(super) async fn kill_all(&mut self) -> Result<()> {
        let (at, running) = (unix_ms(), self.running());
        for &node in &running {
            self.allow(node, Kind::NodeFailed, By::All, at);
            self.agents[node].signal(Signal::KILL)?;
        }
        self.paused.clear();
        for node in running {
            self.agents[node].ended(DEADLINE).await?;
        }
        Ok(())
    }

    /// Makes an agent leave, and waits for its end. Returns the time of the signal, and how long
    /// the end took.
    pub(super) async fn leave(&mut self, node: usize) -> Result<(u64, Duration)> {
        let (at, begun) = (unix_ms(), Instant::now());
        self.allow(node, Kind::NodeLeft, By::All, at);
        self.agents[node].signal(Signal::TERM)?;
        let status = self.agents[node].ended(DEADLINE).await?;
        if !status.success() {
            bail!("{} left with {status}", self.name(node));
        }
        Ok((at, begun.elapsed()))
    }

    /// Stops an agent's process with SIGSTOP. Returns the time.
    pub(super) fn pause(&mut self, node: usize) -> Result<u64> {
        let at = unix_ms();
        self.silence(node, By::All, at);
        self.agents[node].signal(Signal::STOP)?;
        self.paused.insert(node);
        Ok(at)
    }

    /// Announces a maintenance of this length, and stops the agent's process with SIGSTOP. Within
    /// that time no member may report a failure. Returns the time.
    pub(super) async fn pause_in_maintenance(&mut self, node: usize, length: Duration) -> Result<u64> {
        self.agents[node].announce_maintenance(length).await?;
        let at = unix_ms();
        self.allow(node, Kind::NodeFailed, By::All, at + millis(length));
        self.agents[node].signal(Signal::STOP)?;
        self.paused.insert(node);
        Ok(at)
    }

    /// Continues an agent's process with SIGCONT. Returns the time.
    pub(super) fn resume(&mut self, node: usize) -> Result<u64> {
        self.agents[node].signal(Signal::CONT)?;
        self.paused.remove(&node);
        self.end_fault(node);
        Ok(unix_ms())
    }
}
