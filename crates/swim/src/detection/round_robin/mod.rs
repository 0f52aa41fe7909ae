//! Members are probed in turn, one in each period: SWIM and Lifeguard as their papers have them.

mod probe;

use kinfolk_core::{NodeId, Reason};

use super::partition::{Partition, counts};
use crate::context::Context;
use crate::interface::input::{NoReply, RequestId};
use crate::timer::Timer;
use probe::Probe;

/// The probe that is under way, and how many live.
#[derive(Debug)]
pub(crate) struct RoundRobin {
    probe: Option<Probe>,
    pub(super) partition: Partition,
}

/// What became of one request of the probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProbeAnswer {
    /// The target, which is this member, answered us.
    Direct,
    /// The target answered a helper.
    Indirect,
    /// A helper answered that the target did not.
    Nack,
    /// The target did not answer, because of this.
    NoDirect(NoReply),
    /// This helper did not answer, because of that.
    NoIndirect(RequestId, NoReply),
}

impl RoundRobin {
    /// The first period begins at any time within one: members that start together should not probe in step.
    pub(super) fn new(cx: &mut Context) -> Self {
        let at = cx.now + cx.config.probe_interval.mul_f64(cx.rng.unit());
        cx.timers.schedule(at, Timer::Probe);
        Self { probe: None, partition: Partition::new(cx) }
    }

    /// The next period begins.
    pub(crate) fn begin_period(&mut self, cx: &mut Context) {
        let ends = cx.now + cx.health.scale(cx.config.probe_interval);
        cx.timers.schedule(ends, Timer::Probe);
        let target = cx.roster.next_target(&mut cx.rng).and_then(|id| cx.members.get(&id));
        if let Some(target) = target {
            self.probe = Some(Probe::begin(cx, &target, ends));
        }
    }

    /// The period ends. Returns whom it has shown to be silent, and by what.
    pub(super) fn end_period(&mut self, cx: &mut Context) -> Option<(NodeId, Reason)> {
        self.probe.take()?.conclude(cx)
    }

    /// A request of the probe has come to its end.
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
            Timer::Look => {
                self.partition.look_due();
                if !cx.has_left() && self.look(cx) {
                    self.partition.look_soon(cx);
                }
            }
            _ => {}
        }
    }

    /// Counts who lives. Returns whether to look again.
    fn look(&mut self, cx: &mut Context) -> bool {
        let counts = counts(cx);
        self.partition.observe(cx, counts);
        counts.members > counts.live || !self.partition.is_whole()
    }
}
