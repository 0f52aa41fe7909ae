//! Whose turn it is to dial: the budget for handshakes that this node begins. A handshake costs a hundred times what a request
//! does, so that a node which is short of CPU must not begin more of them than it can finish.
//!
//! So many dials as the [`Window`] has may be at work at a time: the rate follows what is finished in time. A dial that has
//! been at work for [`Window::LATE`] waits for its peer, as far as we can tell, and makes room for the next one.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use kinfolk_core::{NodeId, Window};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::{Lane, Need, Route};

/// The turns of one pool.
pub(super) struct Turns(Arc<Mutex<State>>);

/// The right to dial. Dropping it gives it back.
pub(super) struct Turn {
    turns: Arc<Mutex<State>>,
    works: bool,
}

/// A place in the queue. Dropping it gives it up.
#[derive(Debug)]
pub(super) struct Queued {
    turns: Arc<Mutex<State>>,
    number: u64,
    granted: oneshot::Receiver<Turn>,
}

#[derive(Debug)]
struct State {
    window: Window,
    /// Dials that run, at most `max`.
    running: usize,
    /// Of these: those at work, at most the window.
    working: usize,
    max: usize,
    waiting: BTreeMap<(Need, u64), Waiting>,
    arrived: u64,
}

#[derive(Debug)]
struct Waiting {
    /// None if it is not known to whom it leads.
    route: Option<(NodeId, Lane)>,
    turn: oneshot::Sender<Turn>,
}

impl Turns {
    /// At most `max` dials run at a time, in whatever state.
    pub(super) fn new(max: usize) -> Self {
        let window = Window::up_to(max);
        let state = State { window, running: 0, working: 0, max, waiting: BTreeMap::new(), arrived: 0 };
        Self(Arc::new(Mutex::new(state)))
    }

    /// Takes a place in the queue, at once. The urgent come first, then who came first.
    pub(super) fn queue(&self, route: Option<Route<'_>>, need: Need) -> Queued {
        let (turn, granted) = oneshot::channel();
        let route = route.map(|route| (route.peer.clone(), route.lane));
        let number = {
            let mut state = self.0.lock();
            let number = state.arrived;
            state.arrived += 1;
            state.waiting.insert((need, number), Waiting { route, turn });
            number
        };
        grant(&self.0);
        Queued { turns: Arc::clone(&self.0), number, granted }
    }

    /// Somebody who needs a dial of this route urgently has come: if it waits, it goes to the front.
    pub(super) fn hurry(&self, route: Route<'_>) {
        let mut state = self.0.lock();
        let is_it = |waiting: &Waiting| waiting.leads(route);
        let patient = state.waiting.range((Need::Patient, 0)..).find(|(_, waiting)| is_it(waiting));
        let Some(place) = patient.map(|(place, _)| *place) else { return };
        if let Some(waiting) = state.waiting.remove(&place) {
            state.waiting.insert((Need::Urgent, place.1), waiting);
        }
    }

    /// Whether a dial of this route waits for its turn.
    pub(super) fn holds(&self, route: Route<'_>) -> bool {
        self.0.lock().waiting.values().any(|waiting| waiting.leads(route))
    }

    /// How many dials run.
    #[cfg(any(test, feature = "simulation"))]
    pub(super) fn running(&self) -> usize {
        self.0.lock().running
    }
}

impl Queued {
    /// Waits for the turn.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the queue.
    pub(super) async fn turn(mut self) -> Turn {
        let turn = (&mut self.granted).await;
        turn.expect("the sender stays in the queue until it sends, or this place is given up")
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        let mut state = self.turns.lock();
        // It may have become urgent meanwhile.
        for need in [Need::Urgent, Need::Patient] {
            state.waiting.remove(&(need, self.number));
        }
    }
}

impl Turn {
    /// The dial is still not done after [`Window::LATE`].
    pub(super) fn rest(&mut self) {
        if std::mem::take(&mut self.works) {
            self.turns.lock().working -= 1;
            grant(&self.turns);
        }
    }

