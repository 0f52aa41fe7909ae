//! The latest findings about each member, with their evidence. They explain a verdict afterwards.

use std::collections::{BTreeMap, VecDeque};

use kinfolk_core::NodeId;
use kinfolk_detector::Evidence;

/// The findings of each member, the oldest first. Bounded: the last
/// [`FINDINGS_MAX`](Self::FINDINGS_MAX) of each member, for at most
/// [`MEMBERS_MAX`](Self::MEMBERS_MAX) members. A further member replaces the one with the oldest
/// last finding.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    of: BTreeMap<NodeId, VecDeque<Evidence>>,
}

impl Findings {
    /// The number of findings that are kept of each member.
    pub(crate) const FINDINGS_MAX: usize = 8;
    /// The number of members that have findings.
    pub(crate) const MEMBERS_MAX: usize = 256;

    pub(super) fn add(&mut self, id: &NodeId, evidence: Evidence) {
        // A known member needs no room, so it evicts nobody.
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use kinfolk_core::{Cause, Incarnation, Instant, Reason};
    use kinfolk_detector::Finding;

    use super::*;

    fn id(number: usize) -> NodeId {
        NodeId::new(&format!("n{number}")).unwrap()
    }

    fn evidence(second: u64) -> Evidence {
        Evidence {
            at: Instant::ORIGIN + Duration::from_secs(second),
            finding: Finding::Unheard,
            cause: Cause::by(id(0), Reason::Reported),
            incarnation: Incarnation::new(1),
            phi: None,
            round_trip: None,
            local_health: 0,
        }
    }

    #[test]
    fn last_eight_findings_of_a_member_are_kept() {
        let mut findings = Findings::default();
        (0..9).for_each(|second| findings.add(&id(1), evidence(second)));
        assert_eq!(findings.of(&id(1)), (1..9).map(evidence).collect::<Vec<_>>());
        assert_eq!(findings.last(&id(1)), Some(&evidence(8)));
        assert_eq!((findings.of(&id(2)), findings.last(&id(2))), (vec![], None));
    }

    #[test]
    fn further_member_replaces_oldest_findings() {
        let mut findings = Findings::default();
        (0..Findings::MEMBERS_MAX).for_each(|number| findings.add(&id(number), evidence(number as u64)));
        findings.add(&id(0), evidence(1_000));
        assert_eq!(findings.of.len(), Findings::MEMBERS_MAX);
        assert_eq!(findings.of(&id(1)).len(), 1, "a known member needs no room");
        findings.add(&id(999), evidence(1_001));
        assert_eq!(findings.of.len(), Findings::MEMBERS_MAX);
        assert_eq!([0, 1, 2, 999].map(|number| findings.of(&id(number)).len()), [2, 0, 1, 1]);
    }
}
