//! Counts the live members for the [`PartitionDetector`], in every mode.

use std::time::Duration;

use kinfolk_core::NodeState;
use kinfolk_detector::{Counts, PartitionConfig, PartitionDetector, PartitionStatus};

use crate::context::Context;
use crate::timer::{Timer, TimerKey};

/// The partition detector, and the timer of the next count.
#[derive(Debug)]
pub(super) struct Partition {
    detector: PartitionDetector,
    /// `None` while all known members are live.
    next: Option<TimerKey>,
}

impl Partition {
    pub(super) fn new(cx: &Context) -> Self {
        let detector = PartitionDetector::new(PartitionConfig {
            quorum_percent: cx.config.quorum_percent,
            // A member may stall for `tolerated_pause`. A shorter silence of many is no partition
            // yet.
            notice: cx.config.tolerated_pause,
            grace: cx.config.partition_grace,
        });
        Self { detector, next: None }
    }

    pub(super) fn status(&self) -> PartitionStatus {
        self.detector.status()
    }

    /// Whether all known members are live.
    pub(super) fn is_whole(&self) -> bool {
        self.detector.is_whole()
    }

    /// A member left on purpose. Without this the smaller group would look like a partition.
    pub(super) fn left(&mut self) {
        self.detector.left();
    }

    /// This member was paused for `by`. The detector's clocks stand still for that time.
    pub(super) fn paused(&mut self, by: Duration) {
        self.detector.paused(by);
    }

    /// The membership changed. While members are missing, they are counted once an interval.
    pub(super) fn recount(&mut self, cx: &mut Context) {
        let counts = counts(cx);
        self.detector.resize(counts);
        // The detector measures time only when it is shown counts. So counting goes on until the
        // group is whole again.
        if counts.live < counts.members || !self.is_whole() {
            self.schedule_count(cx);
        }
    }

    /// Schedules the next count, one probe interval from now.
    pub(super) fn schedule_count(&mut self, cx: &mut Context) {
        if self.next.is_none() && !cx.has_left() {
            let at = cx.now + cx.config.probe_interval;
            self.next = Some(cx.timers.schedule(at, Timer::CountSilent));
        }
    }

    /// The timer of the count is due.
    pub(super) fn count_due(&mut self) {
        self.next = None;
    }

    /// Shows the counts to the detector, and emits its event, if any.
    pub(super) fn observe(&mut self, cx: &mut Context, counts: Counts) {
        if let Some(event) = self.detector.observe(cx.now, counts) {
            cx.event(event);
        }
    }
}

/// The counts by the view alone.
pub(super) fn counts(cx: &Context) -> Counts {
    // This member counts as live whatever others claim, until it leaves.
    let count = |state| cx.members.count(state);
    let live = count(NodeState::Alive).max(1);
    Counts { live, members: live + count(NodeState::Suspect), failed: count(NodeState::Failed) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interface::config::SwimConfig;
    use kinfolk_core::NodeState::{Alive, Failed, Suspect};

    fn context() -> Context {
        let others = [("a", Alive), ("b", Alive), ("c", Suspect), ("d", Failed)];
        Context::of_others(SwimConfig::verified(), &others)
    }

    #[test]
    fn count_has_one_timer_within_an_interval() {
        let mut cx = context();
        let mut partition = Partition::new(&cx);
        partition.schedule_count(&mut cx);
        partition.schedule_count(&mut cx);
        let next = cx.timers.next().unwrap();
        assert_eq!((next, cx.timers.len()), (cx.now + cx.config.probe_interval, 1));
        assert_eq!(cx.timers.pop_due(next), Some(Timer::CountSilent));
        partition.count_due();
        cx.leave();
        partition.schedule_count(&mut cx);
        assert_eq!(cx.timers.len(), 0, "after a leave nothing is counted");
    }

    #[test]
    fn own_pause_does_not_count_as_partition_time() {
        let mut cx = context();
        let mut partition = Partition::new(&cx);
        let split = Counts { live: 1, members: 4, failed: 0 };
        let second = Duration::from_secs(1);
        partition.observe(&mut cx, split);
        cx.now += second * 60;
        partition.paused(second * 60);
        for _ in 0..4 {
            cx.now += second;
            partition.observe(&mut cx, split);
            assert!(cx.pop_output().is_none());
        }
        cx.now += second;
        partition.observe(&mut cx, split);
        assert!(cx.pop_output().is_some(), "5 s are over");
    }

    #[test]
    fn missing_members_are_counted_again_soon() {
        let mut cx = context();
        assert_eq!(counts(&cx), Counts { live: 3, members: 4, failed: 1 });
        Partition::new(&cx).recount(&mut cx);
        assert_eq!(cx.timers.len(), 1);
        let mut healthy = Context::of_others(SwimConfig::verified(), &[("a", Alive), ("b", Alive)]);
        Partition::new(&healthy).recount(&mut healthy);
        assert_eq!(healthy.timers.len(), 0);
        let failed = [("a", Failed), ("b", Failed)];
        let mut split = Context::of_others(SwimConfig::verified(), &failed);
        let mut partition = Partition::new(&split);
        partition.recount(&mut healthy);
        partition.recount(&mut split);
        assert_eq!(split.timers.len(), 1, "all members are live, but there were three");
    }
}
