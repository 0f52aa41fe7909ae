//! Every view has a crashed member as failed within a stated time. This is SWIM's strong
//! completeness (section 3.1): every member detects every crash. If nearly half of the group
//! becomes silent, the partition grace is added, because members then delay their verdicts.

use std::collections::BTreeMap;
use std::time::Duration;

use kinfolk_core::NodeState;
use kinfolk_detector::is_mass_failure;

use super::Invariant;
use super::dissemination::Dissemination;
use crate::faults::{Fault, Step};
use crate::node::NodeIndex;
use crate::observed::{Moment, Observed};

/// Checks the deadline of each crash; see the module.
#[derive(Debug)]
pub struct CrashKnown {
    within: Duration,
    grace: Duration,
    crashed: BTreeMap<NodeIndex, Dissemination>,
}

impl CrashKnown {
    /// All members must know of a crash within this time. `grace` is added if nearly half of the
    /// group is silent.
    pub fn within(within: Duration, grace: Duration) -> Self {
        Self { within, grace, crashed: BTreeMap::new() }
    }

    /// Extends all open deadlines if so many nodes are silent that members delay their verdicts.
    /// The extension covers every open crash: the delay applies to all silent subjects.
    fn allow_grace(&mut self, moment: &Moment<'_>) {
        let silent = moment.truth.all().filter(|(_, node)| node.silent && !node.running).count();
        if is_mass_failure(silent, silent + moment.truth.members().count()) {
            let deadline = moment.now + self.within + self.grace;
            self.crashed.values_mut().for_each(|update| update.extend(deadline));
        }
    }
}

impl Invariant for CrashKnown {
    fn name(&self) -> &'static str {
        "a crashed member is failed everywhere in time"
    }

    fn observe(&mut self, moment: &Moment<'_>) -> Result<(), String> {
        match &moment.what {
            Observed::Step(Step::Fault(Fault::Crash(node) | Fault::Silence(node))) => {
                let update = Dissemination::new(moment, *node, self.within, format!("{node} crashed"));
                self.crashed.insert(*node, update);
                self.allow_grace(moment);
            }
            Observed::Step(Step::Fault(Fault::Restart { node, .. })) => {
                self.crashed.remove(node);
            }
            Observed::View { node, after: Some(after), .. } if after.state >= NodeState::Failed => {
                let subject = moment.truth.find(&after.id);
                if let Some(update) = subject.and_then(|subject| self.crashed.get_mut(&subject)) {
                    update.reached(*node);
                }
            }
            Observed::Second => {
                let mut open = BTreeMap::new();
                for (node, mut update) in std::mem::take(&mut self.crashed) {
                    if !update.done(moment)? {
                        open.insert(node, update);
                    }
                }
                self.crashed = open;
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use kinfolk_core::NodeState::Failed;

    use super::super::testing::{A, B, C, show, status, truth, view};
    use super::*;
    use crate::truth::Truth;

    fn crashed() -> (CrashKnown, Truth) {
        let (mut rule, mut truth) =
            (CrashKnown::within(Duration::from_secs(10), Duration::from_secs(30)), truth(3));
        truth.node_mut(A).running = false;
        show(&mut rule, &truth, 0, Observed::Step(&Step::Fault(Fault::Crash(A)))).unwrap();
        (rule, truth)
    }

    #[test]
    fn member_unaware_of_crash_is_caught() {
        let (mut rule, truth) = crashed();
        view(&mut rule, &truth, B, None, &status(A, 10, Failed)).unwrap();
        assert!(show(&mut rule, &truth, 10, Observed::Second).is_ok());
        let caught = show(&mut rule, &truth, 11, Observed::Second).unwrap_err();
        assert!(caught.starts_with("n0002 and 0 others"), "{caught}");
    }

    #[test]
    fn grace_is_added_when_half_are_silent() {
        for (silent, late) in [(vec![A], false), (vec![A, B], true)] {
            let mut rule = CrashKnown::within(Duration::from_secs(10), Duration::from_secs(30));
            let mut truth = truth(4);
            for node in silent {
                (truth.node_mut(node).running, truth.node_mut(node).silent) = (false, true);
                show(&mut rule, &truth, 0, Observed::Step(&Step::Fault(Fault::Silence(node)))).unwrap();
            }
            let just_in_time = show(&mut rule, &truth, if late { 40 } else { 10 }, Observed::Second);
            assert!(just_in_time.is_ok());
            assert!(show(&mut rule, &truth, if late { 41 } else { 11 }, Observed::Second).is_err());
        }
    }

    #[test]
    fn crash_known_to_all_is_accepted() {
        let (mut rule, truth) = crashed();
        for node in [B, C] {
            view(&mut rule, &truth, node, None, &status(A, 10, Failed)).unwrap();
        }
        assert!(show(&mut rule, &truth, 11, Observed::Second).is_ok());
    }

    #[test]
    /// A second crashed node need not know of the first. A node that runs again need not be failed.
    fn crashed_or_restarted_node_owes_nothing() {
        let (mut rule, mut truth) = crashed();
        view(&mut rule, &truth, B, None, &status(A, 10, Failed)).unwrap();
        truth.node_mut(C).running = false;
        assert!(show(&mut rule, &truth, 11, Observed::Second).is_ok());

        let (mut rule, truth) = crashed();
        let back = Step::Fault(Fault::Restart { node: A, via: B });
        show(&mut rule, &truth, 1, Observed::Step(&back)).unwrap();
        assert!(show(&mut rule, &truth, 11, Observed::Second).is_ok());
    }
}
