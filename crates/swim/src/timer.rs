//! The timers of the machine. Timers are values in an ordered queue, and there are no callbacks.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use kinfolk_core::{Incarnation, Instant, NodeId};

use crate::interface::input::RequestId;

/// What to do when a timer is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Timer {
    /// End the current probe and start the next (`Mode::Swim`, `Mode::Lifeguard`).
    Probe,
    /// Ask helpers, because the direct probe of this request has no answer yet.
    ProbeTimeout(RequestId),
    /// Send a nack to a requester, because this request to its target has no answer yet.
    Nack(RequestId),
    /// Check the port of a subject, because this probe of it has no answer yet (`Mode::Verified`).
    PortCheck(RequestId),
    /// Probe this subject (`Mode::Verified`).
    Watch(NodeId),
    /// End the round of witnesses of this number, about this subject.
    Round(NodeId, u64),
    /// Give the verdict about this subject, which this member accuses.
    Verdict(NodeId),
    /// Declare this suspected member failed.
    Suspicion(NodeId),
    /// The subject of an old verdict has had its time to refute it (`Mode::Verified`).
    PendingVerdict(NodeId),
    /// Send the waiting updates.
    Gossip,
    /// Start an anti-entropy round.
    Sync,
    /// Count the silent members.
    CountSilent,
    /// Report that this member does not flap any more, if it has been quiet.
    FlapQuiet(NodeId),
    /// Report a conflict about the name of this member, or the end of the conflict.
    NameConflict(NodeId),
    /// End a return check, or start the next one.
    ReturnCheck,
    /// Contact a failed member.
    Heal,
    /// Remove the tombstone of this member, if it is still of this incarnation.
    Reap(NodeId, Incarnation),
}

impl Timer {
    /// Whether its handling sends no message. Such a timer runs during back-pressure too.
    fn sends_nothing(&self) -> bool {
        matches!(self, Self::Suspicion(_) | Self::FlapQuiet(_) | Self::NameConflict(_) | Self::Reap(..))
    }
}

/// Names one scheduled timer, to cancel it.
///
/// The number tells it apart from a later timer in the same place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimerKey {
    number: u64,
    place: u32,
    sends_nothing: bool,
}

/// All scheduled timers, by time and, at equal times, in the order of scheduling. While timers are
/// [held](Self::hold), those that may send a message are not due.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    /// Timers that may send a message.
    sending: Heap,
    /// Timers that send nothing. A heap of their own lets the others wait without being moved.
    silent: Heap,
    held: bool,
    scheduled: u64,
}

impl Timers {
    pub(crate) fn schedule(&mut self, at: Instant, timer: Timer) -> TimerKey {
        let (number, sends_nothing) = (self.scheduled, timer.sends_nothing());
        self.scheduled += 1;
        let heap = if sends_nothing { &mut self.silent } else { &mut self.sending };
        TimerKey { number, place: heap.push(at, number, timer), sends_nothing }
    }

    /// Cancels a timer. Does nothing if the timer was due or cancelled before.
    pub(crate) fn cancel(&mut self, key: TimerKey) {
        let heap = if key.sends_nothing { &mut self.silent } else { &mut self.sending };
        heap.cancel(key.number, key.place);
    }

    /// When this timer is due, if it is still scheduled.
    pub(crate) fn due_at(&self, key: TimerKey) -> Option<Instant> {
        let heap = if key.sends_nothing { &self.silent } else { &self.sending };
        heap.due_at(key.number, key.place)
    }

    /// From now on timers that may send a message are not due, at any time.
    pub(crate) fn hold(&mut self) {
        self.held = true;
    }

    /// The held timers are due again, in their usual order.
    pub(crate) fn release(&mut self) {
        self.held = false;
    }

    /// When the next timer is due that is not held.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.first().map(|(at, ..)| at)
    }

    /// Takes the first timer that is due.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<Timer> {
        let first = self.first().filter(|(at, ..)| *at <= now)?;
        if self.silent.first() == Some(first) { self.silent.pop() } else { self.sending.pop() }
    }

    fn first(&self) -> Option<Entry> {
        let sending = self.sending.first().filter(|_| !self.held);
        match (sending, self.silent.first()) {
            // Timer numbers are unique over both heaps, so the order at equal times is that of
            // scheduling.
            (Some(sending), Some(silent)) => Some(sending.min(silent)),
            (sending, silent) => sending.or(silent),
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.sending.len() + self.silent.len()
    }
}

/// Timers in a binary heap, the earliest first.
///
/// Nearly every timer of a probe is cancelled, because the answer comes in time. A cancelled entry
/// stays in the heap until it is the first, or until more than half of the entries are cancelled.
/// That is cheaper than a removal from the middle for each probe.
#[derive(Debug, Default)]
struct Heap {
    /// The first entry always belongs to a scheduled timer, so `first` needs no search.
    entries: BinaryHeap<Reverse<Entry>>,
    places: Vec<Place>,
    /// The empty places, to use again.
    free: Vec<u32>,
}

/// The time, the number of the timer, and its index in `places`. The number orders equal times.
type Entry = (Instant, u64, u32);

/// A place for a timer: the number of its last timer, when it is due, and the timer itself, if it
/// is still scheduled.
#[derive(Debug)]
struct Place {
    number: u64,
    at: Instant,
    timer: Option<Timer>,
}

impl Heap {
    /// Up to this many cancelled entries are kept in any case, so that a small heap is not rebuilt
    /// again and again.
    const CANCELLED_MIN: usize = 32;

