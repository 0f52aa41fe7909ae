//! The scheduled events, ordered by time and then by the order of scheduling. Nothing is removed
//! before its time. Code that schedules an event which may become obsolete checks at its time
//! whether it still matters.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use kinfolk_core::Instant;

/// An ordered queue of events: a ring of slots, one for each span of time to come (R. Brown,
/// "Calendar queues", CACM 1988).
///
/// Nearly all events are due within seconds. Such an event is linked to the slot of its time in
/// constant time, whatever the number of waiting events. The few events of a slot are sorted only
/// when its time comes. Events beyond the ring wait in a heap.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    /// The events that are due up to the end of the current slot, the first at the end.
    due: Vec<Key>,
    /// The number of the current slot, from the origin.
    slot: u64,
    /// The head of the linked list of each of the next slots; the index is the slot's number modulo
    /// the number of slots.
    ring: Vec<u32>,
    /// The number of events in the ring.
    in_ring: usize,
    /// The events beyond the ring.
    far: BinaryHeap<Reverse<Key>>,
    places: Vec<Place<T>>,
    free: Vec<u32>,
    scheduled: u64,
}

/// The time, the order at equal time, and the place of the event.
type Key = (u64, u64, u32);

/// One event, from its scheduling until it happens.
#[derive(Debug)]
struct Place<T> {
    at: u64,
    number: u64,
    /// The next place in the linked list of its slot.
    next: u32,
    what: Option<T>,
}

/// The number of bits of a time in nanoseconds that lie within a slot: a slot takes 262 us.
const SLOT_BITS: u32 = 18;
/// The number of slots in the ring: together 8.6 s. Most time-outs and intervals of the protocol
/// are shorter.
const SLOTS: u64 = 1 << 15;
/// The end of a linked list.
const NONE: u32 = u32::MAX;

impl<T> Queue<T> {
    /// Schedules an event.
    pub(crate) fn push(&mut self, at: Instant, what: T) {
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place { at: 0, number: 0, next: NONE, what: None });
            u32::try_from(self.places.len() - 1).expect("fewer than 2^32 events wait at a time")
        });
        let (at, number) = (at.as_nanos(), self.scheduled);
        self.scheduled += 1;
        let slot = at >> SLOT_BITS;
        let mut next = NONE;
        if slot <= self.slot {
            // The current slot is sorted already, so insert at the right position.
            let key = (at, number, place);
            let later = self.due.partition_point(|other| *other > key);
            self.due.insert(later, key);
        } else if slot - self.slot < SLOTS {
            next = std::mem::replace(&mut self.ring[in_ring(slot)], place);
            self.in_ring += 1;
        } else {
            self.far.push(Reverse((at, number, place)));
        }
        self.places[place as usize] = Place { at, number, next, what: Some(what) };
    }

    /// Takes the first event, if it is not after `end`.
    pub(crate) fn pop_until(&mut self, end: Instant) -> Option<(Instant, T)> {
        while self.due.is_empty() && self.slot < end.as_nanos() >> SLOT_BITS {
            self.advance(end);
        }
        let (at, _, place) = self.due.pop_if(|(at, ..)| *at <= end.as_nanos())?;
        self.free.push(place);
        let what = self.places[place as usize].what.take().expect("each key has its place");
        Some((Instant::from_nanos(at), what))
    }

    /// Moves to the next slot. If the ring is empty, it moves directly to the slot of the first
    /// event in the heap, or of `end`. So a long quiet time costs one step.
    fn advance(&mut self, end: Instant) {
        let first_far = self.far.peek().map_or(u64::MAX, |Reverse(key)| key.0 >> SLOT_BITS);
        let empty_until = if self.in_ring == 0 { first_far.min(end.as_nanos() >> SLOT_BITS) } else { 0 };
        self.slot = empty_until.max(self.slot + 1);
        let mut place = std::mem::replace(&mut self.ring[in_ring(self.slot)], NONE);
        while place != NONE {
            let Place { at, number, next, .. } = self.places[place as usize];
            self.due.push((at, number, place));
            self.in_ring -= 1;
            place = next;
        }
        while let Some(Reverse(key)) = self.far.peek().filter(|first| first.0.0 >> SLOT_BITS <= self.slot) {
            self.due.push(*key);
            self.far.pop();
        }
        if self.due.len() > 1 {
            self.due.sort_unstable_by(|a, b| b.cmp(a));
        }
    }
}

/// The index of a slot in the ring.
fn in_ring(slot: u64) -> usize {
    usize::try_from(slot % SLOTS).expect("the ring is smaller than the memory")
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self {
            due: Vec::new(),
            slot: 0,
            ring: vec![NONE; in_ring(SLOTS - 1) + 1],
            in_ring: 0,
            far: BinaryHeap::new(),
            places: Vec::new(),
            free: Vec::new(),
            scheduled: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::ORIGIN + Duration::from_millis(ms)
    }

    #[test]
    fn events_come_by_time_then_scheduling_order() {
        let mut queue = Queue::default();
        for (ms, what) in [(5, 'c'), (1, 'a'), (9, 'd'), (1, 'b')] {
            queue.push(at(ms), what);
        }
        let until_5: Vec<_> = std::iter::from_fn(|| queue.pop_until(at(5))).collect();
        assert_eq!(until_5, [(at(1), 'a'), (at(1), 'b'), (at(5), 'c')]);
        queue.push(at(7), 'e');
        assert_eq!((queue.pop_until(at(8)), queue.pop_until(at(8))), (Some((at(7), 'e')), None));
        assert_eq!(queue.pop_until(at(9)), Some((at(9), 'd')));
    }

    #[test]
    fn place_is_reused() {
        let mut queue = Queue::default();
        for ms in 0..1_000 {
            queue.push(at(ms), ms);
            assert_eq!(queue.pop_until(at(ms)), Some((at(ms), ms)));
        }
        assert_eq!(queue.places.len(), 1);
    }

    #[test]
    fn slot_ring_and_heap_give_one_order() {
        let mut rng = kinfolk_core::Rng::from_seed(1);
        let (mut queue, mut expected) = (Queue::default(), Vec::new());
        let mut now = 0;
        for number in 0..20_000_u64 {
            // From less than a slot to several rings.
            let at = now + rng.next_u64() % (1 << (10 + number % 28));
            queue.push(Instant::from_nanos(at), number);
            expected.push((at, number));
            if number % 3 == 0 {
                now += 1 << 20;
                expected.sort_unstable();
                let due = expected.partition_point(|(at, _)| *at <= now);
                let taken: Vec<_> =
                    std::iter::from_fn(|| queue.pop_until(Instant::from_nanos(now))).collect();
                let until_now = expected.drain(..due).map(|(at, number)| (Instant::from_nanos(at), number));
                assert_eq!(taken, until_now.collect::<Vec<_>>());
            }
        }
        expected.sort_unstable();
        let rest: Vec<_> = std::iter::from_fn(|| queue.pop_until(Instant::from_nanos(u64::MAX)))
            .map(|(_, number)| number)
            .collect();
        assert_eq!(rest, expected.into_iter().map(|(_, number)| number).collect::<Vec<_>>());
    }
}
