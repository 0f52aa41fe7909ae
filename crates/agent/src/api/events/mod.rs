//! The events of the group for clients of the API: one task takes them from the library, writes
//! each once as bytes, and keeps the latest ones. A client has only a place among them, so a slow
//! client costs no memory and delays nothing.

mod id;
mod ring;
mod stream;

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use kinfolk::{NodeId, Subscription};
use tokio::sync::watch;

pub(super) use id::EventId;
pub(super) use stream::EventStream;

use super::user_event::UserEvent;
use super::views::EventView;
use ring::{Next, Ring};

/// The latest events, and a signal for each new one.
#[derive(Debug)]
pub(crate) struct EventHub {
    /// Tells the events of this run from those of an earlier one.
    run: u32,
    ring: Mutex<Ring>,
    /// The number of the newest event. Closed when there will be no more.
    newest: Mutex<Option<watch::Sender<u64>>>,
}

impl EventHub {
    pub(super) fn new() -> Self {
        // The lower bits of the time at the start: two runs of an agent do not start in the same
        // millisecond.
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let run = u32::try_from(since.as_millis() & u128::from(u32::MAX)).unwrap_or_default();
        let newest = Mutex::new(Some(watch::Sender::new(0)));
        Self { run, ring: Mutex::new(Ring::default()), newest }
    }

    /// Takes events until the member has been shut down. Then the streams of all clients end.
    pub(crate) async fn follow(&self, mut events: Subscription) {
        while let Some(event) = events.next().await {
            self.publish(&EventView::from(&event));
        }
        self.close();
    }

    /// Publishes an event that this agent sends itself. The library does not give it back.
    pub(super) fn publish_own(&self, from: &NodeId, UserEvent { name, payload }: UserEvent) {
        self.publish(&EventView::UserEvent { from: from.clone(), name, payload });
    }

    fn publish(&self, event: &EventView) {
        let newest = {
            let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
            let id = EventId { run: self.run, number: ring.newest() + 1 };
            ring.push(frame(Some(id), event.kind(), event));
            ring.newest()
        };
        if let Some(signal) = &*self.newest.lock().unwrap_or_else(PoisonError::into_inner) {
            signal.send_replace(newest);
        }
    }

    fn close(&self) {
        drop(self.newest.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// The number of the newest event.
    fn newest(&self) -> u64 {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner).newest()
    }

    /// The events after a place.
    fn after(&self, place: u64, bytes_max: usize) -> Next {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner).after(place, bytes_max)
    }

    /// Signals each new event. `None` if there will be no more.
    fn signal(&self) -> Option<watch::Receiver<u64>> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(watch::Sender::subscribe)
    }
}

/// An event in the form of server-sent events (WHATWG HTML, section 9.2).
fn frame(id: Option<EventId>, name: &str, data: &impl serde::Serialize) -> Bytes {
    // JSON on one line has no line break, so the data is one line.
    let data = serde_json::to_string(data).unwrap_or_default();
    let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    format!("{id}event: {name}\ndata: {data}\n\n").into()
}
