//! The soak: agents under random faults from a seed, one after the other, for as long as one likes. After each fault all must
//! see the same again; at the end all that was told is judged by what was done.

mod summary;
mod trouble;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use tokio::time::sleep;

use super::agent::Usage;
use super::outcome::millis;
use super::town::{DEADLINE, Town};
use super::{Played, folder, is_skipped, keep, until_interrupted};
use summary::{AgentUsage, Summary};
use trouble::Trouble;

/// How long to go on, and with what.
#[derive(Debug, Clone)]
pub struct SoakOptions {
    /// The program `kinfolk`.
    pub agent: PathBuf,
    /// For how long there are faults.
    pub lasts: Duration,
    /// How many agents, at least 5.
    pub agents: usize,
    /// The seed of all choices.
    pub seed: u64,
    /// One JSON object as the last line of standard output.
    pub json: bool,
    /// Keeps the agents' files.
    pub keep: bool,
}

/// The first so many agents are never ended, so that what a process comes to take in the long run can be seen.
pub(super) const VETERANS: usize = 3;

/// Before the first measurement the agents run for a third of the time, but at most for this long: a process grows until it has
/// met every kind of trouble a few times, as the course of its memory shows.
const WARM_UP_MAX: Duration = Duration::from_mins(10);

/// From then on they are measured so many times.
const PARTS: u32 = 6;

/// How long nothing is done to the agents before they are measured.
const QUIET: Duration = Duration::from_secs(5);

/// Puts agents under random faults, and prints what came of it.
///
/// # Errors
/// When a failure was told that was none, views stay different, or an agent ends by itself.
pub fn soak(options: &SoakOptions) -> Result<Played> {
    if is_skipped("soak") {
        return Ok(Played::Skipped);
    }
    until_interrupted(async {
        let folder = folder("soak")?;
        let mut soak = Soak {
            town: Town::new(&options.agent, folder.path().to_owned(), options.agents, options.seed)?,
            summary: Summary::new(options),
            begun: Instant::now(),
        };
        let lived = soak.live(options).await;
        let Soak { mut town, mut summary, .. } = soak;
        let findings = town.judge()?;
        summary.events = findings.events;
        summary.false_reports = findings.false_reports;
        summary.broken.extend(findings.broken);
        drop(town);
        eprintln!("{summary}");
        if options.json {
            println!("{}", serde_json::to_string(&summary)?);
        }
        let is_sound = lived.is_ok() && summary.is_sound();
        if !is_sound || options.keep {
            keep(folder);
        }
        lived.with_context(|| format!("the soak ended early; seed {}", options.seed))?;
        if !is_sound {
            bail!("the soak is broken; seed {}", options.seed);
        }
        Ok(Played::Whole)
    })
}

struct Soak {
    town: Town,
    summary: Summary,
    begun: Instant,
}

impl Soak {
    async fn live(&mut self, options: &SoakOptions) -> Result<()> {
        self.town.start_all().await?;
        let warm = self.begun + (options.lasts / 3).min(WARM_UP_MAX);
        self.trouble_until(warm).await?;
        let first = self.usage().await?;
        let mut last = first.clone();
        let rest = options.lasts.saturating_sub(self.begun.elapsed());
        for part in 1..=PARTS {
            self.trouble_until(self.begun + options.lasts.saturating_sub(rest / PARTS * (PARTS - part)))
                .await?;
            last = self.usage().await?;
        }
        self.summary.divergences_at_end = u32::from(
            self.town.settle(DEADLINE).await?.map_err(|why| self.summary.broken.push(why)).is_err(),
        );
        let pairs = first.into_iter().zip(last).enumerate();
        self.summary.usage = pairs
            .map(|(node, (first, last))| AgentUsage {
                agent: self.town.name(node),
                veteran: node < VETERANS,
                first,
                last,
            })
            .collect();
        Ok(())
    }

    async fn trouble_until(&mut self, end: Instant) -> Result<()> {
        while Instant::now() < end {
            let trouble = Trouble::draw(&mut self.town);
            *self.summary.troubles.entry(trouble.name()).or_default() += 1;
            eprintln!("{:>6.0} s  {trouble}", self.begun.elapsed().as_secs_f64());
            trouble.make(&mut self.town).await?;
            match self.town.settle(DEADLINE).await? {
                Ok(took) => self.summary.converged(millis(took), &trouble.to_string()),
                Err(why) => self.summary.broken.push(format!("after {trouble}: {why} for {DEADLINE:?}")),
            }
            let calm = Duration::from_secs(1).mul_f64(3.0 * self.town.rng.unit());
            sleep(calm).await;
        }
        Ok(())
    }

    /// What each agent takes, when nothing has been done to it for a while.
    async fn usage(&mut self) -> Result<Vec<Usage>> {
        sleep(QUIET).await;
        let all =
            (0..self.town.size()).map(|node| self.town.agent(node).usage()).collect::<Result<Vec<_>>>()?;
        let sum = |part: fn(&Usage) -> u64| all.iter().take(VETERANS).map(part).sum();
        self.summary.veterans_kib.push((sum(|usage| usage.resident_kib), sum(|usage| usage.anonymous_kib)));
        Ok(all)
    }
}
