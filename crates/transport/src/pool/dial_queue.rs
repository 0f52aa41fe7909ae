//! The queue for permits to dial: it limits the handshakes that this node starts. A handshake costs
//! many times what a request does, so a node that is short of CPU must not start more of them than
//! it can finish (`docs/decisions/0014`).
//!
//! At most as many dials as the [`Window`] allows are *active* at a time. So the rate of dials
//! follows the rate at which they finish in time. A dial that was active for [`Window::LATE`] (1 s)
//! most likely waits for its peer. It stops counting as active, and the next dial starts.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use kinfolk_core::{NodeId, Window};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::{Lane, Need, Route};

/// The dial queue of one pool.
pub(super) struct DialQueue(Arc<Mutex<QueueState>>);

/// The permit to dial. Dropping it returns it.
pub(super) struct DialPermit {
    queue: Arc<Mutex<QueueState>>,
    is_active: bool,
}

/// A place in the queue. Dropping it leaves the queue.
#[derive(Debug)]
pub(super) struct QueuedDial {
    queue: Arc<Mutex<QueueState>>,
    number: u64,
    granted: oneshot::Receiver<DialPermit>,
}

#[derive(Debug)]
struct QueueState {
    window: Window,
    /// Dials that hold a permit, at most `max`.
    running: usize,
    /// Of these: active dials, at most as many as the window allows.
    active: usize,
    max: usize,
    /// The key is the order: `Urgent` before `Patient`, then the order of arrival. So a dial that
    /// becomes urgent keeps its age.
    waiting: BTreeMap<(Need, u64), Waiting>,
    arrived: u64,
}

#[derive(Debug)]
struct Waiting {
    /// None if the target node is unknown.
    route: Option<(NodeId, Lane)>,
    permit: oneshot::Sender<DialPermit>,
}

impl DialQueue {
    /// At most `max` dials hold a permit at a time, active or not.
    pub(super) fn new(max: usize) -> Self {
        let window = Window::up_to(max);
        let state = QueueState { window, running: 0, active: 0, max, waiting: BTreeMap::new(), arrived: 0 };
        Self(Arc::new(Mutex::new(state)))
    }

    /// Takes a place in the queue, without waiting. Urgent dials come first, then older ones.
    pub(super) fn join(&self, route: Option<Route<'_>>, need: Need) -> QueuedDial {
        let (permit, granted) = oneshot::channel();
        let route = route.map(|route| (route.peer.clone(), route.lane));
        let number = {
            let mut state = self.0.lock();
            let number = state.arrived;
            state.arrived += 1;
            state.waiting.insert((need, number), Waiting { route, permit });
            number
        };
        grant(&self.0);
        QueuedDial { queue: Arc::clone(&self.0), number, granted }
    }

    /// An urgent caller asks for a dial on this route. If that dial waits as `Patient`, it becomes
    /// `Urgent` and keeps its age.
    pub(super) fn make_urgent(&self, route: Route<'_>) {
        let mut state = self.0.lock();
        let matches = |waiting: &Waiting| waiting.is_for(route);
        let patient = state.waiting.range((Need::CanWait, 0)..).find(|(_, waiting)| matches(waiting));
        let Some(place) = patient.map(|(place, _)| *place) else { return };
        if let Some(waiting) = state.waiting.remove(&place) {
            state.waiting.insert((Need::Urgent, place.1), waiting);
        }
    }

    /// Whether a dial on this route waits for its permit.
    pub(super) fn contains(&self, route: Route<'_>) -> bool {
        self.0.lock().waiting.values().any(|waiting| waiting.is_for(route))
    }

    /// How many dials wait for a permit.
    pub(super) fn waiting(&self) -> usize {
        self.0.lock().waiting.len()
    }

    /// How many dials hold a permit.
    #[cfg(any(test, feature = "simulation"))]
    pub(super) fn running(&self) -> usize {
        self.0.lock().running
    }
}

impl QueuedDial {
    /// Waits for the permit.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the queue.
    pub(super) async fn permit(mut self) -> DialPermit {
        let permit = (&mut self.granted).await;
        permit.expect("the queue keeps the sender until it sends or this place is dropped")
    }
}

impl Drop for QueuedDial {
    fn drop(&mut self) {
        let mut state = self.queue.lock();
        // The dial may have become urgent since it entered the queue. Look in both groups.
        for need in [Need::Urgent, Need::CanWait] {
            state.waiting.remove(&(need, self.number));
        }
    }
}

impl DialPermit {
    /// The dial did not finish within [`Window::LATE`]: it no longer counts as active.
    pub(super) fn stop_counting_as_active(&mut self) {
        if std::mem::take(&mut self.is_active) {
            self.queue.lock().active -= 1;
            grant(&self.queue);
        }
    }

