//! What was really done to the agents: which member may be reported as failed or left, by which
//! agents, and from when to when. A report that is not allowed here is false.

use std::collections::BTreeSet;
use std::time::Duration;

use super::event_history::Kind;

/// How long after the end of a fault an agent may still report it, because gossip takes time: far
/// more than it takes.
const SLACK: Duration = Duration::from_secs(5);

/// The agents whose reports a window allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum By {
    /// All agents.
    All,
    /// Only these agents.
    These(BTreeSet<String>),
}

/// A time during which a report is allowed. Its index in the [`Truth`] is the handle to end it.
#[derive(Debug)]
struct Window {
    kind: Kind,
    subject: String,
    by: By,
    from_ms: u64,
    until_ms: Option<u64>,
}

/// All windows of a run.
#[derive(Debug, Default)]
pub(super) struct Truth {
    windows: Vec<Window>,
}

impl Truth {
    /// Allows reports that `subject` failed or left (`kind`) from `from_ms` on, until the window is
    /// [ended](Self::end).
    pub(super) fn allow(&mut self, kind: Kind, subject: &str, by: By, from_ms: u64) -> usize {
        self.windows.push(Window { kind, subject: subject.to_owned(), by, from_ms, until_ms: None });
        self.windows.len() - 1
    }

    /// Ends a window at the end of its fault. A window that would only begin later never opens: a
    /// pause shorter than the tolerated one allows no report.
    pub(super) fn end(&mut self, window: usize, at_ms: u64) {
        let window = &mut self.windows[window];
        let slack = u64::try_from(SLACK.as_millis()).unwrap_or(u64::MAX);
        window.until_ms = Some(if at_ms < window.from_ms { 0 } else { at_ms + slack });
    }

    /// Whether `by` may report at this time that this happened to `subject`.
    pub(super) fn allows(&self, kind: Kind, subject: &str, by: &str, at_ms: u64) -> bool {
        self.windows.iter().any(|window| {
            window.kind == kind
                && window.subject == subject
                && match &window.by {
                    By::All => true,
                    By::These(names) => names.contains(by),
                }
                && window.from_ms <= at_ms
                && window.until_ms.is_none_or(|until| at_ms <= until)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A report is allowed from the fault until 5 s after its end, and only to the named agents.
    #[test]
    fn report_is_allowed_only_during_the_fault() {
        let mut truth = Truth::default();
        let window = truth.allow(Kind::NodeFailed, "a", By::These(["b".to_owned()].into()), 1_000);
        truth.end(window, 2_000);
        let allows = |kind, by, at| truth.allows(kind, "a", by, at);
        assert!(!allows(Kind::NodeFailed, "b", 999));
        assert!(allows(Kind::NodeFailed, "b", 1_000));
        assert!(allows(Kind::NodeFailed, "b", 7_000));
        assert!(!allows(Kind::NodeFailed, "b", 7_001));
        assert!(!allows(Kind::NodeFailed, "c", 1_500));
        assert!(!allows(Kind::NodeLeft, "b", 1_500));
    }

    #[test]
    fn pause_that_ends_early_allows_nothing() {
        let mut truth = Truth::default();
        let window = truth.allow(Kind::NodeFailed, "a", By::All, 6_000);
        truth.end(window, 5_000);
        assert!(!truth.allows(Kind::NodeFailed, "a", "b", 6_000));
    }
}
