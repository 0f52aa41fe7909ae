//! A partition into two sides. A side that misses nearly half of the group or more reports the
//! partition. Before the grace ends, it declares no member of the other side failed. Shortly after
//! the grace each side agrees on its own members. Shortly after the heal all members agree.

use std::collections::BTreeMap;
use std::time::Duration;

use kinfolk_core::{ClusterEvent, Instant, NodeState};
use kinfolk_detector::is_mass_failure;
use kinfolk_swim::SwimConfig;

use super::Invariant;
use crate::faults::{Fault, Step};
use crate::node::NodeIndex;
use crate::observed::{Moment, Observed};
use crate::truth::Truth;

/// For how long after the grace, and after the heal, views may still differ. The verdicts need some
/// probe intervals, and their dissemination needs more.
const SETTLED_WITHIN: Duration = Duration::from_secs(10);

/// Checks partitions against the configured grace; see the module.
#[derive(Debug)]
pub struct PartitionHeld {
    tolerated: Duration,
    grace: Duration,
    cut: Option<Cut>,
    /// The state of each member in the view of each other.
    views: BTreeMap<(NodeIndex, NodeIndex), NodeState>,
    /// The members that reported a partition that has not healed, and whether as a minority.
    reported: BTreeMap<NodeIndex, bool>,
}

#[derive(Debug)]
struct Cut {
    at: Instant,
    group: Vec<NodeIndex>,
    healed: Option<Instant>,
    /// Whether both sides were found settled during the cut.
    settled: bool,
}

impl PartitionHeld {
    /// The rule with the times of this configuration.
    pub fn by(config: &SwimConfig) -> Self {
        Self {
            tolerated: config.tolerated_pause,
            grace: config.partition_grace,
            cut: None,
            views: BTreeMap::new(),
            reported: BTreeMap::new(),
        }
    }

    fn failed(&self, now: Instant, node: NodeIndex, subject: NodeIndex, truth: &Truth) -> Result<(), String> {
        let Some(cut) = self.cut.as_ref().filter(|cut| cut.healed.is_none()) else { return Ok(()) };
        // Before the grace ends the members behind the cut may only be unreachable, so a verdict is
        // too early.
        let in_time = now.since(cut.at) < self.grace;
        if in_time
            && cut.separates(node, subject)
            && cut.is_mass_failure(node, truth)
            && truth.node(subject).running
        {
            let after = now.since(cut.at);
            return Err(format!(
                "{node} has {subject} as failed {after:?} after the partition, within the grace"
            ));
        }
        Ok(())
    }

    fn second(&mut self, now: Instant, truth: &Truth) -> Result<(), String> {
        let (tolerated, grace) = (self.tolerated, self.grace);
        let Some(cut) = self.cut.take_if(|cut| cut.is_check_due(now, tolerated + grace)) else {
            return Ok(());
        };
        let settled = self.settled(&cut, truth);
        if cut.healed.is_none() {
            self.cut = Some(Cut { settled: true, ..cut });
        }
        settled
    }

    fn settled(&self, cut: &Cut, truth: &Truth) -> Result<(), String> {
        let healed = cut.healed.is_some();
        for (node, _) in truth.members() {
            let reported = self.reported.get(&node).copied();
            // Only a side that misses nearly half of the group reports a partition; a larger side
            // treats the missing members as ordinary failures.
            let expected =
                (!healed && cut.is_mass_failure(node, truth)).then(|| cut.is_minority(node, truth));
            if reported != expected {
                return Err(format!(
                    "{node} reports the partition as a minority: {reported:?}; expected {expected:?}"
                ));
            }
            for (subject, _) in truth.members() {
                // After the grace each side treats the other as failed; after the heal all are
                // alive again.
                let apart = !healed && cut.separates(node, subject);
                let expected = if apart { NodeState::Failed } else { NodeState::Alive };
                let known = self.views.get(&(node, subject)).copied();
                if known != Some(expected) {
                    return Err(format!("{node} has {subject} as {known:?}; expected {expected}"));
                }
            }
        }
        Ok(())
    }
}

impl Cut {
    /// Whether views must be settled by now: after the verdicts, which take `verdicts`, or after
    /// the heal.
    fn is_check_due(&self, now: Instant, verdicts: Duration) -> bool {
        match self.healed {
            Some(healed) => now >= healed + SETTLED_WITHIN,
            None => !self.settled && now >= self.at + verdicts + SETTLED_WITHIN,
        }
    }

    fn separates(&self, one: NodeIndex, other: NodeIndex) -> bool {
        self.group.contains(&one) != self.group.contains(&other)
    }

    /// The number of members on the other side of `node`, and the number of all members.
    fn other_side(&self, node: NodeIndex, truth: &Truth) -> (usize, usize) {
        let other = truth.members().filter(|(other, _)| self.separates(node, *other)).count();
        (other, truth.members().count())
    }

    fn is_mass_failure(&self, node: NodeIndex, truth: &Truth) -> bool {
        let (other, all) = self.other_side(node, truth);
        is_mass_failure(other, all)
    }

