//! The checker: reads what all agents told and compares it with what was really done. It finds failures and leaves that
//! never were, what was told twice, and events that were lost.

use std::collections::BTreeMap;

use super::told::{Kind, Told};
use super::truth::Truth;

/// What the logs come to.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// How many events were told in all.
    pub(super) events: usize,
    /// Failures and leaves of members to which nothing of the kind had been done.
    pub(super) false_reports: Vec<String>,
    /// Whatever else is wrong.
    pub(super) broken: Vec<String>,
}

/// Judges the logs of a run, each with the name of its agent.
pub(super) fn judge(logs: &[(&str, &[Told])], truth: &Truth) -> Findings {
    let mut findings = Findings::default();
    for &(by, told) in logs {
        findings.events += told.len();
        judge_one(by, told, truth, &mut findings);
    }
    findings
}

fn judge_one(by: &str, told: &[Told], truth: &Truth, findings: &mut Findings) {
    // Whether each subject belongs, as this agent told last in this life.
    let mut belongs: BTreeMap<&str, bool> = BTreeMap::new();
    for event in told {
        let line = &event.line;
        match event.kind {
            Kind::Started => belongs.clear(),
            Kind::EventsDropped => findings.broken.push(format!("{by} lost events: {line}")),
            Kind::NodeJoined => {
                if belongs.insert(&event.subject, true) == Some(true) {
                    findings.broken.push(format!("{by} told a join twice: {line}"));
                }
            }
            Kind::NodeFailed | Kind::NodeLeft => {
                if belongs.insert(&event.subject, false) == Some(false) {
                    findings.broken.push(format!("{by} told an end twice: {line}"));
                }
                if !truth.allows(event.kind, &event.subject, by, event.unix_ms) {
                    findings.false_reports.push(format!("false report by {by}: {line}"));
                }
            }
            Kind::NodeFlapping | Kind::NodeSettled => {
                belongs.remove(&*event.subject);
            }
            Kind::Other => {}
        }
    }
}

/// When an agent told `kind` of `subject` in this time.
///
/// # Errors
/// When it told it not at all, or more than once.
pub(super) fn told_once(told: &[Told], kind: Kind, subject: &str, from_ms: u64) -> Result<u64, usize> {
    let mut times = told
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

    fn told(kind: Kind, unix_ms: u64) -> Told {
        Told { unix_ms, kind, subject: "s".to_owned(), incarnation: 1, line: String::new() }
    }

    fn found(told: &[Told], truth: &Truth) -> (usize, usize) {
        let findings = judge(&[("a", told)], truth);
        (findings.false_reports.len(), findings.broken.len())
    }

    fn crashed_at(from_ms: u64) -> Truth {
        let mut truth = Truth::default();
        truth.allow(Kind::NodeFailed, "s", By::All, from_ms);
        truth
    }

    #[test]
    fn a_failure_that_was_one_is_no_finding_and_one_that_was_none_is_false() {
        let log = [told(Kind::NodeJoined, 1), told(Kind::NodeFailed, 10)];
        assert_eq!(found(&log, &crashed_at(5)), (0, 0));
        assert_eq!(found(&log, &crashed_at(15)), (1, 0));
        assert_eq!(
            found(&[told(Kind::NodeLeft, 10)], &crashed_at(5)),
            (1, 0),
            "it crashed, it did not leave"
        );
    }

    #[test]
    fn what_is_told_twice_is_broken_and_a_new_life_may_tell_it_again() {
        let twice = [told(Kind::NodeFailed, 10), told(Kind::NodeFailed, 11)];
        assert_eq!(found(&twice, &crashed_at(5)), (0, 1));
        let joined = [told(Kind::NodeJoined, 1), told(Kind::NodeJoined, 2)];
        assert_eq!(found(&joined, &crashed_at(5)), (0, 1));
        let again = [told(Kind::NodeJoined, 1), told(Kind::Started, 2), told(Kind::NodeJoined, 3)];
        assert_eq!(found(&again, &crashed_at(5)), (0, 0));
        let damped = [told(Kind::NodeFailed, 10), told(Kind::NodeSettled, 11), told(Kind::NodeFailed, 12)];
        assert_eq!(found(&damped, &crashed_at(5)), (0, 0));
        let lost = [told(Kind::EventsDropped, 1)];
        assert_eq!(found(&lost, &crashed_at(5)), (0, 1));
    }

    #[test]
    fn what_must_be_told_once_is_neither_missing_nor_repeated() {
        let log = [told(Kind::NodeFailed, 10), told(Kind::NodeJoined, 11), told(Kind::NodeFailed, 20)];
        assert_eq!(told_once(&log, Kind::NodeFailed, "s", 15), Ok(20));
        assert_eq!(told_once(&log, Kind::NodeFailed, "s", 5), Err(2));
        assert_eq!(told_once(&log, Kind::NodeFailed, "t", 5), Err(0));
    }
}
