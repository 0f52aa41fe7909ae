//! When the machine has to act next. Timers are values in an ordered queue; nothing calls back.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use kinfolk_core::{Incarnation, Instant, NodeId};

use crate::interface::input::RequestId;

/// What is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Timer {
    /// When to end the current probe and begin the next.
    Probe,
    /// When to ask helpers, because the direct probe of this request has no answer yet.
    ProbeTimeout(RequestId),
    /// When to tell a requester that the member that we probed for it (by this request) has not answered.
    Nack(RequestId),
    /// When to check the port of the subject whose probe this request is, if it has no answer yet (`Mode::Verified`).
    PortCheck(RequestId),
    /// When to probe this subject (`Mode::Verified`).
    Watch(NodeId),
    /// When the round of this number, about this subject, is over.
    Round(NodeId, u64),
    /// When to judge this subject, which we accuse.
    Verdict(NodeId),
    /// When to declare this suspected member failed.
    Suspicion(NodeId),
    /// When the subject of a verdict has had its time to refute it (`Mode::Verified`).
    PendingVerdict(NodeId),
    /// When to send waiting updates to random members.
    Gossip,
    /// When to exchange views with a random member.
    Sync,
    /// When to count who is silent.
    Look,
    /// When to tell that this member flaps no more, unless it does.
    Settle(NodeId),
    /// When to report a conflict about the name of this member, or its end.
    NameConflict(NodeId),
    /// When a trial of our own is over, or the next one begins.
    ReturnCheck,
    /// When to contact a failed member.
    Heal,
    /// When to forget the tombstone of this member, if it is still of this incarnation.
    Reap(NodeId, Incarnation),
}

impl Timer {
    /// Whether it can be done without a word to anybody.
    fn is_inward(&self) -> bool {
        matches!(self, Self::Suspicion(_) | Self::Settle(_) | Self::NameConflict(_) | Self::Reap(..))
    }
}

/// Names one scheduled timer, to cancel it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimerKey {
    number: u64,
    place: u32,
    is_inward: bool,
}

/// All scheduled timers, by time and, at equal time, by the order of scheduling. While they are [held](Self::hold), those
/// that would send something stay where they are.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    /// Those that begin or end something by messages.
    outward: Heap,
    /// Those that only draw conclusions from what we know.
    inward: Heap,
    held: bool,
    scheduled: u64,
}

impl Timers {
    pub(crate) fn schedule(&mut self, at: Instant, timer: Timer) -> TimerKey {
        let (number, is_inward) = (self.scheduled, timer.is_inward());
        self.scheduled += 1;
        let heap = if is_inward { &mut self.inward } else { &mut self.outward };
        TimerKey { number, place: heap.push(at, number, timer), is_inward }
    }

    pub(crate) fn cancel(&mut self, key: TimerKey) {
        let heap = if key.is_inward { &mut self.inward } else { &mut self.outward };
        heap.cancel(key.number, key.place);
    }

    /// When that timer is due, if it is still scheduled.
    pub(crate) fn due_at(&self, key: TimerKey) -> Option<Instant> {
        let heap = if key.is_inward { &self.inward } else { &self.outward };
        heap.due_at(key.number, key.place)
    }

    /// From now on those that would send something are not due, however late it gets.
    pub(crate) fn hold(&mut self) {
        self.held = true;
    }

    /// They are due again, in the order in which they would have been.
    pub(crate) fn release(&mut self) {
        self.held = false;
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.first().map(|(at, ..)| at)
    }

    /// Takes the first timer that is due.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<Timer> {
        let first = self.first().filter(|(at, ..)| *at <= now)?;
        if self.inward.first() == Some(first) { self.inward.pop() } else { self.outward.pop() }
    }

    fn first(&self) -> Option<Entry> {
        let outward = self.outward.first().filter(|_| !self.held);
        match (outward, self.inward.first()) {
            (Some(outward), Some(inward)) => Some(outward.min(inward)),
            (outward, inward) => outward.or(inward),
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.outward.len() + self.inward.len()
    }
}

/// Timers, the first one first.
///
/// Nearly every timer of a probe is cancelled, because the answer comes. Its entry stays then until it is the first there, or
/// until more entries are of no use than not.
#[derive(Debug, Default)]
struct Heap {
    /// The first is always of a timer that is still scheduled.
    entries: BinaryHeap<Reverse<Entry>>,
    places: Vec<Place>,
    free: Vec<u32>,
}

/// When, and at equal time in which order; then where the timer stands.
type Entry = (Instant, u64, u32);

/// The timer that stands here, if there is one, its number, and when it is due.
#[derive(Debug)]
struct Place {
    number: u64,
    at: Instant,
    timer: Option<Timer>,
}

impl Heap {
    /// So many entries of no use are nothing to care about.
    const CANCELLED_MIN: usize = 32;

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

    /// Takes a timer out of its place, if it still stands there.
    fn take(&mut self, number: u64, place: u32) -> Option<Timer> {
        let stands = &mut self.places[place as usize];
        let timer = stands.timer.take_if(|_| stands.number == number)?;
        self.free.push(place);
        Some(timer)
    }

    /// Has a timer that is still scheduled be the first.
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
    fn timers_come_by_time_then_in_the_order_of_scheduling_and_not_early() {
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

    #[test]
    fn what_was_cancelled_or_is_over_hurts_nobody_in_the_same_place_and_leaves_nothing_behind() {
        let at = |ms| Instant::ORIGIN + Duration::from_millis(ms);
        let mut timers = Timers::default();
        let first = timers.schedule(at(0), Timer::Probe);
        assert_eq!(timers.pop_due(at(0)), Some(Timer::Probe));
        let second = timers.schedule(at(9_999), Timer::Sync);
        assert_eq!(first.place, second.place);
        timers.cancel(first);
        assert_eq!((timers.next(), timers.len()), (Some(at(9_999)), 1));
        for ms in 0..1_000 {
            let key = timers.schedule(at(10_000 + ms), Timer::Look);
            timers.cancel(key);
            timers.cancel(key);
        }
        assert_eq!((timers.next(), timers.len(), timers.outward.places.len()), (Some(at(9_999)), 1, 2));
        assert!(timers.outward.entries.len() <= 2 + Heap::CANCELLED_MIN + 1);
    }

    #[test]
    fn while_held_only_those_that_send_nothing_come_and_then_the_rest_in_order() {
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
}
