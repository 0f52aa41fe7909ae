//! Why: the latest findings about each member, with their evidence, so that every verdict can be explained afterwards.

use std::collections::{BTreeMap, VecDeque};

use kinfolk_core::NodeId;
use kinfolk_detector::Evidence;

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

    pub(super) fn add(&mut self, id: &NodeId, evidence: Evidence) {
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

    /// The findings about a member, the oldest first.
    pub(super) fn of(&self, id: &NodeId) -> Vec<Evidence> {
        self.of.get(id).map(|findings| findings.iter().cloned().collect()).unwrap_or_default()
    }

    /// The last finding about a member.
    pub(super) fn last(&self, id: &NodeId) -> Option<&Evidence> {
        self.of.get(id).and_then(VecDeque::back)
    }
}
