//! What a scenario came to: what was broken, what was measured, and which bars were met; as text and as JSON.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::time::Duration;

use serde::Serialize;

/// A scenario's result.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Outcome {
    /// Which one.
    pub(super) scenario: String,
    /// How many agents took part.
    pub(super) agents: usize,
    /// The seed of its choices.
    pub(super) seed: u64,
    /// How long it took.
    pub(super) took_s: f64,
    /// How many events all agents told.
    pub(super) events: usize,
    /// Why it did not run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) skipped: Option<String>,
    /// Failures and leaves told of members to which nothing of the kind had been done.
    pub(super) false_reports: Vec<String>,
    /// Everything else that must not be.
    pub(super) broken: Vec<String>,
    /// What was measured against its limit.
    pub(super) bars: Vec<Bar>,
    /// What was counted or measured besides, by its name.
    pub(super) notes: BTreeMap<String, Vec<u64>>,
}

/// A measured time and the limit that it is held against.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Bar {
    /// What was measured.
    pub(super) what: String,
    /// At most so long, in milliseconds.
    pub(super) limit_ms: u64,
    /// It was so long, in milliseconds.
    pub(super) measured_ms: u64,
    /// Whether that is within the limit.
    pub(super) met: bool,
}

impl Outcome {
    /// Whether nothing is broken. Bars do not count: they are told, and judged by who reads them.
    pub(super) fn is_sound(&self) -> bool {
        self.false_reports.is_empty() && self.broken.is_empty()
    }

    /// A time is held against its limit.
    pub(super) fn bar(&mut self, what: &str, limit: Duration, measured: Duration) {
        let (limit_ms, measured_ms) = (millis(limit), millis(measured));
        self.bars.push(Bar { what: what.to_owned(), limit_ms, measured_ms, met: measured_ms <= limit_ms });
    }

    /// Something is told that has no limit.
    pub(super) fn note(&mut self, what: &str, number: u64) {
        self.notes.entry(what.to_owned()).or_default().push(number);
    }

    /// What must be so: if it is not, that is broken.
    pub(super) fn must<T>(&mut self, what: &str, result: Result<T, String>) -> Option<T> {
        result.map_err(|why| self.broken.push(format!("{what}: {why}"))).ok()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        let word = match (&self.skipped, self.is_sound()) {
            (Some(why), _) => format!("skipped: {why}"),
            (None, true) => "sound".to_owned(),
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

/// A span in the unit of the logs.
pub(super) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// The middle one of these; the upper of two.
pub(super) fn median(spans: &[Duration]) -> Duration {
    let mut sorted = spans.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

/// The longest of these.
pub(super) fn worst(spans: &[Duration]) -> Duration {
    spans.iter().max().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missed_bar_is_told_and_breaks_nothing() {
        let mut outcome = Outcome { scenario: "kill".to_owned(), ..Outcome::default() };
        outcome.bar("known", Duration::from_millis(10), Duration::from_millis(11));
        outcome.bar("gone", Duration::from_millis(10), Duration::from_millis(10));
        assert!(outcome.is_sound());
        let text = outcome.to_string();
        assert!(text.contains("NO       11 ms of     10  known"), "{text}");
        assert!(text.contains("yes      10 ms of     10  gone"), "{text}");
    }

    #[test]
    fn what_must_be_and_is_not_is_broken() {
        let mut outcome = Outcome::default();
        assert_eq!(outcome.must("it holds", Ok(3)), Some(3));
        assert!(outcome.is_sound());
        assert_eq!(outcome.must::<u8>("it holds", Err("it does not".to_owned())), None);
        assert!(!outcome.is_sound());
        assert!(outcome.to_string().contains("! it holds: it does not"));
    }

    #[test]
    fn the_median_and_the_worst_are_members_of_their_list() {
        let spans = [3, 1, 2].map(Duration::from_secs);
        assert_eq!((median(&spans).as_secs(), worst(&spans).as_secs()), (2, 3));
        assert_eq!((median(&[]), worst(&[])), (Duration::ZERO, Duration::ZERO));
    }
}
