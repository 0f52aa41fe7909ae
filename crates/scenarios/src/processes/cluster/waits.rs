//! Waits for the views and the reports of the agents, and the check of all reports.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::time::{Instant, sleep};

use super::AgentCluster;
use crate::processes::checker::{Findings, check, only_event};
use crate::processes::event_history::Kind;
use crate::processes::faults::Nodes;
use crate::processes::view::difference;

/// How often a wait checks its condition.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

impl AgentCluster {
    /// Waits until all running agents have the same view, which holds exactly these agents. Returns
    /// how long that took, or the difference that remains at the limit.
    pub(in crate::processes) async fn settle(&mut self, limit: Duration) -> Result<Result<Duration, String>> {
        let all: Nodes = self.running().into_iter().filter(|node| !self.paused.contains(node)).collect();
        self.settle_among(&all, limit).await
    }

    /// As [`settle`](Self::settle), for a part of the agents. Their view must hold only that part.
    pub(in crate::processes) async fn settle_among(
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
    pub(in crate::processes) async fn all_report(
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
    pub(in crate::processes) fn check(&mut self) -> Result<Findings> {
        for agent in &mut self.agents {
            agent.events()?;
        }
        let logs: Vec<_> = self.agents.iter().map(|agent| (&*agent.name, agent.events_read())).collect();
        Ok(check(&logs, &self.truth))
    }

    /// How often `observers` reported a failure of one another since `since`.
    pub(in crate::processes) fn failures_among(&mut self, observers: &Nodes, since: u64) -> Result<u64> {
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
    pub(in crate::processes) fn any_running(&mut self) -> Result<usize> {
        let running: Vec<usize> = self.running().into_iter().collect();
        running.get(self.rng.below(running.len())).copied().context("no agent runs")
    }
}
