//! Whether the group is partitioned, and whether this member is on the smaller side. The detector
//! counts the members that live. It only reports: the protocol decides about verdicts, and the
//! application decides what a minority must not do.

use std::time::Duration;

use kinfolk_core::{ClusterEvent, Instant};

/// The settings of a [`PartitionDetector`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionConfig {
    /// The quorum, in percent of the highest known size of the group, 1 to 100. Below it this side
    /// is a minority. Default 50: both halves of an even split have the quorum. With 51 both are a
    /// minority.
    pub quorum_percent: u32,
    /// For how long a partition must last before it is reported. Default 5 s.
    pub notice: Duration,
    /// For how long this member must be in the minority before [`PartitionStatus::read_only`] is
    /// set. Default 30 s.
    pub grace: Duration,
}

impl Default for PartitionConfig {
    fn default() -> Self {
        Self { quorum_percent: 50, notice: Duration::from_secs(5), grace: Duration::from_secs(30) }
    }
}

/// The sizes of a view, this member included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Members that live and are not suspected.
    pub live: usize,
    /// All members of the group: alive or suspect.
    pub members: usize,
    /// Nodes that have failed and are not reaped yet.
    pub failed: usize,
}

/// The state of the group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PartitionStatus {
    /// The number of members that live and are not suspected, as far as this member knows, this
    /// member included.
    pub live: usize,
    /// The highest known size of the group. It falls by one with each member that leaves or is
    /// reaped.
    pub known: usize,
    /// Whether a partition has been reported and has not healed.
    pub partitioned: bool,
    /// Whether `live` is below the quorum of `known`.
    pub minority: bool,
    /// Whether `minority` has been true for the whole grace. An application that must not act in a
    /// minority should not act while this is set.
    pub read_only: bool,
}

/// Counts the members that live, and reports when that becomes a partition and when the partition
/// has healed. Pure: the caller passes the current time.
///
/// There is a partition if fewer members live than the quorum, or if at least two and more than two
/// fifths are missing. Both sides of a cut in two halves see the latter.
#[derive(Debug, Clone)]
pub struct PartitionDetector {
    config: PartitionConfig,
    live: usize,
    known: usize,
    /// Since when there has been a partition.
    since: Option<Instant>,
    /// Since when this member has been in the minority.
    below: Option<Instant>,
    /// Whether the partition was reported, and if so, whether as a minority.
    reported: Option<bool>,
    read_only: bool,
}

impl PartitionDetector {
    /// A detector that knows this member alone.
    pub fn new(config: PartitionConfig) -> Self {
        Self { config, live: 1, known: 1, since: None, below: None, reported: None, read_only: false }
    }

    /// The sizes changed. Time plays no part here; [`observe`](Self::observe) reports.
    pub fn resize(&mut self, counts: Counts) {
        self.live = counts.live;
        // `max` instead of a sum: a failed member and its replacement under another name count
        // once. `min` drops the members that are reaped.
        self.known = self.known.max(counts.members).min(counts.members + counts.failed);
    }

    /// A counted member left on purpose: the group is meant to be smaller.
    pub fn left(&mut self) {
        self.known = self.known.saturating_sub(1);
    }

    /// Takes in the counts at `now`. Returns an event if a partition must be reported, or has
    /// healed. Call it each second while [`is_whole`](Self::is_whole) is false.
    pub fn observe(&mut self, now: Instant, counts: Counts) -> Option<ClusterEvent> {
        self.resize(counts);
        let (live, known, minority) = (self.live, self.known, self.is_minority());
        self.below = minority.then(|| self.below.unwrap_or(now));
        self.read_only = self.below.is_some_and(|since| now.since(since) >= self.config.grace);
        if !self.is_partitioned() {
            let lasted = now.since(self.since.take().unwrap_or(now));
            return self.reported.take().map(|_| ClusterEvent::PartitionHealed { live, known, lasted });
        }
        // Report a partition once, and once more if this side falls below the quorum only later:
        // the application may have to stop then.
        let since = *self.since.get_or_insert(now);
        let noticed = |since| now.since(since) >= self.config.notice;
        let is_due = match self.reported {
            None => noticed(since),
            Some(minority) => !minority && self.below.is_some_and(noticed),
        };
        is_due.then(|| {
            self.reported = Some(minority);
            ClusterEvent::PartitionDetected { minority, live, known }
        })
    }

    /// This process was paused for `by`. That time does not count, because no message could arrive.
    pub fn paused(&mut self, by: Duration) {
        for since in [&mut self.since, &mut self.below].into_iter().flatten() {
            *since += by;
        }
    }

    /// Whether there is no sign of a partition.
    pub fn is_whole(&self) -> bool {
        self.since.is_none() && !self.is_partitioned()
    }

    /// The state of the group, as of the last call.
    pub fn status(&self) -> PartitionStatus {
        PartitionStatus {
            live: self.live,
            known: self.known,
            partitioned: self.reported.is_some(),
            minority: self.is_minority(),
            read_only: self.read_only,
        }
    }

    fn is_minority(&self) -> bool {
        // Compare products, not quotients: a division of integers would round, and 2 of 5 is less
        // than a half.
        let quorum = usize::try_from(self.config.quorum_percent).unwrap_or(usize::MAX);
        self.live.saturating_mul(100) < self.known.saturating_mul(quorum)
    }

    fn is_partitioned(&self) -> bool {
        self.is_minority() || is_mass_failure(self.known.saturating_sub(self.live), self.known)
    }
}

/// Whether so many missing members are a mass failure: at least two, and more than two fifths of
/// all.
///
/// The bound is below a half. A member hears late of some silent members, and the larger side of a
/// cut loses less than half (docs/decisions/0010).
pub fn is_mass_failure(missing: usize, all: usize) -> bool {
    missing >= 2 && missing.saturating_mul(5) > all.saturating_mul(2)
}