    /// Adds a timer. Returns its place.
    fn push(&mut self, at: Instant, number: u64, timer: Timer) -> u32 {
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place { number, at, timer: None });
            u32::try_from(self.places.len() - 1).expect("each timer is about a member or a request")
        });
        self.places[place as usize] = Place { number, at, timer: Some(timer) };
        self.entries.push(Reverse((at, number, place)));
        place
    }

    fn cancel(&mut self, number: u64, place: u32) {
        if self.take(number, place).is_some() {
            let Self { entries, places, .. } = self;
            if entries.len() > 2 * (places.len() - self.free.len()) + Self::CANCELLED_MIN {
                entries.retain(|entry| is_scheduled(places, entry.0));
            }
            self.drop_cancelled();
        }
    }

    fn due_at(&self, number: u64, place: u32) -> Option<Instant> {
        let at = self.places[place as usize].at;
        is_scheduled(&self.places, (at, number, place)).then_some(at)
    }

    fn first(&self) -> Option<Entry> {
        self.entries.peek().map(|Reverse(first)| *first)
    }

    fn pop(&mut self) -> Option<Timer> {
        let Reverse((_, number, place)) = self.entries.pop()?;
        let first = self.take(number, place);
        self.drop_cancelled();
        first
    }

    /// Takes a timer out of its place, if the place still has that timer.
    fn take(&mut self, number: u64, place: u32) -> Option<Timer> {
        let found = &mut self.places[place as usize];
        let timer = found.timer.take_if(|_| found.number == number)?;
        self.free.push(place);
        Some(timer)
    }

    /// Removes cancelled entries until the first one belongs to a scheduled timer.
    fn drop_cancelled(&mut self) {
        while self.entries.peek().is_some_and(|first| !is_scheduled(&self.places, first.0)) {
            self.entries.pop();
        }
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }
}

fn is_scheduled(places: &[Place], (_, number, place): Entry) -> bool {
    let place = &places[place as usize];
    place.number == number && place.timer.is_some()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn timers_are_due_by_time_then_in_the_order_of_scheduling() {
        let at = |ms| Instant::ORIGIN + Duration::from_millis(ms);
        let mut timers = Timers::default();
        timers.schedule(at(2), Timer::Sync);
        timers.schedule(at(1), Timer::Probe);
        let cancelled = timers.schedule(at(1), Timer::Sync);
        timers.schedule(at(1), Timer::Gossip);
        timers.cancel(cancelled);
        assert_eq!((timers.next(), timers.pop_due(at(0))), (Some(at(1)), None));
        let due: Vec<_> = std::iter::from_fn(|| timers.pop_due(at(2))).collect();
        assert_eq!(due, [Timer::Probe, Timer::Gossip, Timer::Sync]);
    }

    /// Also: cancelled timers leave no places, and few entries, behind.
    #[test]
    fn old_key_does_not_cancel_a_new_timer_in_the_same_place() {
        let at = |ms| Instant::ORIGIN + Duration::from_millis(ms);
        let mut timers = Timers::default();
        let first = timers.schedule(at(0), Timer::Probe);
        assert_eq!(timers.pop_due(at(0)), Some(Timer::Probe));
        let second = timers.schedule(at(9_999), Timer::Sync);
        assert_eq!(first.place, second.place);
        timers.cancel(first);
        assert_eq!((timers.next(), timers.len()), (Some(at(9_999)), 1));
        for ms in 0..1_000 {
            let key = timers.schedule(at(10_000 + ms), Timer::CountSilent);
            timers.cancel(key);
            timers.cancel(key);
        }
        assert_eq!((timers.next(), timers.len(), timers.sending.places.len()), (Some(at(9_999)), 1, 2));
        assert!(timers.sending.entries.len() <= 2 + Heap::CANCELLED_MIN + 1);
    }

    #[test]
    fn held_timers_wait_and_are_due_in_order_after_release() {
        let at = |ms| Instant::ORIGIN + Duration::from_millis(ms);
        let name = NodeId::new("a").unwrap();
        let mut timers = Timers::default();
        let cancelled = timers.schedule(at(1), Timer::Heal);
        timers.schedule(at(2), Timer::Sync);
        timers.schedule(at(3), Timer::Suspicion(name.clone()));
        timers.schedule(at(1), Timer::Probe);
        timers.hold();
        timers.cancel(cancelled);
        assert_eq!((timers.next(), timers.pop_due(at(9))), (Some(at(3)), Some(Timer::Suspicion(name))));
        assert_eq!((timers.next(), timers.pop_due(at(9))), (None, None));
        timers.release();
        let due: Vec<_> = std::iter::from_fn(|| timers.pop_due(at(9))).collect();
        assert_eq!(due, [Timer::Probe, Timer::Sync]);
    }

    /// With 100 timers scheduled, up to 232 entries are kept.
    #[test]
    fn heap_is_rebuilt_beyond_its_bound_of_entries() {
        let at = |ms| Instant::ORIGIN + Duration::from_millis(ms);
        let mut timers = Timers::default();
        for ms in 0..100 {
            timers.schedule(at(ms), Timer::Sync);
        }
        let mut entries_after = |cancelled: usize| {
            for _ in 0..cancelled {
                let key = timers.schedule(at(9_999), Timer::Probe);
                timers.cancel(key);
            }
            timers.sending.entries.len()
        };
        assert_eq!([entries_after(132), entries_after(1), entries_after(1)], [232, 100, 101]);
        assert_eq!(timers.len(), 100);
    }
}
