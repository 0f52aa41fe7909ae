//! How many live, in every mode: what a [`PartitionDetector`] is shown, and when.

use std::time::Duration;

use kinfolk_core::NodeState;
use kinfolk_detector::{Counts, PartitionConfig, PartitionDetector, PartitionStatus};

use crate::context::Context;
use crate::timer::{Timer, TimerKey};

/// The detector of partitions, and when the group is looked at next.
#[derive(Debug)]
pub(super) struct Partition {
    detector: PartitionDetector,
    /// `None` while nothing speaks for a look.
    next: Option<TimerKey>,
}

impl Partition {
    pub(super) fn new(cx: &Context) -> Self {
        let detector = PartitionDetector::new(PartitionConfig {
            quorum_percent: cx.config.quorum_percent,
            notice: cx.config.tolerated_pause,
            grace: cx.config.partition_grace,
        });
        Self { detector, next: None }
    }

    pub(super) fn status(&self) -> PartitionStatus {
        self.detector.status()
    }

    /// Whether all that are known live.
    pub(super) fn is_whole(&self) -> bool {
        self.detector.is_whole()
    }

    /// One that counted has left on purpose.
    pub(super) fn left(&mut self) {
        self.detector.left();
    }

    /// We were paused for so long.
    pub(super) fn paused(&mut self, by: Duration) {
        self.detector.paused(by);
    }

    /// Somebody has come or gone.
    pub(super) fn recount(&mut self, cx: &mut Context) {
        let counts = counts(cx);
        self.detector.resize(counts);
        if counts.live < counts.members || !self.is_whole() {
            self.look_soon(cx);
        }
    }

    /// Has the group looked at within an interval.
    pub(super) fn look_soon(&mut self, cx: &mut Context) {
        if self.next.is_none() && !cx.has_left() {
            let at = cx.now + cx.config.probe_interval;
            self.next = Some(cx.timers.schedule(at, Timer::Look));
        }
    }

    /// The time for that look has come.
    pub(super) fn look_due(&mut self) {
        self.next = None;
    }

    /// So many live: the application is told what that means.
    pub(super) fn observe(&mut self, cx: &mut Context, counts: Counts) {
        if let Some(event) = self.detector.observe(cx.now, counts) {
            cx.event(event);
        }
    }
}

/// How many there are by the view alone.
pub(super) fn counts(cx: &Context) -> Counts {
    // We are always among the living, whatever is said of us, until we leave.
    let count = |state| cx.members.count(state);
    let live = count(NodeState::Alive).max(1);
    Counts { live, members: live + count(NodeState::Suspect), failed: count(NodeState::Failed) }
}