    fn is_minority(&self, node: NodeIndex, truth: &Truth) -> bool {
        let (other, all) = self.other_side(node, truth);
        (all - other) * 2 < all
    }
}

impl Invariant for PartitionHeld {
    fn name(&self) -> &'static str {
        "a partition is tolerated for the grace, reported, and settled after it and after the heal"
    }

    fn observe(&mut self, moment: &Moment<'_>) -> Result<(), String> {
        match &moment.what {
            // Other rules check shorter cuts. This rule starts with the first second of each
            // partition.
            Observed::Step(Step::Fault(Fault::Partition(group))) => {
                let (at, group) = (moment.now, group.clone());
                self.cut = Some(Cut { at, group, healed: None, settled: false });
            }
            Observed::Step(Step::Fault(Fault::Heal)) => {
                if let Some(cut) = &mut self.cut {
                    cut.healed = Some(moment.now);
                }
            }
            Observed::View { node, before, after } => {
                let Some(status) = after.or(*before) else { return Ok(()) };
                let Some(subject) = moment.truth.find(&status.id) else { return Ok(()) };
                let state = after.map(|after| after.state);
                let was = match state {
                    Some(state) => self.views.insert((*node, subject), state),
                    None => self.views.remove(&(*node, subject)),
                };
                // Only a new failure is judged by its time.
                if state == Some(NodeState::Failed) && was != state {
                    return self.failed(moment.now, *node, subject, moment.truth);
                }
            }
            Observed::Event { node, event: ClusterEvent::PartitionDetected { minority, .. } } => {
                self.reported.insert(*node, *minority);
            }
            Observed::Event { node, event: ClusterEvent::PartitionHealed { .. } } => {
                self.reported.remove(node);
            }
            Observed::Second => return self.second(moment.now, moment.truth),
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use kinfolk_core::NodeState::{Alive, Failed};

    use super::super::testing::{A, B, C, show, status, truth};
    use super::*;

    const D: NodeIndex = NodeIndex(3);

    fn at(rule: &mut PartitionHeld, second: u64, what: Observed<'_>) -> Result<(), String> {
        show(rule, &truth(4), second, what)
    }

    fn sees(
        rule: &mut PartitionHeld,
        second: u64,
        node: NodeIndex,
        of: NodeIndex,
        state: NodeState,
    ) -> Result<(), String> {
        at(rule, second, Observed::View { node, before: None, after: Some(&status(of, 10, state)) })
    }

    /// Four members that know each other; A and B are cut off at second 10.
    fn cut() -> PartitionHeld {
        let mut rule = PartitionHeld::by(&SwimConfig::verified());
        for (node, of) in [A, B, C, D].into_iter().flat_map(|node| [A, B, C, D].map(|of| (node, of))) {
            sees(&mut rule, 1, node, of, Alive).unwrap();
        }
        at(&mut rule, 10, Observed::Step(&Step::Fault(Fault::Partition(vec![A, B])))).unwrap();
        rule
    }

    fn report(rule: &mut PartitionHeld, second: u64) {
        for node in [A, B, C, D] {
            let event = ClusterEvent::PartitionDetected { minority: false, live: 2, known: 4 };
            at(rule, second, Observed::Event { node, event: &event }).unwrap();
        }
    }

    fn fail_each_other(rule: &mut PartitionHeld, second: u64) {
        for (one, other) in [(A, C), (A, D), (B, C), (B, D)] {
            sees(rule, second, one, other, Failed).unwrap();
            sees(rule, second, other, one, Failed).unwrap();
        }
    }

    #[test]
    fn verdict_within_the_grace_is_caught() {
        let mut rule = cut();
        assert!(sees(&mut rule, 39, A, C, Failed).is_err());
        assert!(sees(&mut cut(), 40, A, C, Failed).is_ok());
        assert!(sees(&mut cut(), 39, A, B, Failed).is_ok(), "other rules check a failure on the same side");
    }

    #[test]
    fn unreported_or_unsettled_partition_is_caught() {
        let settled = |reported, failed| {
            let mut rule = cut();
            if reported {
                report(&mut rule, 20);
            }
            if failed {
                fail_each_other(&mut rule, 45);
            }
            assert!(at(&mut rule, 54, Observed::Second).is_ok(), "the deadline is not over");
            at(&mut rule, 55, Observed::Second).is_ok()
        };
        assert!(settled(true, true));
        assert!(!settled(false, true));
        assert!(!settled(true, false));
    }

    #[test]
    fn unhealed_view_is_caught() {
        let mut rule = cut();
        report(&mut rule, 20);
        at(&mut rule, 30, Observed::Step(&Step::Fault(Fault::Heal))).unwrap();
        let healed = ClusterEvent::PartitionHealed { live: 4, known: 4, lasted: Duration::from_secs(20) };
        for node in [A, B, C, D] {
            at(&mut rule, 35, Observed::Event { node, event: &healed }).unwrap();
        }
        sees(&mut rule, 36, A, C, Failed).unwrap();
        assert!(at(&mut rule, 39, Observed::Second).is_ok());
        assert!(at(&mut rule, 40, Observed::Second).is_err());
    }
}
