//! A member that stalls for less than the tolerated pause is never declared failed. The stall may
//! be a stopped process, or messages that wait (the anomaly of Lifeguard's paper, section V).
//! `Mode::Verified` promises this.

use std::collections::BTreeMap;
use std::time::Duration;

use kinfolk_core::{Instant, NodeState};

use super::Invariant;
use crate::faults::{Fault, Step};
use crate::node::NodeIndex;
use crate::observed::{Moment, Observed};

/// Checks each failure against the stall before it; see the module.
#[derive(Debug)]
pub struct PauseTolerated {
    tolerated: Duration,
    /// The latest stall of each node that had one: its begin and its end.
    stalls: BTreeMap<NodeIndex, (Instant, Option<Instant>)>,
}

impl PauseTolerated {
    /// Stalls that are shorter than this must be tolerated.
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
        "a tolerated pause never ends in a failure"
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
                // A crash, or a claim about the previous instance, has nothing to do with the
                // stall.
                if !truth.running || after.incarnation < truth.born {
                    return Ok(());
                }
                let Some((began, ended)) = self.stalls.get(&subject) else { return Ok(()) };
                let stalled = ended.unwrap_or(moment.now).since(*began);
                if stalled < self.tolerated {
                    return Err(format!("{node} has {subject} as failed after a stall of only {stalled:?}"));
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

    /// Whether the rule accepts that B has A as `state` at this second, when A stalled from second
    /// 10 to `until`.
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
    fn failure_after_tolerated_stall_is_caught() {
        for (begin, end) in [(Fault::Pause(A), Fault::Resume(A)), (Fault::Block(A), Fault::Unblock(A))] {
            assert!(!holds(&begin, &end, 14, Failed, 30));
            assert!(!holds(&begin, &end, 99, Failed, 14), "the stall is still short");
            assert!(holds(&begin, &end, 15, Failed, 30));
            assert!(holds(&begin, &end, 99, Failed, 15));
            assert!(holds(&begin, &end, 14, Suspect, 30));
        }
    }

    #[test]
    fn crash_or_old_instance_is_accepted() {
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
