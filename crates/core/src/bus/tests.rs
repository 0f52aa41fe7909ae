//! Tests of the bus through its public interface: bounds, exact counts of dropped events,
//! independence of subscribers, wake-ups and closing.

use std::sync::atomic::AtomicUsize;
use std::task::Wake;

use super::*;
use crate::node::NodeId;

fn event(number: u64) -> ClusterEvent {
    ClusterEvent::NodeReaped { id: NodeId::new(&format!("n{number}")).unwrap() }
}

fn publish(bus: &EventBus, numbers: std::ops::Range<u64>) {
    for number in numbers {
        bus.publish(&event(number));
    }
}

fn drain(subscription: &mut Subscription) -> Vec<ClusterEvent> {
    std::iter::from_fn(|| subscription.try_recv()).collect()
}

fn room_for(capacity: usize) -> NonZeroUsize {
    NonZeroUsize::new(capacity).unwrap()
}

#[test]
fn event_1001_drops_the_oldest_unread_event() {
    let bus = EventBus::new();
    let mut subscription = bus.subscribe();
    publish(&bus, 0..1_000);
    assert_eq!(bus.dropped(), 0);
    publish(&bus, 1_000..1_001);
    assert_eq!(bus.dropped(), 1);
    let read = drain(&mut subscription);
    assert_eq!(read[0], ClusterEvent::EventsDropped { count: 1 });
    assert_eq!((read.len(), &read[1], read.last().unwrap()), (1_001, &event(1), &event(1_000)));
}

#[test]
fn gap_is_reported_in_place_with_exact_size() {
    let bus = EventBus::new();
    let mut subscription = bus.subscribe_with_capacity(room_for(2));
    publish(&bus, 0..1);
    assert_eq!(subscription.try_recv(), Some(event(0)));
    publish(&bus, 1..8);
    assert_eq!(drain(&mut subscription), [ClusterEvent::EventsDropped { count: 5 }, event(6), event(7)]);
    publish(&bus, 8..9);
    assert_eq!(drain(&mut subscription), [event(8)]);
}

#[test]
fn slow_subscriber_does_not_affect_others() {
    let bus = EventBus::new();
    let mut slow = bus.subscribe_with_capacity(room_for(1));
    let mut others: Vec<_> = (0..8).map(|_| bus.subscribe()).collect();
    publish(&bus, 0..100);
    for other in &mut others {
        assert_eq!(drain(other), (0..100).map(event).collect::<Vec<_>>());
    }
    assert_eq!(drain(&mut slow), [ClusterEvent::EventsDropped { count: 99 }, event(99)]);
}

#[test]
fn read_and_dropped_counts_add_up_under_contention() {
    let bus = EventBus::new();
    let mut subscription = bus.subscribe_with_capacity(room_for(4));
    let reader = std::thread::spawn(move || {
        let (mut read, mut dropped) = (0, 0);
        while let Some(event) = subscription.recv() {
            match event {
                ClusterEvent::EventsDropped { count } => dropped += count,
                _ => read += 1,
            }
        }
        (read, dropped)
    });
    publish(&bus, 0..20_000);
    bus.close();
    let (read, dropped) = reader.join().unwrap();
    assert_eq!((read + dropped, dropped), (20_000, bus.dropped()));
}

#[test]
fn closing_ends_subscription_after_its_unread_events() {
    let bus = EventBus::new();
    let mut early = bus.subscribe();
    publish(&bus, 0..1);
    bus.close();
    publish(&bus, 1..2);
    assert_eq!((early.recv(), early.recv()), (Some(event(0)), None));
    assert_eq!(bus.subscribe().recv(), None);
}

#[test]
fn dropped_subscription_is_removed() {
    let bus = EventBus::new();
    // Two are kept and one is dropped, so a count of the wrong set cannot also give 2.
    let kept = [bus.subscribe(), bus.subscribe()];
    drop(bus.subscribe());
    assert_eq!(bus.subscriber_count(), 2);
    drop(kept);
    publish(&bus, 0..1);
    assert_eq!(bus.subscriber_count(), 0);
}

struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn event_and_close_wake_a_waiting_task() {
    let count = Arc::new(Count(AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&count));
    let mut cx = Context::from_waker(&waker);
    let bus = EventBus::new();
    let mut subscription = bus.subscribe();
    assert_eq!(subscription.poll_event(&mut cx), Poll::Pending);
    publish(&bus, 0..1);
    assert_eq!(count.0.load(Ordering::SeqCst), 1);
    assert_eq!(subscription.poll_event(&mut cx), Poll::Ready(Some(event(0))));
    assert_eq!(subscription.poll_event(&mut cx), Poll::Pending);
    bus.close();
    assert_eq!(count.0.load(Ordering::SeqCst), 2);
    assert_eq!(subscription.poll_event(&mut cx), Poll::Ready(None));
}

#[test]
fn debug_output_shows_subscribers_and_unread_events() {
    let bus = EventBus::new();
    let subscription = bus.subscribe();
    publish(&bus, 0..2);
    assert_eq!(format!("{bus:?}"), "EventBus { subscribers: 1, .. }");
    assert_eq!(format!("{subscription:?}"), "Subscription { unread: 2, .. }");
}
