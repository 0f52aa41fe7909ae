//! Why: the latest findings about each member, with their evidence, so that every verdict can be explained afterwards.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use kinfolk_core::{Cause, Change, Instant, NodeId, NodeState, Reason};
use kinfolk_detector::{Evidence, Finding, SuspicionStatus};

use crate::machine::Machine;

/// The findings of each member, the oldest first. Bounded: of each member the last [`FINDINGS_MAX`](Self::FINDINGS_MAX), of
/// at most [`MEMBERS_MAX`](Self::MEMBERS_MAX) members; for one more, the one whose last finding is the oldest is forgotten.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    of: BTreeMap<NodeId, VecDeque<Evidence>>,
}

impl Findings {
    /// How many findings are kept of one member.
    pub(crate) const FINDINGS_MAX: usize = 8;
    /// Of how many members findings are kept.
    pub(crate) const MEMBERS_MAX: usize = 256;

    fn add(&mut self, id: &NodeId, evidence: Evidence) {
        if !self.of.contains_key(id) && self.of.len() >= Self::MEMBERS_MAX {
            let last = |findings: &VecDeque<Evidence>| findings.back().map(|evidence| evidence.at);
            let oldest = self.of.iter().min_by_key(|(_, findings)| last(findings)).map(|(id, _)| id.clone());
            oldest.map(|id| self.of.remove(&id));
        }
        let findings = self.of.entry(id.clone()).or_default();
        if findings.len() >= Self::FINDINGS_MAX {
            findings.pop_front();
        }
        findings.push_back(evidence);
    }
}

impl Machine {
    /// What we have found out about this member and what we were told, the oldest first: at most 8 findings.
    pub fn explain(&self, id: &NodeId) -> Vec<Evidence> {
        self.findings.of.get(id).map(|findings| findings.iter().cloned().collect()).unwrap_or_default()
    }

    /// The members that do not answer this one, or that are suspect in its view, ordered by name.
    pub fn suspicion_status(&self, now: Instant) -> Vec<SuspicionStatus> {
        let silent_since = |id: &NodeId| self.watch.subjects.get(id).and_then(|subject| subject.silent_since);
        let silent = self.watch.subjects.keys().filter(|id| silent_since(id).is_some());
        let ids: BTreeSet<&NodeId> = silent.chain(self.suspicions.keys()).collect();
        let status = |id: &NodeId| {
            let silent_since = silent_since(id);
            let suspected = self.suspicions.get(id);
            // A finding from before this silence says nothing about it.
            let last = self.findings.of.get(id).and_then(VecDeque::back);
            let last = last.filter(|evidence| silent_since.is_some_and(|since| evidence.at >= since));
            SuspicionStatus {
                id: id.clone(),
                silent_for: silent_since.map(|since| now.since(since)),
                suspect_for: suspected.map(|suspected| now.since(suspected.suspicion.started())),
                held: last
                    .map(|evidence| evidence.finding)
                    .filter(|finding| finding.holds_verdict().is_some()),
            }
        };
        ids.into_iter().map(status).collect()
    }

    /// Notes what a round of witnesses has shown that is no change of state.
    pub(crate) fn note(&mut self, now: Instant, id: &NodeId, finding: Finding, reason: Reason) {
        let cause = Cause::by(self.me.id.clone(), reason);
        self.note_with(now, id, finding, cause);
    }

    /// Notes it, unless it is what was noted last.
    pub(crate) fn note_once(&mut self, now: Instant, id: &NodeId, finding: Finding, reason: Reason) {
        let last = self.findings.of.get(id).and_then(VecDeque::back).map(|evidence| evidence.finding);
        if last != Some(finding) {
            self.note(now, id, finding, reason);
        }
    }

    /// Notes that we no longer accuse a member, because it has been heard from.
    pub(crate) fn note_withdrawn(&mut self, now: Instant, id: &NodeId, silence: Duration) {
        self.note(now, id, Finding::Withdrawn, Reason::Silent { silence, witnesses: 0, nacks: 0 });
    }

    /// Notes a change of state other than between the living.
    pub(crate) fn note_change(&mut self, now: Instant, change: &Change, cause: &Cause) {
        let Change::Applied { before, after } = change else { return };
        let was = before.as_ref().map(|before| before.state);
        if after.id == self.me.id
            || was == Some(after.state)
            || was.is_none() && after.state == NodeState::Alive
        {
            return;
        }
        self.note_with(now, &after.id, Finding::State(after.state), cause.clone());
    }

    fn note_with(&mut self, now: Instant, id: &NodeId, finding: Finding, cause: Cause) {
        let subject = self.watch.subjects.get(id);
        let evidence = Evidence {
            at: now,
            finding,
            cause,
            incarnation: self.registry.get(id).map(|node| node.incarnation).unwrap_or_default(),
            phi: subject.and_then(|subject| subject.phi),
            round_trip: subject.and_then(|subject| subject.trip.smoothed()),
            local_health: self.local_health.score(),
        };
        self.findings.add(id, evidence);
    }
}
