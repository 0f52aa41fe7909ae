//! The summary of a soak, as text and as JSON.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::SoakOptions;
use crate::processes::agent::Usage;

/// The memory of the long-running agents may grow by less than this many percent.
const GROWTH_BAR_PERCENT: f64 = 5.0;

/// The result of a soak.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Summary {
    pub(super) minutes: f64,
    pub(super) agents: usize,
    pub(super) seed: u64,
    /// How often each kind of fault was made.
    pub(super) faults: BTreeMap<&'static str, u32>,
    /// The number of events in the logs of all agents.
    pub(super) events: usize,
    /// Reports of failures and leaves that were not real.
    pub(super) false_reports: Vec<String>,
    /// All other violations.
    pub(super) broken: Vec<String>,
    /// The longest time from the end of a fault until all agents had the same view, and that fault.
    pub(super) slowest_convergence_ms: u64,
    pub(super) slowest_after: String,
    /// 1 if the views differed at the end, else 0.
    pub(super) divergences_at_end: u32,
    /// The memory of the long-running agents together, at each measurement: resident, and allocated
    /// by themselves.
    pub(super) long_running_kib: Vec<(u64, u64)>,
    /// The resources of each agent at the first and at the last measurement.
    pub(super) usage: Vec<AgentUsage>,
}

/// The resources of one agent.
#[derive(Debug, Clone, Serialize)]
pub(super) struct AgentUsage {
    pub(super) agent: String,
    /// Whether it was never ended, so that both measurements are of the same process.
    pub(super) is_long_running: bool,
    pub(super) first: Usage,
    pub(super) last: Usage,
}

impl Summary {
    pub(super) fn new(options: &SoakOptions) -> Self {
        Self {
            minutes: options.lasts.as_secs_f64() / 60.0,
            agents: options.agents,
            seed: options.seed,
            ..Self::default()
        }
    }

    /// Whether there is no violation. The resources do not count: they are printed for the reader
    /// to judge.
    pub(super) fn passed(&self) -> bool {
        self.false_reports.is_empty() && self.broken.is_empty()
    }

    /// Records how long the views took to become the same after a fault.
    pub(super) fn converged(&mut self, ms: u64, after: &str) {
        if ms >= self.slowest_convergence_ms {
            self.slowest_convergence_ms = ms;
            after.clone_into(&mut self.slowest_after);
        }
    }

    /// The growth of the memory of the long-running agents, in percent.
    fn growth_percent(&self) -> Option<f64> {
        let long_running = || self.usage.iter().filter(|usage| usage.is_long_running);
        let first: u64 = long_running().map(|usage| usage.first.resident_kib).sum();
        let last: u64 = long_running().map(|usage| usage.last.resident_kib).sum();
        (first > 0).then(|| (last as f64 / first as f64 - 1.0) * 100.0)
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "soak of {:.1} min, {} agents, seed {}", self.minutes, self.agents, self.seed)?;
        let faults: Vec<String> = self.faults.iter().map(|(name, count)| format!("{name} {count}")).collect();
        writeln!(f, "    faults                {}", faults.join(", "))?;
        writeln!(f, "    events logged         {}", self.events)?;
        writeln!(f, "    false reports         {}", self.false_reports.len())?;
        writeln!(f, "    other violations      {}", self.broken.len())?;
        writeln!(f, "    slowest convergence   {} ms, {}", self.slowest_convergence_ms, self.slowest_after)?;
        writeln!(f, "    divergences at end    {}", self.divergences_at_end)?;
        if let Some(growth) = self.growth_percent() {
            let met = if growth < GROWTH_BAR_PERCENT { "yes" } else { "NO" };
            writeln!(f, "    long-running growth   {growth:+.1} %, below {GROWTH_BAR_PERCENT} %: {met}")?;
        }
        let course = |part: fn(&(u64, u64)) -> u64| {
            self.long_running_kib.iter().map(|kib| part(kib).to_string()).collect::<Vec<_>>().join(" ")
        };
        writeln!(f, "      resident KiB        {}", course(|kib| kib.0))?;
        writeln!(f, "      allocated KiB       {}", course(|kib| kib.1))?;
        writeln!(f, "    agent  first KiB last KiB  first descriptors    last")?;
        for AgentUsage { agent, is_long_running, first, last } in &self.usage {
            let word = if *is_long_running { "  long-running" } else { "" };
            writeln!(
                f,
                "    {agent:<6}{:>10}{:>9}{:>19}{:>9}{word}",
                first.resident_kib, last.resident_kib, first.descriptors, last.descriptors
            )?;
        }
        self.false_reports.iter().chain(&self.broken).try_for_each(|line| writeln!(f, "    ! {line}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(is_long_running: bool, first: u64, last: u64) -> AgentUsage {
        let usage = |resident_kib| Usage { resident_kib, anonymous_kib: 1, descriptors: 9 };
        AgentUsage { agent: "n01".to_owned(), is_long_running, first: usage(first), last: usage(last) }
    }

    #[test]
    fn growth_counts_only_long_running_agents() {
        let mut summary = Summary::default();
        assert_eq!(summary.growth_percent(), None);
        summary.usage =
            vec![usage(true, 1_000, 1_040), usage(true, 1_000, 1_000), usage(false, 1_000, 9_000)];
        assert_eq!(summary.growth_percent().map(f64::round), Some(2.0));
        assert!(summary.to_string().contains("+2.0 %, below 5 %: yes"), "{summary}");
    }

    #[test]
    fn slowest_convergence_is_kept_with_its_fault() {
        let mut summary = Summary::default();
        summary.converged(10, "a kill");
        summary.converged(30, "a pause");
        summary.converged(20, "loss");
        assert_eq!((summary.slowest_convergence_ms, summary.slowest_after.as_str()), (30, "a pause"));
    }
}
