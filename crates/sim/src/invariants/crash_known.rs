//! A crashed member is failed in every view within a stated time (SWIM's strong completeness, section 3.1: every crash
//! is detected by every member). Where nearly half of all fall silent, the partition grace is added.

use std::collections::BTreeMap;
use std::time::Duration;

use kinfolk_core::NodeState;
use kinfolk_detector::is_mass_failure;

use super::Invariant;
use super::news::News;
use crate::faults::{Fault, Step};
use crate::node::NodeIndex;
use crate::observed::{Moment, Observed};

/// See the file's head.
#[derive(Debug)]
pub struct CrashKnown {
    within: Duration,
    grace: Duration,
    crashed: BTreeMap<NodeIndex, News>,
}

impl CrashKnown {
    /// A crash must be known to all within this time, and a `grace` later where nearly half of all have fallen silent.
    pub fn within(within: Duration, grace: Duration) -> Self {
        Self { within, grace, crashed: BTreeMap::new() }
    }

    /// If so many are silent that verdicts are held, whatever is not known yet may take that much longer.
    fn allow_grace(&mut self, moment: &Moment<'_>) {
        let silent = moment.truth.all().filter(|(_, node)| node.silent && !node.running).count();
        if is_mass_failure(silent, silent + moment.truth.members().count()) {
            let deadline = moment.now + self.within + self.grace;
            self.crashed.values_mut().for_each(|news| news.extend(deadline));
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
                let news = News::new(moment, *node, self.within, format!("{node} has crashed"));
                self.crashed.insert(*node, news);
                self.allow_grace(moment);
            }
            Observed::Step(Step::Fault(Fault::Restart { node, .. })) => {
                self.crashed.remove(node);
            }
            Observed::View { node, after: Some(after), .. } if after.state >= NodeState::Failed => {
                let subject = moment.truth.find(&after.id);
                if let Some(news) = subject.and_then(|subject| self.crashed.get_mut(&subject)) {
                    news.reached(*node);
                }
            }
            Observed::Second => {
                let mut open = BTreeMap::new();
                for (node, mut news) in std::mem::take(&mut self.crashed) {
                    if !news.done(moment)? {
                        open.insert(node, news);
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
    fn a_member_that_does_not_know_in_time_is_caught() {
        let (mut rule, truth) = crashed();
        view(&mut rule, &truth, B, None, &status(A, 10, Failed)).unwrap();
        assert!(show(&mut rule, &truth, 10, Observed::Second).is_ok());
        let caught = show(&mut rule, &truth, 11, Observed::Second).unwrap_err();
        assert!(caught.starts_with("n0002 and 0 others"), "{caught}");
    }

    #[test]
    fn where_nearly_half_fall_silent_the_grace_is_added_and_for_one_alone_it_is_not() {
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
    fn a_crash_that_all_know_of_is_right() {
        let (mut rule, truth) = crashed();
        for node in [B, C] {
            view(&mut rule, &truth, node, None, &status(A, 10, Failed)).unwrap();
        }
        assert!(show(&mut rule, &truth, 11, Observed::Second).is_ok());
    }

    #[test]
    fn who_has_crashed_too_need_not_know_and_who_is_back_need_not_be_failed() {
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
