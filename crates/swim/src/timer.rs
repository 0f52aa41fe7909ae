//! When the machine has to act next. Timers are values in an ordered queue; nothing calls back.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use kinfolk_core::{Incarnation, Instant, NodeId};

use crate::input::RequestId;

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
    Knock(RequestId),
    /// When to probe this subject (`Mode::Verified`).
    Watch(NodeId),
    /// When the round of this number, about this subject, is over.
    Round(NodeId, u64),
    /// When to judge this subject, which we accuse.
    Verdict(NodeId),
    /// When to declare this suspected member failed.
    Suspicion(NodeId),
    /// When the subject of a verdict has had its time to refute it (`Mode::Verified`).
    Dispute(NodeId),
    /// When to send waiting updates to random members.
    Gossip,
    /// When to exchange views with a random member.
    Sync,
    /// When to count who is silent.
    Look,
    /// When to tell that this member flaps no more, unless it does.
    Settle(NodeId),
    /// When a trial of our own is over, or the next one begins.
    Comeback,
    /// When to contact a failed member.
    Heal,
    /// When to forget the tombstone of this member, if it is still of this incarnation.
    Reap(NodeId, Incarnation),
}

/// Names one scheduled timer, to cancel it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimerKey {
    number: u64,
    place: u32,
}

/// All scheduled timers, by time and, at equal time, by the order of scheduling.
///
/// Nearly every timer of a probe is cancelled, because the answer comes. Its entry in the heap stays then until it is the first
/// there, or until more entries are of no use than not.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    /// The first is always of a timer that is still scheduled.
    heap: BinaryHeap<Reverse<Entry>>,
    places: Vec<Place>,
    free: Vec<u32>,
    scheduled: u64,
}

/// When, and at equal time in which order; then where the timer stands.
type Entry = (Instant, u64, u32);

/// The timer that stands here, if there is one, and its number.
#[derive(Debug)]
struct Place {
    number: u64,
    timer: Option<Timer>,
}

impl Timers {
    /// So many entries of no use are nothing to care about.
    const CANCELLED_MIN: usize = 32;

    pub(crate) fn schedule(&mut self, at: Instant, timer: Timer) -> TimerKey {
        let number = self.scheduled;
        self.scheduled += 1;
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place { number, timer: None });
            u32::try_from(self.places.len() - 1).expect("each timer is about a member or a request")
        });
        self.places[place as usize] = Place { number, timer: Some(timer) };
        self.heap.push(Reverse((at, number, place)));
        TimerKey { number, place }
    }

    pub(crate) fn cancel(&mut self, key: TimerKey) {
        if self.take(key).is_some() {
            let Self { heap, places, .. } = self;
            if heap.len() > 2 * (places.len() - self.free.len()) + Self::CANCELLED_MIN {
                heap.retain(|entry| is_scheduled(places, entry.0));
            }
            self.drop_cancelled();
        }
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, ..))| *at)
    }

    /// Takes the first timer that is due.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<Timer> {
        let Reverse((_, number, place)) = *self.heap.peek().filter(|first| first.0.0 <= now)?;
        self.heap.pop();
        let due = self.take(TimerKey { number, place });
        self.drop_cancelled();
        due
    }

    /// Takes a timer out of its place, if it still stands there.
    fn take(&mut self, key: TimerKey) -> Option<Timer> {
        let place = &mut self.places[key.place as usize];
        let timer = place.timer.take_if(|_| place.number == key.number)?;
        self.free.push(key.place);
        Some(timer)
    }

    /// Has a timer that is still scheduled be the first.
    fn drop_cancelled(&mut self) {
        while self.heap.peek().is_some_and(|first| !is_scheduled(&self.places, first.0)) {
            self.heap.pop();
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
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
        assert_eq!((timers.next(), timers.len(), timers.places.len()), (Some(at(9_999)), 1, 2));
        assert!(timers.heap.len() <= 2 + Timers::CANCELLED_MIN + 1);
    }
}