    /// The dial has come through, after so long.
    pub(super) fn done(self, took: Duration) {
        self.turns.lock().window.done(took);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        {
            let mut state = self.turns.lock();
            state.running -= 1;
            state.working -= usize::from(self.works);
        }
        grant(&self.turns);
    }
}

/// Gives turns to the first in the queue as long as there is room.
fn grant(turns: &Arc<Mutex<State>>) {
    // Outside the lock: whoever has gone gives its turn back at once.
    while let Some(waiting) = turns.lock().next() {
        let turn = Turn { turns: Arc::clone(turns), works: true };
        drop(waiting.turn.send(turn));
    }
}

impl State {
    /// Whoever has its turn now; it counts from now on.
    fn next(&mut self) -> Option<Waiting> {
        while self.running < self.max && self.working < self.window.size() {
            let (_, waiting) = self.waiting.pop_first()?;
            if !waiting.turn.is_closed() {
                self.running += 1;
                self.working += 1;
                return Some(waiting);
            }
        }
        None
    }
}

impl Waiting {
    fn leads(&self, to: Route<'_>) -> bool {
        let it = self.route.as_ref().is_some_and(|(peer, lane)| *peer == *to.peer && *lane == to.lane);
        it && !self.turn.is_closed()
    }
}

impl fmt::Debug for Turns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Turns").field(&*self.0.lock()).finish()
    }
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn").field("works", &self.works).finish_non_exhaustive()
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

    fn take(turns: &Turns) -> Option<Turn> {
        now(turns.queue(None, Need::Urgent).turn())
    }

    #[test]
    fn no_more_dials_are_at_work_than_the_window_and_no_more_run_than_the_maximum() {
        let turns = Turns::new(6);
        let mut running: Vec<Turn> = (0..4).map(|_| take(&turns).unwrap()).collect();
        assert!(take(&turns).is_none());
        running[0].rest();
        running[1].rest();
        running.extend([take(&turns).unwrap(), take(&turns).unwrap()]);
        running[2].rest();
        assert!(take(&turns).is_none(), "six run");
        assert_eq!(turns.running(), 6);
        running.pop();
        assert!(take(&turns).is_some());
        drop(running);
        assert_eq!((turns.running(), turns.0.lock().working), (0, 0));
    }

    #[test]
    fn who_rests_twice_makes_room_once() {
        let turns = Turns::new(16);
        let mut running: Vec<Turn> = (0..4).map(|_| take(&turns).unwrap()).collect();
        running[0].rest();
        running[0].rest();
        running.push(take(&turns).unwrap());
        assert!(take(&turns).is_none());
        assert_eq!(turns.0.lock().working, 4);
    }

    #[test]
    fn the_urgent_come_first_and_whoever_becomes_urgent_with_them() {
        let turns = Turns::new(1);
        let names: Vec<NodeId> = (0..4).map(|n| NodeId::new(&format!("n{n}")).unwrap()).collect();
        let route = |n: usize| Route::new(&names[n], Lane::Requests);
        let first = take(&turns).unwrap();
        let mut waiting: Vec<_> =
            [(0, Need::Patient), (1, Need::Patient), (2, Need::Urgent), (3, Need::Patient)]
                .into_iter()
                .map(|(n, need)| Box::pin(turns.queue(Some(route(n)), need).turn()))
                .collect();
        for turn in &mut waiting {
            assert!(now(turn.as_mut()).is_none());
        }
        turns.hurry(route(3));
        assert!(turns.holds(route(1)));
        drop(waiting.remove(1));
        assert!(!turns.holds(route(1)), "it has gone");
        assert_eq!(turns.0.lock().waiting.len(), 3, "and its place with it, though its turn never came");
        drop(first);
        let mut order = Vec::new();
        for _ in 0..3 {
            let ready = (0..3).find(|n| !order.contains(n) && now(waiting[*n].as_mut()).is_some());
            order.push(ready.expect("the turn that was given back is given to one of them"));
        }
        assert_eq!(order, [1, 2, 0]);
        assert_eq!(turns.running(), 0);
    }
}
