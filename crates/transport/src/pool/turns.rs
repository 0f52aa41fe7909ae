//! Whose turn it is to dial: the budget for handshakes that this node begins. A handshake costs a hundred times what a request
//! does, so that a node which is short of CPU must not begin more of them than it can finish.
//!
//! It is a window, as TCP has one for packets: so many dials may be at work at a time. Each that is done in time widens it,
//! each that is done late halves it. So the rate follows what is finished, without a clock of its own. A dial that has
//! been at work for [`LATE`] waits for its peer, as far as we can tell, and makes room for the next one.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use kinfolk_core::NodeId;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::{Lane, Need, Route};

/// A handshake that takes longer is late: more than two round trips around the world.
pub(super) const LATE: Duration = Duration::from_secs(1);

/// How many dials may be at work before anything is known about how long they take.
const WINDOW_AT_FIRST: usize = 4;

/// The turns of one pool.
pub(super) struct Turns(Arc<Mutex<State>>);

/// The right to dial. Dropping it gives it back.
pub(super) struct Turn {
    turns: Arc<Mutex<State>>,
    works: bool,
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

    /// Waits for a turn. The urgent come first, then who came first.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the queue.
    pub(super) async fn wait(&self, route: Option<Route<'_>>, need: Need) -> Turn {
        let (turn, granted) = oneshot::channel();
        let route = route.map(|route| (route.peer.clone(), route.lane));
        {
            let mut state = self.0.lock();
            let place = (need, state.arrived);
            state.arrived += 1;
            state.waiting.insert(place, Waiting { route, turn });
        }
        grant(&self.0);
        granted.await.expect("whoever waits is in the queue until it has its turn")
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

impl Turn {
    /// The dial is still not done after [`LATE`].
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
        while self.running < self.max && self.working < self.window.size {
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

/// How many dials may be at work. It doubles with each round at first, and grows by one with each round once one was late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Window {
    size: usize,
    max: usize,
    was_late: bool,
    /// How many came in time since it last grew.
    in_time: usize,
}

impl Window {
    /// A window that grows to `max` at the most.
    fn up_to(max: usize) -> Self {
        Self { size: WINDOW_AT_FIRST.min(max), max, was_late: false, in_time: 0 }
    }

    /// A handshake has come through, after so long.
    fn done(&mut self, took: Duration) {
        if took > LATE {
            (self.size, self.was_late, self.in_time) = ((self.size / 2).max(1), true, 0);
            return;
        }
        self.in_time += 1;
        let needed = if self.was_late { self.size } else { 1 };
        if self.in_time >= needed {
            (self.size, self.in_time) = ((self.size + 1).min(self.max), 0);
        }
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

    const SOON: Duration = Duration::from_millis(20);
    const LATER: Duration = Duration::from_millis(1_001);

    fn now<T>(future: impl Future<Output = T>) -> Option<T> {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        }
    }

    fn take(turns: &Turns) -> Option<Turn> {
        now(turns.wait(None, Need::Urgent))
    }

    #[test]
    fn the_window_doubles_until_one_is_late_then_it_halves_and_grows_by_one_a_round() {
        let mut window = Window::up_to(16);
        let mut sizes = Vec::new();
        for took in [SOON, SOON, LATER, SOON, SOON, SOON, SOON, LATER, LATER, LATER, LATER, SOON, SOON, SOON]
        {
            window.done(took);
            sizes.push(window.size);
        }
        assert_eq!(sizes, [5, 6, 3, 3, 3, 4, 4, 2, 1, 1, 1, 2, 2, 3]);
        (0..100).for_each(|_| window.done(LATE));
        assert_eq!(window.size, 14, "a handshake of exactly that time is not late");
        (0..100).for_each(|_| window.done(SOON));
        assert_eq!(window.size, 16);
        assert_eq!(Window::up_to(1).size, 1);
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
                .map(|(n, need)| Box::pin(turns.wait(Some(route(n)), need)))
                .collect();
        for turn in &mut waiting {
            assert!(now(turn.as_mut()).is_none());
        }
        turns.hurry(route(3));
        assert!(turns.holds(route(1)));
        drop(waiting.remove(1));
        assert!(!turns.holds(route(1)), "it has gone");
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
