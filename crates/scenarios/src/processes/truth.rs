//! What was really done to the agents, so that what they told can be judged: who may be told to have failed or left, by
//! whom, and from when to when. What is not allowed here is false.

use std::collections::BTreeSet;
use std::time::Duration;

use super::told::Kind;

/// How long after a fault has ended it may still be told, because news travel: far more than they take.
const SLACK: Duration = Duration::from_secs(5);

/// Whose words a window is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum By {
    /// Everybody's.
    All,
    /// Only those of these.
    These(BTreeSet<String>),
}

/// A time during which something may be told. Its number in the [`Truth`] is how it is ended.
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
    /// From `from_ms` on `subject` may be told to have failed or left (`kind`), until the window is [ended](Self::end).
    pub(super) fn allow(&mut self, kind: Kind, subject: &str, by: By, from_ms: u64) -> usize {
        self.windows.push(Window { kind, subject: subject.to_owned(), by, from_ms, until_ms: None });
        self.windows.len() - 1
    }

    /// The fault is over. If that was before the window began, it never opens.
    pub(super) fn end(&mut self, window: usize, at_ms: u64) {
        let window = &mut self.windows[window];
        let slack = u64::try_from(SLACK.as_millis()).unwrap_or(u64::MAX);
        window.until_ms = Some(if at_ms < window.from_ms { 0 } else { at_ms + slack });
    }

    /// Whether `by` may tell at this moment that this happened to `subject`.
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

    #[test]
    fn a_failure_is_allowed_from_the_fault_to_shortly_after_its_end_and_only_to_those_it_is_meant_for() {
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
    fn a_pause_that_ends_before_it_may_be_told_allows_nothing() {
        let mut truth = Truth::default();
        let window = truth.allow(Kind::NodeFailed, "a", By::All, 6_000);
        truth.end(window, 5_000);
        assert!(!truth.allows(Kind::NodeFailed, "a", "b", 6_000));
    }
}
