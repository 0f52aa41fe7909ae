//! Delivers events to the application. Each subscriber has its own bounded queue. A slow subscriber
//! loses its own oldest events; it delays neither other subscribers nor the protocol.

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

/// Delivers every event to every subscriber. A clone is a handle to the same bus.
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

/// The bus's side of one subscription.
struct Subscriber {
    sender: Sender<(u64, ClusterEvent)>,
    /// A second receiver of the subscriber's channel. When the queue is full, the bus takes the
    /// oldest event out through it.
    oldest: Receiver<(u64, ClusterEvent)>,
    /// The most events that the queue may hold. Only the bus adds events, and it holds its lock
    /// while it does.
    capacity: NonZeroUsize,
    /// The number of the next event. The subscriber finds dropped events by the gap in these
    /// numbers.
    next: u64,
    /// The waker of the task that waits for the next event. The pointer is weak, so that the bus
    /// sees when the application has dropped the subscription.
    waiting: Weak<Mutex<Option<Waker>>>,
}

impl EventBus {
    /// The number of unread events that a subscriber holds by default.
    pub const CAPACITY: NonZeroUsize = NonZeroUsize::new(1_000).expect("it is not zero");

    /// A bus without subscribers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Subscribes to all events from now on, with room for [`CAPACITY`](Self::CAPACITY) unread
    /// ones.
    pub fn subscribe(&self) -> Subscription {
        self.subscribe_with_capacity(Self::CAPACITY)
    }

    /// Subscribes with room for `capacity` unread events. On a closed bus the subscription ends at
    /// once.
    pub fn subscribe_with_capacity(&self, capacity: NonZeroUsize) -> Subscription {
        // An unbounded channel takes memory as it fills. A bounded one of 1,000 events takes 86 KiB
        // at once, and most subscribers never hold more than a few events. `push` enforces the
        // bound.
        let (sender, receiver) = crossbeam_channel::unbounded();
        let waiting = Arc::new(Mutex::new(None));
        let mut subscribers = self.0.subscribers.lock();
        if !subscribers.closed {
            let (oldest, waiting) = (receiver.clone(), Arc::downgrade(&waiting));
            subscribers.list.push(Subscriber { sender, oldest, capacity, next: 0, waiting });
        }
        Subscription { receiver, waiting, next: 0, held: None }
    }

    /// Delivers `event` to every subscriber. This never waits: if a subscriber's queue is full, its
    /// oldest event is dropped.
    pub fn publish(&self, event: &ClusterEvent) {
        let mut subscribers = self.0.subscribers.lock();
        // The same pass removes the subscriptions that the application has dropped: a bus without
        // readers must not keep their queues.
        subscribers.list.retain_mut(|subscriber| match subscriber.push(event.clone()) {
            Some(dropped) => {
                self.0.dropped.fetch_add(dropped, Ordering::Relaxed);
                true
            }
            None => false,
        });
    }

    /// Closes the bus: the last phase of a shutdown. Every subscription ends after the events that
    /// it still holds. Every later subscription ends at once.
    pub fn close(&self) {
        let mut subscribers = self.0.subscribers.lock();
        subscribers.closed = true;
        for Subscriber { sender, waiting, .. } in subscribers.list.drain(..) {
            drop(sender);
            wake(&waiting);
        }
    }

    /// The number of events that were dropped, summed over all subscribers.
    pub fn dropped(&self) -> u64 {
        // Relaxed: the counter orders no other memory.
        self.0.dropped.load(Ordering::Relaxed)
    }

    /// The number of unread events of the subscriber that has the most. Subscriptions that the
    /// application has dropped do not count.
    pub fn longest_queue(&self) -> usize {
        let subscribers = self.0.subscribers.lock();
        let held = subscribers.list.iter().filter(|subscriber| subscriber.waiting.strong_count() > 0);
        held.map(|subscriber| subscriber.sender.len()).max().unwrap_or_default()
    }

    /// The number of subscribers.
    pub fn subscriber_count(&self) -> usize {
        let mut subscribers = self.0.subscribers.lock();
        subscribers.list.retain(|subscriber| subscriber.waiting.strong_count() > 0);
        subscribers.list.len()
    }
}

impl Subscriber {
    /// Adds an event. Returns how many events were dropped for it; `None` if the application has
    /// dropped the subscription.
    fn push(&mut self, event: ClusterEvent) -> Option<u64> {
        if self.waiting.strong_count() == 0 {
            return None;
        }
        let mut dropped = 0;
        while self.sender.len() >= self.capacity.get() {
            // The subscriber may have read the event in the meantime. Then there is room, and
            // nothing was dropped.
            dropped += u64::from(self.oldest.try_recv().is_ok());
        }
        // This cannot fail: `oldest` is a receiver of the same channel, so the channel is open.
        let _sent = self.sender.send((self.next, event));
        self.next += 1;
        wake(&self.waiting);
        Some(dropped)
    }
}

/// Wakes the task that waits, if there is one. The lock of `waiting` is released before the waker
/// is called: a poll during the wake-up takes the same lock.
fn wake(waiting: &Weak<Mutex<Option<Waker>>>) {
    let waker = waiting.upgrade().and_then(|waiting| waiting.lock().take());
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// The events of one subscriber. A thread reads them with [`recv`](Self::recv); a task reads them
/// with [`next`](Self::next) or as a [`Stream`](futures_core::Stream). Dropping a subscription ends
/// it.
///
/// If a subscriber falls behind by more than its capacity, its oldest events are dropped. In their
/// place it reads [`ClusterEvent::EventsDropped`] with the exact number.
pub struct Subscription {
    receiver: Receiver<(u64, ClusterEvent)>,
    waiting: Arc<Mutex<Option<Waker>>>,
    /// The number that the next event has if none was dropped.
    next: u64,
    /// The event that follows a gap. It waits here until the application has read `EventsDropped`.
    held: Option<ClusterEvent>,
}

impl Subscription {
    /// Waits for the next event and blocks the thread. Returns `None` when the bus is closed and
    /// all events are read.
    pub fn recv(&mut self) -> Option<ClusterEvent> {
        self.held.take().or_else(|| self.receiver.recv().ok().map(|item| self.with_gap(item)))
    }

    /// As [`recv`](Self::recv), but waits for at most `limit`. Returns `None` also when the limit
    /// has passed.
    pub fn recv_timeout(&mut self, limit: Duration) -> Option<ClusterEvent> {
        if let Some(held) = self.held.take() {
            return Some(held);
        }
        match self.receiver.recv_timeout(limit) {
            Ok(item) => Some(self.with_gap(item)),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => None,
        }
    }

    /// The next event, if there is one now.
    pub fn try_recv(&mut self) -> Option<ClusterEvent> {
        self.held.take().or_else(|| self.receiver.try_recv().ok().map(|item| self.with_gap(item)))
    }

    /// Waits for the next event as a task. Returns `None` when the bus is closed and all events are
    /// read.
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
        // Check again after registering the waker: an event may have arrived before it was
        // registered.
        for registered in [false, true] {
            match self.receiver.try_recv() {
                Ok(item) => return Poll::Ready(Some(self.with_gap(item))),
                Err(TryRecvError::Disconnected) => return Poll::Ready(None),
                Err(TryRecvError::Empty) if registered => break,
                Err(TryRecvError::Empty) => *self.waiting.lock() = Some(cx.waker().clone()),
            }
        }
        Poll::Pending
    }

    /// Returns the event. If events were dropped before it, returns their number first and holds
    /// the event back for the next call.
    fn with_gap(&mut self, (number, event): (u64, ClusterEvent)) -> ClusterEvent {
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
