//! A cut in two: a side that misses nearly half of all or more declares nobody of the other side failed before the grace is
//! over, and says what it sees; soon after the grace each side has one view, its own; soon after the repair all have one.

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

/// How long after the grace, and after the repair, views may still differ.
const SETTLED_WITHIN: Duration = Duration::from_secs(10);

/// See the file's head.
#[derive(Debug)]
pub struct PartitionHeld {
    tolerated: Duration,
    grace: Duration,
    cut: Option<Cut>,
    /// What each member believes of each other.
    views: BTreeMap<(NodeIndex, NodeIndex), NodeState>,
    /// Whether each member has told of a partition that has not healed, and as what.
    told: BTreeMap<NodeIndex, bool>,
}

#[derive(Debug)]
struct Cut {
    at: Instant,
    group: Vec<NodeIndex>,
    mended: Option<Instant>,
    /// Whether both sides were found to have one view.
    apart: bool,
}

impl PartitionHeld {
    /// As this configuration promises it.
    pub fn by(config: &SwimConfig) -> Self {
        Self {
            tolerated: config.tolerated_pause,
            grace: config.partition_grace,
            cut: None,
            views: BTreeMap::new(),
            told: BTreeMap::new(),
        }
    }

    fn failed(&self, now: Instant, node: NodeIndex, subject: NodeIndex, truth: &Truth) -> Result<(), String> {
        let Some(cut) = self.cut.as_ref().filter(|cut| cut.mended.is_none()) else { return Ok(()) };
        let in_time = now.since(cut.at) < self.grace;
        if in_time
            && cut.parts(node, subject)
            && cut.is_mass_failure(node, truth)
            && truth.node(subject).running
        {
            let after = now.since(cut.at);
            return Err(format!("{node} has {subject} as failed {after:?} after they were cut apart"));
        }
        Ok(())
    }

    fn second(&mut self, now: Instant, truth: &Truth) -> Result<(), String> {
        let (tolerated, grace) = (self.tolerated, self.grace);
        let Some(cut) = self.cut.take_if(|cut| cut.is_to_be_looked_at(now, tolerated + grace)) else {
            return Ok(());
        };
        let settled = self.settled(&cut, truth);
        if cut.mended.is_none() {
            self.cut = Some(Cut { apart: true, ..cut });
        }
        settled
    }

    fn settled(&self, cut: &Cut, truth: &Truth) -> Result<(), String> {
        let mended = cut.mended.is_some();
        for (node, _) in truth.members() {
            let told = self.told.get(&node).copied();
            let expected =
                (!mended && cut.is_mass_failure(node, truth)).then(|| cut.is_minority(node, truth));
            if told != expected {
                return Err(format!(
                    "{node} has told of a partition as {told:?}, and it should be {expected:?}"
                ));
            }
            for (subject, _) in truth.members() {
                let apart = !mended && cut.parts(node, subject);
                let expected = if apart { NodeState::Failed } else { NodeState::Alive };
                let known = self.views.get(&(node, subject)).copied();
                if known != Some(expected) {
                    return Err(format!("{node} has {subject} as {known:?}, and it should be {expected}"));
                }
            }
        }
        Ok(())
    }
}

impl Cut {
    /// Whether all must be settled by now, after the verdicts, which take so long, or after the repair.
    fn is_to_be_looked_at(&self, now: Instant, verdicts: Duration) -> bool {
        match self.mended {
            Some(mended) => now >= mended + SETTLED_WITHIN,
            None => !self.apart && now >= self.at + verdicts + SETTLED_WITHIN,
        }
    }

    fn parts(&self, one: NodeIndex, other: NodeIndex) -> bool {
        self.group.contains(&one) != self.group.contains(&other)
    }

    /// How many there are on the other side of `node`, and in all.
    fn other_side(&self, node: NodeIndex, truth: &Truth) -> (usize, usize) {
        let other = truth.members().filter(|(other, _)| self.parts(node, *other)).count();
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
        "a cut in two is held for the grace, told, and settled soon after it and after its repair"
    }

    fn observe(&mut self, moment: &Moment<'_>) -> Result<(), String> {
        match &moment.what {
            // Shorter cuts are the business of other rules; what matters here begins with the first second of each.
            Observed::Step(Step::Fault(Fault::Partition(group))) => {
                let (at, group) = (moment.now, group.clone());
                self.cut = Some(Cut { at, group, mended: None, apart: false });
            }
            Observed::Step(Step::Fault(Fault::Heal)) => {
                if let Some(cut) = &mut self.cut {
                    cut.mended = Some(moment.now);
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
                if state == Some(NodeState::Failed) && was != state {
                    return self.failed(moment.now, *node, subject, moment.truth);
                }
            }
            Observed::Event { node, event: ClusterEvent::PartitionDetected { minority, .. } } => {
                self.told.insert(*node, *minority);
            }
            Observed::Event { node, event: ClusterEvent::PartitionHealed { .. } } => {
                self.told.remove(node);
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

    /// Four that know each other, and A and B are cut off at second 10.
    fn cut() -> PartitionHeld {
        let mut rule = PartitionHeld::by(&SwimConfig::verified());
        for (node, of) in [A, B, C, D].into_iter().flat_map(|node| [A, B, C, D].map(|of| (node, of))) {
            sees(&mut rule, 1, node, of, Alive).unwrap();
        }
        at(&mut rule, 10, Observed::Step(&Step::Fault(Fault::Partition(vec![A, B])))).unwrap();
        rule
    }

    fn tell(rule: &mut PartitionHeld, second: u64) {
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
    fn a_verdict_within_the_grace_is_caught_and_one_after_it_is_right() {
        let mut rule = cut();
        assert!(sees(&mut rule, 39, A, C, Failed).is_err());
        assert!(sees(&mut cut(), 40, A, C, Failed).is_ok());
        assert!(sees(&mut cut(), 39, A, B, Failed).is_ok(), "of its own side it is another rule's business");
    }

    #[test]
    fn a_side_that_does_not_say_so_or_has_no_view_of_its_own_in_time_is_caught() {
        let settled = |told, failed| {
            let mut rule = cut();
            if told {
                tell(&mut rule, 20);
            }
            if failed {
                fail_each_other(&mut rule, 45);
            }
            assert!(at(&mut rule, 54, Observed::Second).is_ok(), "it has some time yet");
            at(&mut rule, 55, Observed::Second).is_ok()
        };
        assert!(settled(true, true));
        assert!(!settled(false, true));
        assert!(!settled(true, false));
    }

    #[test]
    fn one_that_is_not_back_in_every_view_in_time_is_caught() {
        let mut rule = cut();
        tell(&mut rule, 20);
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
