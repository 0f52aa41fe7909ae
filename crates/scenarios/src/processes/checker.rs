//! The checker: compares the event logs of all agents with what was really done to them.
//!
//! It finds failures and leaves that were not real, repeated events, and lost events.

use std::collections::BTreeMap;

use super::event_history::{Kind, LoggedEvent};
use super::truth::Truth;

/// The result of checking the logs.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// The number of events in all logs.
    pub(super) events: usize,
    /// Reports of failures and leaves that were not real.
    pub(super) false_reports: Vec<String>,
    /// All other violations.
    pub(super) broken: Vec<String>,
}

/// Checks the logs of a run. Each log comes with the name of its agent.
pub(super) fn check(logs: &[(&str, &[LoggedEvent])], truth: &Truth) -> Findings {
    let mut findings = Findings::default();
    for &(by, events) in logs {
        findings.events += events.len();
        check_one(by, events, truth, &mut findings);
    }
    findings
}

fn check_one(by: &str, events: &[LoggedEvent], truth: &Truth, findings: &mut Findings) {
    // For each subject: whether it is a member, by the last event of this instance of the agent.
    let mut is_member: BTreeMap<&str, bool> = BTreeMap::new();
    for event in events {
        let line = &event.line;
        match event.kind {
            // A new instance knows nothing of what the last one reported.
            Kind::Started => is_member.clear(),
            Kind::EventsDropped => findings.broken.push(format!("{by} lost events: {line}")),
            Kind::NodeJoined => {
                if is_member.insert(&event.subject, true) == Some(true) {
                    findings.broken.push(format!("{by} reported a join twice: {line}"));
                }
            }
            Kind::NodeFailed | Kind::NodeLeft => {
                if is_member.insert(&event.subject, false) == Some(false) {
                    findings.broken.push(format!("{by} reported an end twice: {line}"));
                }
                if !truth.allows(event.kind, &event.subject, by, event.unix_ms) {
                    findings.false_reports.push(format!("false report by {by}: {line}"));
                }
            }
            // While a member flaps, its events are withheld, so its state in the log is unknown.
            Kind::NodeFlapping | Kind::NodeSettled => {
                is_member.remove(&*event.subject);
            }
            Kind::NodeSuspected | Kind::MemberDistrusted | Kind::Other => {}
        }
    }
}

/// The time of the only event of `kind` about `subject` since `from_ms`.
///
/// # Errors
/// The number of such events, if it is not one.
pub(super) fn only_event(
    events: &[LoggedEvent],
    kind: Kind,
    subject: &str,
    from_ms: u64,
) -> Result<u64, usize> {
    let mut times = events
        .iter()
        .filter(|event| event.kind == kind && event.subject == subject && event.unix_ms >= from_ms)
        .map(|event| event.unix_ms);
    match (times.next(), times.count()) {
        (Some(at), 0) => Ok(at),
        (None, _) => Err(0),
        (Some(_), more) => Err(more + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::super::truth::By;
    use super::*;

    fn event(kind: Kind, unix_ms: u64) -> LoggedEvent {
        LoggedEvent { unix_ms, kind, subject: "s".to_owned(), incarnation: 1, line: String::new() }
    }

    fn found(events: &[LoggedEvent], truth: &Truth) -> (usize, usize) {
        let findings = check(&[("a", events)], truth);
        (findings.false_reports.len(), findings.broken.len())
    }

    fn crashed_at(from_ms: u64) -> Truth {
        let mut truth = Truth::default();
        truth.allow(Kind::NodeFailed, "s", By::All, from_ms);
        truth
    }

    #[test]
    fn only_a_report_of_a_real_failure_is_right() {
        let log = [event(Kind::NodeJoined, 1), event(Kind::NodeFailed, 10)];
        assert_eq!(found(&log, &crashed_at(5)), (0, 0));
        assert_eq!(found(&log, &crashed_at(15)), (1, 0));
        assert_eq!(
            found(&[event(Kind::NodeLeft, 10)], &crashed_at(5)),
            (1, 0),
            "it crashed, it did not leave"
        );
    }

    #[test]
    fn repeated_report_is_broken_within_one_instance() {
        let twice = [event(Kind::NodeFailed, 10), event(Kind::NodeFailed, 11)];
        assert_eq!(found(&twice, &crashed_at(5)), (0, 1));
        let joined = [event(Kind::NodeJoined, 1), event(Kind::NodeJoined, 2)];
        assert_eq!(found(&joined, &crashed_at(5)), (0, 1));
        let again = [event(Kind::NodeJoined, 1), event(Kind::Started, 2), event(Kind::NodeJoined, 3)];
        assert_eq!(found(&again, &crashed_at(5)), (0, 0));
        let damped = [event(Kind::NodeFailed, 10), event(Kind::NodeSettled, 11), event(Kind::NodeFailed, 12)];
        assert_eq!(found(&damped, &crashed_at(5)), (0, 0));
        let lost = [event(Kind::EventsDropped, 1)];
        assert_eq!(found(&lost, &crashed_at(5)), (0, 1));
    }

    #[test]
    fn only_event_refuses_none_and_several() {
        let log = [event(Kind::NodeFailed, 10), event(Kind::NodeJoined, 11), event(Kind::NodeFailed, 20)];
        assert_eq!(only_event(&log, Kind::NodeFailed, "s", 15), Ok(20));
        assert_eq!(only_event(&log, Kind::NodeFailed, "s", 5), Err(2));
        assert_eq!(only_event(&log, Kind::NodeFailed, "t", 5), Err(0));
    }
}
