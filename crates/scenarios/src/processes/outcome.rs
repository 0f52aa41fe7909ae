//! The outcome of a scenario: violations, measured times and their limits; as text and as JSON.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::time::Duration;

use serde::Serialize;

/// The result of a scenario.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Outcome {
    /// The name of the scenario.
    pub(super) scenario: String,
    /// The number of agents.
    pub(super) agents: usize,
    /// The seed of its random choices.
    pub(super) seed: u64,
    /// The duration of the scenario, in seconds.
    pub(super) took_s: f64,
    /// The number of events in the logs of all agents.
    pub(super) events: usize,
    /// Why it did not run, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) skipped: Option<String>,
    /// Reports of failures and leaves that were not real.
    pub(super) false_reports: Vec<String>,
    /// All other violations.
    pub(super) broken: Vec<String>,
    /// The measured times that have a limit.
    pub(super) bars: Vec<Bar>,
    /// Other measured or counted values, by name.
    pub(super) notes: BTreeMap<String, Vec<u64>>,
}

/// A measured time and its limit.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Bar {
    /// What was measured.
    pub(super) what: String,
    /// The limit in milliseconds.
    pub(super) limit_ms: u64,
    /// The measured time in milliseconds.
    pub(super) measured_ms: u64,
    /// Whether the measured time is within the limit.
    pub(super) met: bool,
}

impl Outcome {
    /// Whether there is no violation. A missed limit is none, because a machine may be slow: it is
    /// printed for the reader to judge.
    pub(super) fn passed(&self) -> bool {
        self.false_reports.is_empty() && self.broken.is_empty()
    }

    /// Records a measured time and its limit.
    pub(super) fn bar(&mut self, what: &str, limit: Duration, measured: Duration) {
        let (limit_ms, measured_ms) = (millis(limit), millis(measured));
        self.bars.push(Bar { what: what.to_owned(), limit_ms, measured_ms, met: measured_ms <= limit_ms });
    }

    /// Records a value without a limit.
    pub(super) fn note(&mut self, what: &str, number: u64) {
        self.notes.entry(what.to_owned()).or_default().push(number);
    }

    /// Records a violation if `result` is an error. Returns the value otherwise.
    pub(super) fn must<T>(&mut self, what: &str, result: Result<T, String>) -> Option<T> {
        result.map_err(|why| self.broken.push(format!("{what}: {why}"))).ok()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        let word = match (&self.skipped, self.passed()) {
            (Some(why), _) => format!("skipped: {why}"),
            (None, true) => "passed".to_owned(),
            (None, false) => "BROKEN".to_owned(),
        };
        writeln!(
            text,
            "{:<12} {word}: {} agents, {} events, {:.0} s",
            self.scenario, self.agents, self.events, self.took_s
        )?;
        for bar in &self.bars {
            let met = if bar.met { "yes" } else { "NO " };
            writeln!(text, "    {met} {:>7} ms of {:>6}  {}", bar.measured_ms, bar.limit_ms, bar.what)?;
        }
        for (what, numbers) in &self.notes {
            let numbers: Vec<String> = numbers.iter().map(u64::to_string).collect();
            writeln!(text, "    {what}: {}", numbers.join(" "))?;
        }
        for line in self.false_reports.iter().chain(&self.broken) {
            writeln!(text, "    ! {line}")?;
        }
        f.write_str(text.trim_end())
    }
}

/// A duration in milliseconds, the unit of the logs.
pub(super) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// The median. Of an even number it is the upper of the two middle values; of none it is zero.
pub(super) fn median(spans: &[Duration]) -> Duration {
    let mut sorted = spans.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

/// The longest duration. Zero if there is none.
pub(super) fn worst(spans: &[Duration]) -> Duration {
    spans.iter().max().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missed_limit_is_printed_and_breaks_nothing() {
        let mut outcome = Outcome { scenario: "kill".to_owned(), ..Outcome::default() };
        outcome.bar("known", Duration::from_millis(10), Duration::from_millis(11));
        outcome.bar("ended", Duration::from_millis(10), Duration::from_millis(10));
        assert!(outcome.passed());
        let text = outcome.to_string();
        assert!(text.contains("NO       11 ms of     10  known"), "{text}");
        assert!(text.contains("yes      10 ms of     10  ended"), "{text}");
    }

    #[test]
    fn unmet_requirement_is_a_violation() {
        let mut outcome = Outcome::default();
        assert_eq!(outcome.must("it holds", Ok(3)), Some(3));
        assert!(outcome.passed());
        assert_eq!(outcome.must::<u8>("it holds", Err("it does not".to_owned())), None);
        assert!(!outcome.passed());
        assert!(outcome.to_string().contains("! it holds: it does not"));
    }

    #[test]
    fn median_and_worst_are_values_of_the_list() {
        let spans = [3, 1, 2].map(Duration::from_secs);
        assert_eq!((median(&spans).as_secs(), worst(&spans).as_secs()), (2, 3));
        assert_eq!((median(&[]), worst(&[])), (Duration::ZERO, Duration::ZERO));
    }
}
