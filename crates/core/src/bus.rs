//! How events reach the application: one bounded channel a subscriber, so that a slow one loses its own oldest events
//! and never slows another, nor the protocol.

use std::fmt;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError};
use parking_lot::Mutex;

use crate::event::ClusterEvent;

/// Hands every event to every subscriber. Cloning shares it.
#[derive(Clone, Default)]
pub struct EventBus(Arc<Bus>);

#[derive(Default)]
struct Bus {
    subscribers: Mutex<Subscribers>,
    dropped: AtomicU64,
}

#[derive(Default)]
struct Subscribers {
    list: Vec<Subscriber>,
    closed: bool,
}

/// The bus's end of one subscription.
struct Subscriber {
    sender: Sender<(u64, ClusterEvent)>,
    /// The subscriber's own channel, to take the oldest event out when it is full.
    oldest: Receiver<(u64, ClusterEvent)>,
    /// How many events it may hold. Only the bus adds any, under its lock.
    capacity: NonZeroUsize,
    /// The number of the next event; a gap in the numbers is what tells the subscriber how many it lost.
    next: u64,
    waiting: Weak<Mutex<Option<Waker>>>,
}

impl EventBus {
    /// How many unread events a subscriber holds by default.
    pub const CAPACITY: NonZeroUsize = NonZeroUsize::new(1_000).expect("it is not zero");

    /// A bus without subscribers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Subscribes to all events from now on, with room for [`CAPACITY`](Self::CAPACITY) unread ones.
    pub fn subscribe(&self) -> Subscription {
        self.subscribe_with_capacity(Self::CAPACITY)
    }

    /// Subscribes with room for `capacity` unread events. On a closed bus the subscription ends at once.
    pub fn subscribe_with_capacity(&self, capacity: NonZeroUsize) -> Subscription {
        // It grows as it fills. A bounded one takes the memory of all its places at once, and each subscriber is bounded here.
        let (sender, receiver) = crossbeam_channel::unbounded();
        let waiting = Arc::new(Mutex::new(None));
        let mut subscribers = self.0.subscribers.lock();
        if !subscribers.closed {
            let (oldest, waiting) = (receiver.clone(), Arc::downgrade(&waiting));
            subscribers.list.push(Subscriber { sender, oldest, capacity, next: 0, waiting });
        }
        Subscription { receiver, waiting, next: 0, held: None }
    }

    /// Gives `event` to every subscriber, and never waits: where a subscriber is full, its oldest event is dropped.
    pub fn publish(&self, event: &ClusterEvent) {
        let mut subscribers = self.0.subscribers.lock();
        subscribers.list.retain_mut(|subscriber| match subscriber.push(event.clone()) {
            Some(dropped) => {
                self.0.dropped.fetch_add(dropped, Ordering::Relaxed);
                true
            }
            None => false,
        });
    }

    /// Ends every subscription after what it still holds, and every later one at once. The last phase of a shutdown.
    pub fn close(&self) {
        let mut subscribers = self.0.subscribers.lock();
        subscribers.closed = true;
        for Subscriber { sender, waiting, .. } in subscribers.list.drain(..) {
            drop(sender);
            wake(&waiting);
        }
    }

    /// How many events all subscribers together have lost.
    pub fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }

    /// How many subscribers there are.
    pub fn subscriber_count(&self) -> usize {
        let mut subscribers = self.0.subscribers.lock();
        subscribers.list.retain(|subscriber| subscriber.waiting.strong_count() > 0);
        subscribers.list.len()
    }
}

impl Subscriber {
    /// Adds an event and says how many had to go for it; `None` if the subscription was dropped.
    fn push(&mut self, event: ClusterEvent) -> Option<u64> {
        if self.waiting.strong_count() == 0 {
            return None;
        }
        let mut dropped = 0;
        while self.sender.len() >= self.capacity.get() {
            // The subscriber may have read it meanwhile: then there is room, and nothing was lost.
            dropped += u64::from(self.oldest.try_recv().is_ok());
        }
        // Its own receiver is here too, so that it is not closed.
        let _sent = self.sender.send((self.next, event));
        self.next += 1;
        wake(&self.waiting);
        Some(dropped)
    }
}

fn wake(waiting: &Weak<Mutex<Option<Waker>>>) {
    let waker = waiting.upgrade().and_then(|waiting| waiting.lock().take());
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// One subscriber's events, to be read by a thread ([`recv`](Self::recv)) or a task ([`next`](Self::next), or as a
/// [`Stream`](futures_core::Stream)). Dropping it ends the subscription.
///
/// A subscriber that falls behind by more than its capacity loses its oldest events and reads
/// [`ClusterEvent::EventsDropped`] with the exact number in their place.
pub struct Subscription {
    receiver: Receiver<(u64, ClusterEvent)>,
    waiting: Arc<Mutex<Option<Waker>>>,
    /// The number that the next event has if none is lost.
    next: u64,
    /// The event behind a gap, while the gap itself is being told.
    held: Option<ClusterEvent>,
}

impl Subscription {
    /// Waits for the next event, blocking the thread; `None` once the bus is closed and all is read.
    pub fn recv(&mut self) -> Option<ClusterEvent> {
        self.held.take().or_else(|| self.receiver.recv().ok().map(|item| self.told(item)))
    }

    /// As [`recv`](Self::recv), for at most `limit`; `None` also when that is over.
    pub fn recv_timeout(&mut self, limit: Duration) -> Option<ClusterEvent> {
        if let Some(held) = self.held.take() {
            return Some(held);
        }
        match self.receiver.recv_timeout(limit) {
            Ok(item) => Some(self.told(item)),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => None,
        }
    }

    /// The next event if there is one.
    pub fn try_recv(&mut self) -> Option<ClusterEvent> {
        self.held.take().or_else(|| self.receiver.try_recv().ok().map(|item| self.told(item)))
    }

    /// Waits for the next event as a task; `None` once the bus is closed and all is read.
    ///
    /// # Cancel safety
    /// Dropping the future loses no event.
    pub async fn next(&mut self) -> Option<ClusterEvent> {
        std::future::poll_fn(|cx| self.poll_event(cx)).await
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<ClusterEvent>> {
        if let Some(held) = self.held.take() {
            return Poll::Ready(Some(held));
        }
        // Looks again after leaving the waker: an event that came in between has found none to wake.
        for registered in [false, true] {
            match self.receiver.try_recv() {
                Ok(item) => return Poll::Ready(Some(self.told(item))),
                Err(TryRecvError::Disconnected) => return Poll::Ready(None),
                Err(TryRecvError::Empty) if registered => break,
                Err(TryRecvError::Empty) => *self.waiting.lock() = Some(cx.waker().clone()),
            }
        }
        Poll::Pending
    }

    /// The event of `item`, or the gap before it, behind which the event then waits.
    fn told(&mut self, (number, event): (u64, ClusterEvent)) -> ClusterEvent {
        let count = number - self.next;
        self.next = number + 1;
        if count == 0 {
            return event;
        }
        self.held = Some(event);
        ClusterEvent::EventsDropped { count }
    }
}

impl futures_core::Stream for Subscription {
    type Item = ClusterEvent;
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<ClusterEvent>> {
        self.poll_event(cx)
    }
}

impl fmt::Debug for EventBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventBus").field("subscribers", &self.subscriber_count()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").field("unread", &self.receiver.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
