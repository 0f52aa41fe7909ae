//! A member that stalls for less than the tolerated pause is never declared failed, whether its process stands still or its
//! messages wait (the anomaly of Lifeguard's paper, section V; the promise of `Mode::Verified`).

use std::collections::BTreeMap;
use std::time::Duration;

use kinfolk_core::{Instant, NodeState};

use super::Invariant;
use crate::faults::{Fault, Step};
use crate::node::NodeIndex;
use crate::observed::{Moment, Observed};

/// See the file's head.
#[derive(Debug)]
pub struct PauseTolerated {
    tolerated: Duration,
    /// The latest stall of each node that had one: when it began, and when it ended.
    stalls: BTreeMap<NodeIndex, (Instant, Option<Instant>)>,
}

impl PauseTolerated {
    /// Stalls that are shorter than this are tolerated.
    pub fn below(tolerated: Duration) -> Self {
        Self { tolerated, stalls: BTreeMap::new() }
    }

    fn step(&mut self, now: Instant, fault: &Fault) {
        match fault {
            Fault::Pause(node) | Fault::Block(node) => {
                self.stalls.insert(*node, (now, None));
            }
            Fault::Resume(node) | Fault::Unblock(node) => {
                if let Some((_, ended)) = self.stalls.get_mut(node) {
                    ended.get_or_insert(now);
                }
            }
            Fault::Restart { node, .. } => {
                self.stalls.remove(node);
            }
            _ => {}
        }
    }
}

impl Invariant for PauseTolerated {
    fn name(&self) -> &'static str {
        "a pause that is tolerated never ends in a failure"
    }

    fn observe(&mut self, moment: &Moment<'_>) -> Result<(), String> {
        match &moment.what {
            Observed::Step(Step::Fault(fault)) => self.step(moment.now, fault),
            Observed::View { node, before, after: Some(after) }
                if after.state == NodeState::Failed
                    && before.is_none_or(|before| before.state != after.state) =>
            {
                let Some(subject) = moment.truth.find(&after.id) else { return Ok(()) };
                let truth = moment.truth.node(subject);
                if !truth.running || after.incarnation < truth.born {
                    return Ok(());
                }
                let Some((began, ended)) = self.stalls.get(&subject) else { return Ok(()) };
                let stalled = ended.unwrap_or(moment.now).since(*began);
                if stalled < self.tolerated {
                    return Err(format!("{node} has {subject} as failed, which stalled for {stalled:?}"));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use kinfolk_core::NodeState::{Failed, Suspect};

    use super::super::testing::{A, B, show, status, truth};
    use super::*;

    /// Whether it is right that B has A as `state` at this second, after A has stalled from second 10 to `until`.
    fn holds(begin: &Fault, end: &Fault, until: u64, state: NodeState, second: u64) -> bool {
        let (mut rule, truth) = (PauseTolerated::below(Duration::from_secs(5)), truth(2));
        show(&mut rule, &truth, 10, Observed::Step(&Step::Fault(begin.clone()))).unwrap();
        if until <= second {
            show(&mut rule, &truth, until, Observed::Step(&Step::Fault(end.clone()))).unwrap();
        }
        let after = status(A, 10, state);
        show(&mut rule, &truth, second, Observed::View { node: B, before: None, after: Some(&after) }).is_ok()
    }

    #[test]
    fn a_failure_after_a_stall_that_is_tolerated_is_caught_and_after_a_longer_one_is_right() {
        for (begin, end) in [(Fault::Pause(A), Fault::Resume(A)), (Fault::Block(A), Fault::Unblock(A))] {
            assert!(!holds(&begin, &end, 14, Failed, 30));
            assert!(!holds(&begin, &end, 99, Failed, 14), "it still stalls, and not yet for long");
            assert!(holds(&begin, &end, 15, Failed, 30));
            assert!(holds(&begin, &end, 99, Failed, 15));
            assert!(holds(&begin, &end, 14, Suspect, 30));
        }
    }

    #[test]
    fn what_is_said_of_one_that_has_crashed_or_of_a_former_life_is_right() {
        let (mut rule, mut truth) = (PauseTolerated::below(Duration::from_secs(5)), truth(2));
        show(&mut rule, &truth, 10, Observed::Step(&Step::Fault(Fault::Pause(A)))).unwrap();
        let mut says = |truth: &crate::truth::Truth, incarnation| {
            let after = status(A, incarnation, Failed);
            show(&mut rule, truth, 12, Observed::View { node: B, before: None, after: Some(&after) }).is_ok()
        };
        assert!(!says(&truth, 10) && says(&truth, 9));
        truth.node_mut(A).running = false;
        assert!(says(&truth, 10));
    }
}
