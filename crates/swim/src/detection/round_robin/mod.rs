//! Round-robin probes, one member each period, as in the papers of SWIM and Lifeguard.

mod probe;

use kinfolk_core::{NodeId, Reason};

use super::partition::{Partition, counts};
use crate::context::Context;
use crate::interface::input::{NoReply, RequestId};
use crate::timer::Timer;
use probe::Probe;

/// The probe that is under way, and the partition detector.
#[derive(Debug)]
pub(crate) struct RoundRobin {
    probe: Option<Probe>,
    pub(super) partition: Partition,
}

/// The result of one request of a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProbeAnswer {
    /// The target answered this member.
    Direct,
    /// The target answered a helper.
    Indirect,
    /// A helper answered that the target did not.
    Nack,
    /// The target did not answer, for this reason.
    NoDirect(NoReply),
    /// This helper did not answer, for this reason.
    NoIndirect(RequestId, NoReply),
}

impl RoundRobin {
    /// The first period starts at a random time within one interval. Members that start together
    /// must not probe in step.
    pub(super) fn new(cx: &mut Context) -> Self {
        let at = cx.now + cx.config.probe_interval.mul_f64(cx.rng.unit());
        cx.timers.schedule(at, Timer::Probe);
        Self { probe: None, partition: Partition::new(cx) }
    }

    /// The next period starts.
    pub(crate) fn begin_period(&mut self, cx: &mut Context) {
        let ends = cx.now + cx.health.scale(cx.config.probe_interval);
        cx.timers.schedule(ends, Timer::Probe);
        let target = cx.roster.next_target(&mut cx.rng).and_then(|id| cx.members.get(&id));
        if let Some(target) = target {
            self.probe = Some(Probe::begin(cx, &target, ends));
        }
    }

    /// The period ends. Returns the silent target and the reason for a suspicion, if there is one.
    pub(super) fn end_period(&mut self, cx: &mut Context) -> Option<(NodeId, Reason)> {
        self.probe.take()?.conclude(cx)
    }

    /// A request of the probe has a result.
    pub(crate) fn answered(&mut self, cx: &mut Context, from: &NodeId, answer: ProbeAnswer) {
        if let Some(probe) = &mut self.probe {
            probe.answered(cx, from, answer);
        }
    }

    pub(super) fn due(&mut self, cx: &mut Context, timer: &Timer) {
        match timer {
            Timer::ProbeTimeout(request) => {
                if let Some(probe) = self.probe.as_mut().filter(|probe| probe.is_direct(*request)) {
                    probe.ask_helpers(cx);
                }
            }
            Timer::CountSilent => {
                self.partition.count_due();
                if !cx.has_left() && self.count_live(cx) {
                    self.partition.schedule_count(cx);
                }
            }
            _ => {}
        }
    }

    /// Counts the live members. Returns whether to count again.
    fn count_live(&mut self, cx: &mut Context) -> bool {
        let counts = counts(cx);
        self.partition.observe(cx, counts);
        counts.members > counts.live || !self.partition.is_whole()
    }
}

#[cfg(test)]
mod tests {
    use kinfolk_core::NodeState::{self, Alive, Failed, Suspect};

    use super::*;
    use crate::interface::config::SwimConfig;

    fn context(others: &[(&str, NodeState)]) -> Context {
        Context::of_others(SwimConfig::lifeguard(), others)
    }

    /// Whether the members are counted again after a count.
    fn counts_again(round_robin: &mut RoundRobin, cx: &mut Context) -> bool {
        let before = cx.timers.len();
        round_robin.due(cx, &Timer::CountSilent);
        cx.timers.len() > before
    }

    #[test]
    fn count_is_repeated_while_a_member_is_missing() {
        let mut healthy = context(&[("a", Alive), ("b", Alive), ("c", Alive)]);
        let mut round_robin = RoundRobin::new(&mut healthy);
        assert!(!counts_again(&mut round_robin, &mut healthy));
        let mut one_suspect = context(&[("a", Alive), ("b", Alive), ("c", Suspect)]);
        assert!(counts_again(&mut round_robin, &mut one_suspect), "no partition yet, but one is missing");
        let mut split = context(&[("a", Alive), ("b", Failed), ("c", Failed)]);
        assert!(counts_again(&mut round_robin, &mut split), "half of the group has failed");
        split.leave();
        assert!(!counts_again(&mut round_robin, &mut split));
        assert!(!counts_again(&mut RoundRobin::new(&mut healthy), &mut healthy));
    }

    #[test]
    fn timeout_of_another_probe_asks_no_helper() {
        let mut cx = context(&[("a", Alive), ("b", Alive), ("c", Alive)]);
        let mut round_robin = RoundRobin::new(&mut cx);
        let probe = cx.next_request();
        round_robin.begin_period(&mut cx);
        cx.stack_facts();
        round_robin.due(&mut cx, &Timer::ProbeTimeout(RequestId(99)));
        assert!(!cx.has_new_facts());
        round_robin.due(&mut cx, &Timer::ProbeTimeout(probe));
        assert!(cx.has_new_facts());
    }
}
