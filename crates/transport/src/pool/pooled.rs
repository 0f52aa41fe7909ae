//! A connection of the pool with the count of those who use it: the one part of the slots that changes without their
//! lock, so that giving a connection back takes none.
//!
//! Uses begin under the lock, be it shared, and end anywhere. Whoever has the lock alone and finds none therefore knows
//! that there is none and that none begins. Who ends the last use is asked to take the lock only if somebody waits for that end.

use std::time::Duration;

use kinfolk_core::Instant;

use super::ConnId;
use super::sync::{AtomicU64, AtomicUsize, Ordering};

/// The bit beside the count of uses that asks for the end of the last one to be told.
const WATCHED: usize = 1 << (usize::BITS - 1);

/// An established connection, shared by its slot and those who use it.
#[derive(Debug)]
pub(crate) struct Pooled<C> {
    pub(crate) id: ConnId,
    pub(crate) conn: C,
    /// Requests in flight, in both directions; and `WATCHED`.
    uses: AtomicUsize,
    /// When a use ended last, in nanoseconds. It is written before the use is taken from the count, and read after the
    /// count: whoever finds no use (`Acquire`, with the `Release` of each end) finds the time of the last end too.
    used_last: AtomicU64,
    /// Callers that found it ready.
    reused: AtomicU64,
}

impl<C> Pooled<C> {
    /// A connection that `uses` callers have from the start.
    pub(super) fn new(id: ConnId, conn: C, uses: usize, now: Instant) -> Self {
        Self {
            id,
            conn,
            uses: AtomicUsize::new(uses),
            used_last: AtomicU64::new(nanos(now)),
            reused: AtomicU64::new(0),
        }
    }

    /// How many use it. Only for who has the lock alone is it more than a guess: the count can fall then, not rise.
    pub(super) fn uses(&self) -> usize {
        self.uses.load(Ordering::Acquire) & !WATCHED
    }

    /// Since when nobody has used it; only meaningful while there are no uses.
    pub(super) fn idle_since(&self) -> Instant {
        Instant::from_origin(Duration::from_nanos(self.used_last.load(Ordering::Relaxed)))
    }

    /// Counts the use of a caller that found it ready. Only with the lock held, be it shared.
    pub(super) fn reuse(&self) {
        self.begin(1);
        self.reused.fetch_add(1, Ordering::Relaxed);
    }

    /// How many callers found it ready.
    pub(super) fn reused(&self) -> u64 {
        self.reused.load(Ordering::Relaxed)
    }

    /// Counts further uses. Only with the lock held, be it shared.
    pub(super) fn begin(&self, uses: usize) {
        self.uses.fetch_add(uses, Ordering::Relaxed);
    }

    /// Asks for the end of the last use to be told, from now on; says how many there are. Only with the lock alone.
    ///
    /// One step does both, so that a use is either counted here or told of when it ends.
    pub(super) fn watch(&self) -> usize {
        self.uses.fetch_or(WATCHED, Ordering::Acquire) & !WATCHED
    }

    /// Ends a use. True if that was the last one and somebody waits for its end:
    /// [`Slots::unused`](super::slots::Slots::unused) is to be called then.
    #[must_use]
    pub(crate) fn end(&self, now: Instant) -> bool {
        self.used_last.store(nanos(now), Ordering::Relaxed);
        let before = self.uses.fetch_sub(1, Ordering::Release);
        assert!(before & !WATCHED > 0, "each use is ended once");
        before == WATCHED | 1
    }
}

/// The time as a number: it lasts for 584 years.
fn nanos(time: Instant) -> u64 {
    u64::try_from(time.since_origin().as_nanos()).unwrap_or(u64::MAX)
}
