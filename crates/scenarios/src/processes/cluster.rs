//! The agents of a run on their network, and what can be done to them. Every fault is recorded in
//! the [`Truth`] when it is made.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use kinfolk_core::Rng;
use rustix::process::Signal;
use tokio::time::{Instant, sleep};

use super::agent::{Agent, PORT, Program};
use super::attacker::Attacker;
use super::checker::{Findings, check, only_event};
use super::command::run;
use super::event_history::{Kind, unix_ms};
use super::faults::{Faults, Nodes, port};
use super::lan::{Lan, first_addr, second_addr};
use super::member::Member;
use super::outcome::millis;
use super::truth::{By, Truth};
use super::view::difference;
use crate::quota::Quota;

/// The agents' default of `tolerated_pause`: a shorter stall never counts as a failure.
pub(super) const TOLERATED_PAUSE: Duration = Duration::from_secs(5);

/// The time limit of each wait: more than any step takes on the slowest machine.
pub(super) const DEADLINE: Duration = Duration::from_mins(1);

/// How often a wait checks its condition.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

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

    /// Takes an agent's link down, or up again. Returns the time.
    pub(super) fn link(&mut self, node: usize, up: bool) -> Result<u64> {
        let at = unix_ms();
        // The window opens before the fault is made, so that no right report counts as false.
        if !up {
            self.silence(node, By::All, at);
        }
        self.lan.link(node, up)?;
        if up {
            self.end_fault(node);
        }
        Ok(at)
    }

    /// Changes the faults of the network. Members that are deaf or mute may then be reported as
    /// failed. The members of each side of a partition may be reported by the other side. Returns
    /// the time.
    pub(super) fn network(&mut self, change: impl FnOnce(&mut Faults)) -> Result<u64> {
        let before = self.lan.faults().clone();
        let mut after = before.clone();
        change(&mut after);
        let at = unix_ms();
        let cut = |faults: &Faults| &faults.deaf | &faults.mute;
        for node in &cut(&after) - &cut(&before) {
            self.silence(node, By::All, at);
        }
        if let Some((left, right)) = after.partition.as_ref().filter(|_| before.partition.is_none()) {
            for (subjects, observers) in [(left, right), (right, left)] {
                let observers = By::These(observers.iter().map(|&node| self.name(node)).collect());
                for &node in subjects {
                    self.silence(node, observers.clone(), at);
                }
            }
        }
        self.lan.set(after.clone())?;
        let healed = before.partition.as_ref().filter(|_| after.partition.is_none());
        let sides = healed.into_iter().flat_map(|(left, right)| left | right).collect::<Nodes>();
        for node in &(&cut(&before) - &cut(&after)) | &sides {
            self.end_fault(node);
        }
        // After the heal, verdicts of one side also reach the members of the other side, before the
        // refutations reach all. So they may report these failures too, for a short time.
        for &node in &sides {
            self.allow(node, Kind::NodeFailed, By::All, at);
            self.end_fault(node);
        }
        Ok(at)
    }

    /// Makes `node` resolve `name` to the current address of `host`.
    pub(super) fn name_host(&self, node: usize, name: &str, host: usize) -> Result<()> {
        self.lan.name_host(node, name, self.agents[host].addr)
    }

    /// Gives another address to an agent that does not run.
    pub(super) fn renumber(&mut self, node: usize) -> Result<()> {
        let (from, to) = (self.agents[node].addr, second_addr(node));
        self.lan.renumber(node, from, to)?;
        self.agents[node].addr = to;
        Ok(())
    }

    /// Allows reports of a failure from the tolerated pause on: a shorter silence is no failure.
    fn silence(&mut self, node: usize, by: By, at: u64) {
        let tolerated = u64::try_from(TOLERATED_PAUSE.as_millis()).unwrap_or(u64::MAX);
        self.allow(node, Kind::NodeFailed, by, at + tolerated);
    }

    fn allow(&mut self, node: usize, kind: Kind, by: By, from: u64) {
        let window = self.truth.allow(kind, &self.agents[node].name, by, from);
        self.open_windows.entry(node).or_default().push(window);
    }

    fn end_fault(&mut self, node: usize) {
        let at = unix_ms();
        for window in self.open_windows.remove(&node).unwrap_or_default() {
            self.truth.end(window, at);
        }
    }

    /// Waits until all running agents have the same view, which holds exactly these agents. Returns
    /// how long that took, or the difference that remains at the limit.
    pub(super) async fn settle(&mut self, limit: Duration) -> Result<Result<Duration, String>> {
        let all: Nodes = self.running().into_iter().filter(|node| !self.paused.contains(node)).collect();
        self.settle_among(&all, limit).await
    }

    /// As [`settle`](Self::settle), for a part of the agents. Their view must hold only that part.
    pub(super) async fn settle_among(
        &mut self,
        nodes: &Nodes,
        limit: Duration,
    ) -> Result<Result<Duration, String>> {
        let begun = Instant::now();
        loop {
            let differs = self.differs(nodes).await?;
            match differs {
                None => return Ok(Ok(begun.elapsed())),
                Some(why) if begun.elapsed() >= limit => return Ok(Err(why)),
                Some(_) => sleep(POLL_INTERVAL * 4).await,
            }
        }
    }

    /// The difference between the views of these agents, which should hold exactly each other.
    async fn differs(&mut self, nodes: &Nodes) -> Result<Option<String>> {
        let expected: Vec<String> = nodes.iter().map(|&node| self.name(node)).collect();
        let mut views = Vec::new();
        for &node in nodes {
            // A crash of an agent is not a difference of views: end the run at once.
            if let Some(status) = self.agents[node].ended_by_itself()? {
                bail!(
                    "{} ended by itself ({status}); see {}",
                    self.name(node),
                    self.program.folder.display()
                );
            }
            match self.agents[node].view().await {
                Ok(view) => views.push((self.name(node), view)),
                // The agent may still be starting. Try again until the limit.
                Err(error) => return Ok(Some(format!("{error:#}"))),
            }
        }
        Ok(difference(&views, &expected))
    }

    /// Waits until each of `observers` has reported an event of `kind` about `subject` since
    /// `since`. Returns the time of the last report. The inner error says which agent reported it
    /// twice, or not within the limit.
    pub(super) async fn all_report(
        &mut self,
        observers: &Nodes,
        kind: Kind,
        subject: usize,
        since: u64,
        limit: Duration,
    ) -> Result<Result<u64, String>> {
        let (subject, begun) = (self.name(subject), Instant::now());
        let mut missing = observers.clone();
        let mut last = since;
        while !missing.is_empty() {
            for node in missing.clone() {
                match only_event(self.agents[node].events()?, kind, &subject, since) {
                    Ok(at) => {
                        last = last.max(at);
                        missing.remove(&node);
                    }
                    Err(0) => {}
                    Err(times) => {
                        return Ok(Err(format!(
                            "{} reported {kind:?} about {subject} {times} times",
                            self.name(node)
                        )));
                    }
                }
            }
            if !missing.is_empty() && begun.elapsed() >= limit {
                let names: Vec<String> = missing.iter().map(|&node| self.name(node)).collect();
                return Ok(Err(format!(
                    "not reported within {limit:?}: {kind:?} about {subject}, by {}",
                    names.join(" ")
                )));
            }
            sleep(POLL_INTERVAL).await;
        }
        Ok(Ok(last))
    }

    /// Checks the event logs of all agents against what was done to them.
    pub(super) fn check(&mut self) -> Result<Findings> {
        for agent in &mut self.agents {
            agent.events()?;
        }
        let logs: Vec<_> = self.agents.iter().map(|agent| (&*agent.name, agent.events_read())).collect();
        Ok(check(&logs, &self.truth))
    }

    /// How often `observers` reported a failure of one another since `since`.
    pub(super) fn failures_among(&mut self, observers: &Nodes, since: u64) -> Result<u64> {
        let names: BTreeSet<String> = observers.iter().map(|&node| self.name(node)).collect();
        let mut count = 0;
        for &node in observers {
            let events = self.agents[node].events()?.iter();
            let failures = events.filter(|event| event.kind == Kind::NodeFailed && event.unix_ms >= since);
            count += failures.filter(|event| names.contains(&event.subject)).count() as u64;
        }
        Ok(count)
    }

    /// A random running agent.
    pub(super) fn any_running(&mut self) -> Result<usize> {
        let running: Vec<usize> = self.running().into_iter().collect();
        running.get(self.rng.below(running.len())).copied().context("no agent runs")
    }
}
