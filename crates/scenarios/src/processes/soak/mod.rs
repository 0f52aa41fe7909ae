//! The soak: agents under random faults from a seed, one after the other, for a given time. After
//! each fault all agents must come to the same view. At the end the checker reads all event logs.

mod random_fault;
mod summary;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use tokio::time::sleep;

use super::agent::Usage;
use super::cluster::{AgentCluster, DEADLINE};
use super::outcome::millis;
use super::{Completion, folder, is_skipped, keep, until_interrupted};
use random_fault::RandomFault;
use summary::{AgentUsage, Summary};

/// How long the soak lasts, and its other options.
#[derive(Debug, Clone)]
pub struct SoakOptions {
    /// The program `kinfolk`.
    pub agent: PathBuf,
    /// How long faults are made.
    pub lasts: Duration,
    /// The number of agents, at least 5.
    pub agents: usize,
    /// The seed of all random choices.
    pub seed: u64,
    /// Print the summary as one JSON object on standard output.
    pub json: bool,
    /// Keep the agents' files also of a soak that passed.
    pub keep: bool,
}

/// The number of agents that are never ended. Only their memory shows the growth of a process in
/// the long run.
pub(super) const LONG_RUNNING: usize = 3;

/// The maximum time before the first measurement; it is a third of the whole time. A process grows
/// until it has met every kind of fault a few times, as the course of its memory shows.
const WARM_UP_MAX: Duration = Duration::from_mins(10);

/// The number of measurements after that.
const PARTS: u32 = 6;

/// How long the agents are left alone before a measurement.
const QUIET: Duration = Duration::from_secs(5);

/// Makes random faults for agents, and prints a summary.
///
/// # Errors
/// An agent reported a failure that was not real, views stay different, or an agent ends by itself.
pub fn soak(options: &SoakOptions) -> Result<Completion> {
    if is_skipped("soak") {
        return Ok(Completion::Skipped);
    }
    until_interrupted(async {
        let folder = folder("soak")?;
        let mut soak = Soak {
            cluster: AgentCluster::new(
                &options.agent,
                folder.path().to_owned(),
                options.agents,
                options.seed,
            )?,
            summary: Summary::new(options),
            begun: Instant::now(),
        };
        let done = soak.run(options).await;
        let Soak { mut cluster, mut summary, .. } = soak;
        let findings = cluster.check()?;
        summary.events = findings.events;
        summary.false_reports = findings.false_reports;
        summary.broken.extend(findings.broken);
        drop(cluster);
        eprintln!("{summary}");
        if options.json {
            println!("{}", serde_json::to_string(&summary)?);
        }
        let passed = done.is_ok() && summary.passed();
        if !passed || options.keep {
            keep(folder);
        }
        done.with_context(|| format!("the soak ended early; seed {}", options.seed))?;
        if !passed {
            bail!("the soak is broken; seed {}", options.seed);
        }
        Ok(Completion::Complete)
    })
}

struct Soak {
    cluster: AgentCluster,
    summary: Summary,
    begun: Instant,
}

impl Soak {
    async fn run(&mut self, options: &SoakOptions) -> Result<()> {
        self.cluster.start_all().await?;
        let warm = self.begun + (options.lasts / 3).min(WARM_UP_MAX);
        self.faults_until(warm).await?;
        let first = self.usage().await?;
        let mut last = first.clone();
        let rest = options.lasts.saturating_sub(self.begun.elapsed());
        for part in 1..=PARTS {
            self.faults_until(self.begun + options.lasts.saturating_sub(rest / PARTS * (PARTS - part)))
                .await?;
            last = self.usage().await?;
        }
        self.summary.divergences_at_end = u32::from(
            self.cluster.settle(DEADLINE).await?.map_err(|why| self.summary.broken.push(why)).is_err(),
        );
        let pairs = first.into_iter().zip(last).enumerate();
        self.summary.usage = pairs
            .map(|(node, (first, last))| AgentUsage {
                agent: self.cluster.name(node),
                is_long_running: node < LONG_RUNNING,
                first,
                last,
            })
            .collect();
        Ok(())
    }

    async fn faults_until(&mut self, end: Instant) -> Result<()> {
        while Instant::now() < end {
            let fault = RandomFault::draw(&mut self.cluster);
            *self.summary.faults.entry(fault.name()).or_default() += 1;
            eprintln!("{:>6.0} s  {fault}", self.begun.elapsed().as_secs_f64());
            fault.make(&mut self.cluster).await?;
            match self.cluster.settle(DEADLINE).await? {
                Ok(took) => self.summary.converged(millis(took), &fault.to_string()),
                Err(why) => self.summary.broken.push(format!("after {fault}: {why} for {DEADLINE:?}")),
            }
            // Up to 3 s without a fault, by chance.
            let calm = Duration::from_secs(1).mul_f64(3.0 * self.cluster.rng.unit());
            sleep(calm).await;
        }
        Ok(())
    }

    /// The resources of each agent, measured after [`QUIET`].
    async fn usage(&mut self) -> Result<Vec<Usage>> {
        sleep(QUIET).await;
        let all = (0..self.cluster.size())
            .map(|node| self.cluster.agent(node).usage())
            .collect::<Result<Vec<_>>>()?;
        let sum = |part: fn(&Usage) -> u64| all.iter().take(LONG_RUNNING).map(part).sum();
        self.summary
            .long_running_kib
            .push((sum(|usage| usage.resident_kib), sum(|usage| usage.anonymous_kib)));
        Ok(all)
    }
}
