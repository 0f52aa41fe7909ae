//! A connection of the pool, with the count of its uses. Only this part of the slots changes
//! without their lock. So giving a connection back takes no lock.
//!
//! A use begins under the lock, shared or exclusive, and ends anywhere. A thread with the exclusive
//! lock that finds no use therefore knows that there is none and that none begins. The thread that
//! ends the last use must take the lock only if some code watches for that end.

use std::time::Duration;

use kinfolk_core::Instant;

use super::ConnId;
use super::sync::{AtomicU64, Ordering};

/// The bits of the tally that count the uses. 2^31 uses at a time exceed any memory.
const USES: u64 = WATCHED - 1;
/// The bit of the tally that requests a report when the last use ends.
const WATCHED: u64 = 1 << 31;
/// One caller that found the connection ready. This count is the upper half of the tally and wraps
/// at 2^32.
const REUSE: u64 = 1 << 32;

/// An established connection, shared by its slot and its users.
///
/// Taking it or giving it back writes to one cache line only, where possible. One word holds all
/// counts, and in memory it follows the counts of the surrounding `Arc`. Fields that are only read
/// are on another line, so that a reader does not wait for writers.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Pooled<C> {
    /// The requests in flight, in both directions; `WATCHED`; and the number of callers that found
    /// it ready.
    tally: AtomicU64,
    /// The time when a use last ended, in nanoseconds. A thread writes it before it decrements the
    /// count, and reads it after the count. `Acquire` on the count, with the `Release` of each end,
    /// makes the time of the last end visible to a thread that finds no use.
    used_last: AtomicU64,
    _apart: [u64; 6],
    pub(crate) id: ConnId,
    pub(crate) conn: C,
}

impl<C> Pooled<C> {
    /// A connection with `uses` users from the start.
    pub(super) fn new(id: ConnId, conn: C, uses: usize, now: Instant) -> Self {
        let (tally, used_last) = (AtomicU64::new(uses as u64), AtomicU64::new(nanos(now)));
        Self { tally, used_last, _apart: [0; 6], id, conn }
    }

    /// The number of uses. It is exact only under the exclusive lock; even then it may fall, but
    /// not rise.
    pub(super) fn uses(&self) -> usize {
        uses_of(self.tally.load(Ordering::Acquire))
    }

    /// The time since which the connection is unused. Valid only while there are no uses.
    pub(super) fn idle_since(&self) -> Instant {
        Instant::from_origin(Duration::from_nanos(self.used_last.load(Ordering::Relaxed)))
    }

    /// Counts the use of a caller that found the connection ready. Requires the lock, shared or
    /// exclusive.
    pub(super) fn reuse(&self) {
        self.tally.fetch_add(REUSE + 1, Ordering::Relaxed);
    }

    /// How many callers found the connection ready, modulo 2^32.
    pub(super) fn reused(&self) -> u64 {
        self.tally.load(Ordering::Relaxed) / REUSE
    }

    /// Counts further uses. Requires the lock, shared or exclusive.
    pub(super) fn begin(&self, uses: usize) {
        self.tally.fetch_add(uses as u64, Ordering::Relaxed);
    }

    /// Requests a report when the last use ends. Returns the number of uses. Requires the exclusive
    /// lock.
    ///
    /// One atomic step does both. So each use is either counted here or reported when it ends.
    pub(super) fn watch(&self) -> usize {
        uses_of(self.tally.fetch_or(WATCHED, Ordering::Acquire))
    }

    /// Ends a use. Returns true if it was the last use and some code watches for its end. Then the
    /// caller must call [`Slots::unused`](super::slots::Slots::unused).
    #[must_use]
    pub(crate) fn end(&self, now: Instant) -> bool {
        self.used_last.store(nanos(now), Ordering::Relaxed);
        let before = self.tally.fetch_sub(1, Ordering::Release);
        assert!(uses_of(before) > 0, "each use is ended once");
        before & (WATCHED | USES) == WATCHED | 1
    }
}

fn uses_of(tally: u64) -> usize {
    usize::try_from(tally & USES).unwrap_or(usize::MAX)
}

/// The time in nanoseconds. A `u64` holds 584 years of them.
fn nanos(time: Instant) -> u64 {
    u64::try_from(time.since_origin().as_nanos()).unwrap_or(u64::MAX)
}