    /// The dial succeeded after the time `took`. A failed dial says nothing about this node's CPU.
    pub(super) fn succeeded(self, took: Duration) {
        self.queue.lock().window.done(took);
    }
}

impl Drop for DialPermit {
    fn drop(&mut self) {
        // The block releases the lock, because `grant` takes it again.
        {
            let mut state = self.queue.lock();
            state.running -= 1;
            state.active -= usize::from(self.is_active);
        }
        grant(&self.queue);
    }
}

/// Gives permits to the first dials in the queue while the limits allow it.
fn grant(queue: &Arc<Mutex<QueueState>>) {
    // Send without the lock: if the receiver is dropped, the permit drops at once, and its `drop`
    // takes the lock.
    while let Some(waiting) = queue.lock().next() {
        let permit = DialPermit { queue: Arc::clone(queue), is_active: true };
        drop(waiting.permit.send(permit));
    }
}

impl QueueState {
    /// Removes the next dial that may start, and counts it.
    fn next(&mut self) -> Option<Waiting> {
        while self.running < self.max && self.active < self.window.size() {
            let (_, waiting) = self.waiting.pop_first()?;
            // Skip a place whose owner dropped its future: the permit would come back at once.
            if !waiting.permit.is_closed() {
                self.running += 1;
                self.active += 1;
                return Some(waiting);
            }
        }
        None
    }
}

impl Waiting {
    fn is_for(&self, to: Route<'_>) -> bool {
        let same = self.route.as_ref().is_some_and(|(peer, lane)| *peer == *to.peer && *lane == to.lane);
        same && !self.permit.is_closed()
    }
}

impl fmt::Debug for DialQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DialQueue").field(&*self.0.lock()).finish()
    }
}

impl fmt::Debug for DialPermit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DialPermit").field("is_active", &self.is_active).finish_non_exhaustive()
    }
}

#[cfg(all(test, not(kinfolk_loom)))]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn now<T>(future: impl Future<Output = T>) -> Option<T> {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        }
    }

    fn take(queue: &DialQueue) -> Option<DialPermit> {
        now(queue.join(None, Need::Urgent).permit())
    }

    #[test]
    fn active_and_running_dials_are_bounded() {
        let queue = DialQueue::new(6);
        let mut running: Vec<DialPermit> = (0..4).map(|_| take(&queue).unwrap()).collect();
        assert!(take(&queue).is_none());
        running[0].stop_counting_as_active();
        running[1].stop_counting_as_active();
        running.extend([take(&queue).unwrap(), take(&queue).unwrap()]);
        running[2].stop_counting_as_active();
        assert!(take(&queue).is_none(), "six dials hold permits");
        assert_eq!(queue.running(), 6);
        running.pop();
        assert!(take(&queue).is_some());
        drop(running);
        assert_eq!((queue.running(), queue.0.lock().active), (0, 0));
    }

    #[test]
    fn second_call_frees_no_further_place() {
        let queue = DialQueue::new(16);
        let mut running: Vec<DialPermit> = (0..4).map(|_| take(&queue).unwrap()).collect();
        running[0].stop_counting_as_active();
        running[0].stop_counting_as_active();
        running.push(take(&queue).unwrap());
        assert!(take(&queue).is_none());
        assert_eq!(queue.0.lock().active, 4);
    }

    #[test]
    fn urgent_dials_come_first() {
        let queue = DialQueue::new(1);
        let names: Vec<NodeId> = (0..4).map(|n| NodeId::new(&format!("n{n}")).unwrap()).collect();
        let route = |n: usize| Route::new(&names[n], Lane::Requests);
        let first = take(&queue).unwrap();
        let mut waiting: Vec<_> =
            [(0, Need::CanWait), (1, Need::CanWait), (2, Need::Urgent), (3, Need::CanWait)]
                .into_iter()
                .map(|(n, need)| Box::pin(queue.join(Some(route(n)), need).permit()))
                .collect();
        for permit in &mut waiting {
            assert!(now(permit.as_mut()).is_none());
        }
        queue.make_urgent(route(3));
        assert!(queue.contains(route(1)));
        drop(waiting.remove(1));
        assert!(!queue.contains(route(1)), "it left the queue");
        assert_eq!(queue.0.lock().waiting.len(), 3, "an abandoned dial leaves its place");
        drop(first);
        let mut order = Vec::new();
        for _ in 0..3 {
            let ready = (0..3).find(|n| !order.contains(n) && now(waiting[*n].as_mut()).is_some());
            order.push(ready.expect("a returned permit goes to a waiting dial"));
        }
        assert_eq!(order, [1, 2, 0]);
        assert_eq!(queue.running(), 0);
    }
}
