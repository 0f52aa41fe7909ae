//! What is going to happen, by time and, at equal time, in the order of scheduling. Nothing is ever taken out before its
//! time: whoever schedules something that may be over by then looks whether it is.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use kinfolk_core::Instant;

/// An ordered queue of happenings.
///
/// The heap holds small keys only; what happens stands in a place of its own, so that little is moved when the heap is
/// put in order.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    heap: BinaryHeap<Reverse<Key>>,
    places: Vec<Option<T>>,
    free: Vec<u32>,
    scheduled: u64,
}

/// When, and at equal time in which order; then where it stands.
type Key = (u64, u64, u32);

impl<T> Queue<T> {
    /// Schedules something.
    pub(crate) fn push(&mut self, at: Instant, what: T) {
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(None);
            u32::try_from(self.places.len() - 1).expect("fewer than 2^32 things are under way at a time")
        });
        self.places[place as usize] = Some(what);
        self.heap.push(Reverse((nanos(at), self.scheduled, place)));
        self.scheduled += 1;
    }

    /// Takes what comes first, if that is not after `end`.
    pub(crate) fn pop_until(&mut self, end: Instant) -> Option<(Instant, T)> {
        let first = self.heap.peek_mut().filter(|first| first.0.0 <= nanos(end))?;
        let Reverse((at, _, place)) = std::collections::binary_heap::PeekMut::pop(first);
        self.free.push(place);
        let what = self.places[place as usize].take().expect("each key in the heap has its place");
        Some((Instant::from_origin(std::time::Duration::from_nanos(at)), what))
    }
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self { heap: BinaryHeap::new(), places: Vec::new(), free: Vec::new(), scheduled: 0 }
    }
}

/// Virtual time ends after 584 years.
fn nanos(at: Instant) -> u64 {
    u64::try_from(at.since_origin().as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::ORIGIN + Duration::from_millis(ms)
    }

    #[test]
    fn things_come_by_time_then_in_the_order_of_scheduling_and_not_after_the_end() {
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
    fn a_place_is_used_again() {
        let mut queue = Queue::default();
        for ms in 0..1_000 {
            queue.push(at(ms), ms);
            assert_eq!(queue.pop_until(at(ms)), Some((at(ms), ms)));
        }
        assert_eq!(queue.places.len(), 1);
    }
}
