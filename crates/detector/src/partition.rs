//! Whether the group is cut in two, and whether we are on the smaller side: a matter of counting who lives. It says what
//! it sees and decides nothing: verdicts are the protocol's, and what a minority should not do is the application's.

use std::time::Duration;

use kinfolk_core::{ClusterEvent, Instant};

/// The settings of a [`PartitionDetector`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionConfig {
    /// With how many in a hundred of the highest known size we are no minority, 1 to 100. Default 50: both halves of an even
    /// split have it. 51 makes both of them a minority.
    pub quorum_percent: u32,
    /// For how long it must be so before it is told. Default 5 s.
    pub notice: Duration,
    /// For how long we must be in the minority before [`PartitionStatus::read_only`]. Default 30 s.
    pub grace: Duration,
}

impl Default for PartitionConfig {
    fn default() -> Self {
        Self { quorum_percent: 50, notice: Duration::from_secs(5), grace: Duration::from_secs(30) }
    }
}

/// How many there are, ourselves included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Who lives and is not suspected.
    pub live: usize,
    /// Who belongs to the group: the living and the suspected.
    pub members: usize,
    /// Who has failed and is not forgotten yet.
    pub failed: usize,
}

/// How the group stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PartitionStatus {
    /// How many live and are not suspected, as far as we know, ourselves included.
    pub live: usize,
    /// The highest known size of the group: lower by one with each that leaves or is forgotten.
    pub known: usize,
    /// Whether a partition has been told that has not healed.
    pub partitioned: bool,
    /// Whether `live` is below the quorum of `known`.
    pub minority: bool,
    /// Whether that has been so for the whole grace: who must not act in a minority should not act now.
    pub read_only: bool,
}

/// Counts who lives and says when that becomes a partition, and when it has healed. Pure: whoever calls says what time it is.
///
/// A partition is: fewer than the quorum live, or at least two and more than two fifths are missing, which both sides of a
/// cut in two halves see.
#[derive(Debug, Clone)]
pub struct PartitionDetector {
    config: PartitionConfig,
    live: usize,
    known: usize,
    /// Since when it has been a partition.
    since: Option<Instant>,
    /// Since when we have been in the minority.
    below: Option<Instant>,
    /// Whether it was told, and as a minority or not.
    told: Option<bool>,
    read_only: bool,
}

impl PartitionDetector {
    /// One that knows ourselves alone.
    pub fn new(config: PartitionConfig) -> Self {
        Self { config, live: 1, known: 1, since: None, below: None, told: None, read_only: false }
    }

    /// Somebody has come or gone. Time plays no part yet: that is up to [`observe`](Self::observe).
    pub fn resize(&mut self, counts: Counts) {
        self.live = counts.live;
        // Who failed and was replaced under another name is not counted twice, and who is forgotten not at all.
        self.known = self.known.max(counts.members).min(counts.members + counts.failed);
    }

    /// One that counted has left on purpose: the group is meant to be smaller.
    pub fn left(&mut self) {
        self.known = self.known.saturating_sub(1);
    }

    /// How it stands at `now`. It should be called each second while [`is_whole`](Self::is_whole) is not so.
    pub fn observe(&mut self, now: Instant, counts: Counts) -> Option<ClusterEvent> {
        self.resize(counts);
        let (live, known, minority) = (self.live, self.known, self.is_minority());
        self.below = minority.then(|| self.below.unwrap_or(now));
        self.read_only = self.below.is_some_and(|since| now.since(since) >= self.config.grace);
        if !self.is_parted() {
            let lasted = now.since(self.since.take().unwrap_or(now));
            return self.told.take().map(|_| ClusterEvent::PartitionHealed { live, known, lasted });
        }
        let since = *self.since.get_or_insert(now);
        let noticed = |since| now.since(since) >= self.config.notice;
        let is_news = match self.told {
            None => noticed(since),
            Some(minority) => !minority && self.below.is_some_and(noticed),
        };
        is_news.then(|| {
            self.told = Some(minority);
            ClusterEvent::PartitionDetected { minority, live, known }
        })
    }

    /// We were paused ourselves for this long: no time that we noticed.
    pub fn paused(&mut self, by: Duration) {
        for since in [&mut self.since, &mut self.below].into_iter().flatten() {
            *since += by;
        }
    }

    /// Whether nothing speaks for a partition.
    pub fn is_whole(&self) -> bool {
        self.since.is_none() && !self.is_parted()
    }

    /// How it stands.
    pub fn status(&self) -> PartitionStatus {
        PartitionStatus {
            live: self.live,
            known: self.known,
            partitioned: self.told.is_some(),
            minority: self.is_minority(),
            read_only: self.read_only,
        }
    }

    fn is_minority(&self) -> bool {
        // As products, because 2 of 5 is less than a half, whatever a division of whole numbers says.
        let quorum = usize::try_from(self.config.quorum_percent).unwrap_or(usize::MAX);
        self.live.saturating_mul(100) < self.known.saturating_mul(quorum)
    }

    fn is_parted(&self) -> bool {
        self.is_minority() || is_mass(self.known.saturating_sub(self.live), self.known)
    }
}

/// Whether so many missing ones are nearly half of all or more: at least two, and more than two fifths. It is less than a
/// half, because a member hears a little late of some that are silent, and the larger side of a cut loses less than half.
pub fn is_mass(missing: usize, all: usize) -> bool {
    missing >= 2 && missing.saturating_mul(5) > all.saturating_mul(2)
}
