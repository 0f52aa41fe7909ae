//! A connection of the pool with the count of those who use it: the one part of the slots that changes without their
//! lock, so that giving a connection back takes none.
//!
//! Uses begin under the lock, be it shared, and end anywhere. Whoever has the lock alone and finds none therefore knows
//! that there is none and that none begins. Who ends the last use is asked to take the lock only if somebody waits for that end.

use std::time::Duration;

use kinfolk_core::Instant;

use super::ConnId;
use super::sync::{AtomicU64, Ordering};

/// The part of the tally that counts the uses: 2^31 of them at a time are more than memory holds.
const USES: u64 = WATCHED - 1;
/// The bit of the tally that asks for the end of the last use to be told.
const WATCHED: u64 = 1 << 31;
/// One caller that found the connection ready. The count stands in the upper half of the tally and begins anew at 2^32.
const REUSE: u64 = 1 << 32;

/// An established connection, shared by its slot and those who use it.
///
/// Who takes or gives it back writes, where that can be, to one cache line only: one word tells all that is counted, and in
/// memory it follows the counts of the `Arc` around it. What is only read lies apart, so that reading it does not wait for
/// those who write.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Pooled<C> {
    /// Requests in flight, in both directions; `WATCHED`; and how many callers found it ready.
    tally: AtomicU64,
    /// When a use ended last, in nanoseconds. It is written before the use is taken from the count, and read after the
    /// count: whoever finds no use (`Acquire`, with the `Release` of each end) finds the time of the last end too.
    used_last: AtomicU64,
    _apart: [u64; 6],
    pub(crate) id: ConnId,
    pub(crate) conn: C,
}

impl<C> Pooled<C> {
    /// A connection that `uses` callers have from the start.
    pub(super) fn new(id: ConnId, conn: C, uses: usize, now: Instant) -> Self {
        let (tally, used_last) = (AtomicU64::new(uses as u64), AtomicU64::new(nanos(now)));
        Self { tally, used_last, _apart: [0; 6], id, conn }
    }

    /// How many use it. Only for who has the lock alone is it more than a guess: the count can fall then, not rise.
    pub(super) fn uses(&self) -> usize {
        uses_of(self.tally.load(Ordering::Acquire))
    }

    /// Since when nobody has used it; only meaningful while there are no uses.
    pub(super) fn idle_since(&self) -> Instant {
        Instant::from_origin(Duration::from_nanos(self.used_last.load(Ordering::Relaxed)))
    }

    /// Counts the use of a caller that found it ready. Only with the lock held, be it shared.
    pub(super) fn reuse(&self) {
        self.tally.fetch_add(REUSE + 1, Ordering::Relaxed);
    }

    /// How many callers found it ready, modulo 2^32.
    pub(super) fn reused(&self) -> u64 {
        self.tally.load(Ordering::Relaxed) / REUSE
    }

    /// Counts further uses. Only with the lock held, be it shared.
    pub(super) fn begin(&self, uses: usize) {
        self.tally.fetch_add(uses as u64, Ordering::Relaxed);
    }

    /// Asks for the end of the last use to be told, from now on; says how many there are. Only with the lock alone.
    ///
    /// One step does both, so that a use is either counted here or told of when it ends.
    pub(super) fn watch(&self) -> usize {
        uses_of(self.tally.fetch_or(WATCHED, Ordering::Acquire))
    }

    /// Ends a use. True if that was the last one and somebody waits for its end:
    /// [`Slots::unused`](super::slots::Slots::unused) is to be called then.
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

/// The time as a number: it lasts for 584 years.
fn nanos(time: Instant) -> u64 {
    u64::try_from(time.since_origin().as_nanos()).unwrap_or(u64::MAX)
}
