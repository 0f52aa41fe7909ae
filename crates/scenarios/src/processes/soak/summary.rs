//! What a soak came to, as text and as JSON.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::SoakOptions;
use crate::processes::agent::Usage;

/// The memory of a veteran may grow by this part of a hundred.
const GROWTH_BAR_PERCENT: f64 = 5.0;

/// A soak's result.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Summary {
    pub(super) minutes: f64,
    pub(super) agents: usize,
    pub(super) seed: u64,
    /// How often each kind of trouble was made.
    pub(super) troubles: BTreeMap<&'static str, u32>,
    /// How many events all agents told.
    pub(super) events: usize,
    /// Failures and leaves told of members to which nothing of the kind had been done.
    pub(super) false_reports: Vec<String>,
    /// Everything else that must not be.
    pub(super) broken: Vec<String>,
    /// The longest time from the end of a trouble until all saw the same, and which trouble that was.
    pub(super) slowest_convergence_ms: u64,
    pub(super) slowest_after: String,
    /// 1 if the views were not the same at the end.
    pub(super) divergences_at_end: u32,
    /// What the veterans took together in the course of the time, beginning when warm: resident, and asked for by themselves.
    pub(super) veterans_kib: Vec<(u64, u64)>,
    /// What each agent took when warm and at the end.
    pub(super) usage: Vec<AgentUsage>,
}

/// What one agent took.
#[derive(Debug, Clone, Serialize)]
pub(super) struct AgentUsage {
    pub(super) agent: String,
    /// Whether it was never ended: then both measurements are of the same process.
    pub(super) veteran: bool,
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

    /// Whether nothing is broken. What the agents take is told, and judged by who reads it.
    pub(super) fn is_sound(&self) -> bool {
        self.false_reports.is_empty() && self.broken.is_empty()
    }

    /// All saw the same again so long after the end of a trouble.
    pub(super) fn converged(&mut self, ms: u64, after: &str) {
        if ms >= self.slowest_convergence_ms {
            self.slowest_convergence_ms = ms;
            after.clone_into(&mut self.slowest_after);
        }
    }

    /// By how much the memory of the veterans has grown, in parts of a hundred.
    fn growth_percent(&self) -> Option<f64> {
        let veterans = || self.usage.iter().filter(|usage| usage.veteran);
        let first: u64 = veterans().map(|usage| usage.first.resident_kib).sum();
        let last: u64 = veterans().map(|usage| usage.last.resident_kib).sum();
        (first > 0).then(|| (last as f64 / first as f64 - 1.0) * 100.0)
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "soak of {:.1} min, {} agents, seed {}", self.minutes, self.agents, self.seed)?;
        let troubles: Vec<String> =
            self.troubles.iter().map(|(name, count)| format!("{name} {count}")).collect();
        writeln!(f, "    troubles              {}", troubles.join(", "))?;
        writeln!(f, "    events told           {}", self.events)?;
        writeln!(f, "    false reports         {}", self.false_reports.len())?;
        writeln!(f, "    broken otherwise      {}", self.broken.len())?;
        writeln!(f, "    slowest convergence   {} ms, {}", self.slowest_convergence_ms, self.slowest_after)?;
        writeln!(f, "    divergences at end    {}", self.divergences_at_end)?;
        if let Some(growth) = self.growth_percent() {
            let met = if growth < GROWTH_BAR_PERCENT { "yes" } else { "NO" };
            writeln!(f, "    memory of veterans    {growth:+.1} %, below {GROWTH_BAR_PERCENT} %: {met}")?;
        }
        let course = |part: fn(&(u64, u64)) -> u64| {
            self.veterans_kib.iter().map(|kib| part(kib).to_string()).collect::<Vec<_>>().join(" ")
        };
        writeln!(f, "      resident KiB        {}", course(|kib| kib.0))?;
        writeln!(f, "      their own KiB       {}", course(|kib| kib.1))?;
        writeln!(f, "    agent   KiB warm   at end   descriptors warm   at end")?;
        for AgentUsage { agent, veteran, first, last } in &self.usage {
            let word = if *veteran { "  veteran" } else { "" };
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

    fn usage(veteran: bool, first: u64, last: u64) -> AgentUsage {
        let usage = |resident_kib| Usage { resident_kib, anonymous_kib: 1, descriptors: 9 };
        AgentUsage { agent: "n01".to_owned(), veteran, first: usage(first), last: usage(last) }
    }

    #[test]
    fn growth_is_that_of_the_processes_that_lived_through() {
        let mut summary = Summary::default();
        assert_eq!(summary.growth_percent(), None);
        summary.usage =
            vec![usage(true, 1_000, 1_040), usage(true, 1_000, 1_000), usage(false, 1_000, 9_000)];
        assert_eq!(summary.growth_percent().map(f64::round), Some(2.0));
        assert!(summary.to_string().contains("+2.0 %, below 5 %: yes"), "{summary}");
    }

    #[test]
    fn the_slowest_convergence_is_kept_with_its_trouble() {
        let mut summary = Summary::default();
        summary.converged(10, "a kill");
        summary.converged(30, "a pause");
        summary.converged(20, "loss");
        assert_eq!((summary.slowest_convergence_ms, summary.slowest_after.as_str()), (30, "a pause"));
    }
}
