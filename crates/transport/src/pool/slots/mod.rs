//! The slots: which connections exist, in which state, and which callers get them.
//!
//! This is a plain structure without a lock, a clock, a task, or QUIC. It is generic over the
//! connection `C`, and over `W`, which wakes a waiting caller. A call returns what is to be done
//! (dial, wake, close). The shell in the parent module does it, without the lock.
//!
//! | file | what it contains or decides |
//! |---|---|
//! | `slot` | one slot and its states, with a diagram |
//! | `table` | the slots that exist |
//! | `close_queue` | connections that lost their slot and are to be closed |
//! | `single_flight` | one dial for all callers of the same peer |
//! | `adopt` | connections that a peer dialled, and ties |
//! | `uses` | the start and the end of a use |
//! | `eviction` | which connection is closed, for room or for time |
//! | `inspect` | read access |

mod adopt;
mod close_queue;
mod eviction;
mod inspect;
mod single_flight;
mod slot;
mod table;
#[cfg(test)]
mod table_tests;
#[cfg(test)]
mod tests;
mod uses;

use std::time::Duration;

use super::lane::Route;
use super::tie::Tie;
use super::{CloseReason, ConnId};

/// The hard limits. `max_total`, `max_per_peer` and `waiters_max` are at least 1.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    pub(crate) max_total: usize,
    /// How many of `max_total` may carry application streams: half of it. With a `max_total` of 1
    /// no streams are possible.
    pub(crate) max_streams: usize,
    /// For each lane to a peer.
    pub(crate) max_per_peer: usize,
    /// Guests: connections of peers beyond `max_total`.
    pub(crate) guests_max: usize,
    pub(crate) waiters_max: usize,
    pub(crate) drain: Duration,
    pub(crate) tie: Tie,
}

/// A connection as the slots store it. It may end by itself at any time.
pub(crate) trait SlotConnection: Clone {
    /// Whether the connection is open, as far as this node knows. Called with the lock held.
    fn is_open(&self) -> bool;
}

/// Wakes a caller that waits for a dial.
pub(crate) trait Waiter {
    /// Whether the caller dropped its future. Then nobody needs a wake-up.
    fn is_cancelled(&self) -> bool;
}

/// Why the slots return no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    Full { current: usize, max: usize },
    QueueFull { waiting: usize, max: usize },
    Closed,
}

pub(crate) use adopt::Adopted;
use close_queue::CloseQueue;
pub(crate) use close_queue::ToClose;
pub(crate) use single_flight::{Acquired, Wake};
use slot::{Draining, State};
use table::Table;
pub(crate) use uses::Replaced;

/// All slots.
#[derive(Debug)]
pub(crate) struct Slots<C, W> {
    limits: Limits,
    table: Table<C, W>,
    to_close: CloseQueue<C>,
    closed: bool,
    /// Some code waits for the end of the last use of each connection, also of later ones.
    watched: bool,
}

impl<C: SlotConnection, W: Waiter> Slots<C, W> {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, table: Table::new(), to_close: CloseQueue::new(), closed: false, watched: false }
    }

    /// The connections to close. The caller closes them without the lock.
    pub(crate) fn take_closable(&mut self) -> Vec<ToClose<C>> {
        self.to_close.take()
    }

    /// Reports that a connection ended by itself. Returns whether it had a slot.
    pub(crate) fn remove(&mut self, id: ConnId) -> bool {
        // A dial is not a connection: its end arrives through `dial_failed`, so leave it alone.
        let had = self.table.get(id).is_some_and(|slot| slot.live().is_some());
        if had {
            self.close(id, CloseReason::Dead);
        }
        had
    }

    /// Closes the pool. All connections are to be closed, and all waiters are returned. Later calls
    /// return no connection.
    pub(crate) fn close_all(&mut self) -> Vec<W> {
        // From now on `acquire`, `adopt` and `reserve` refuse, so no slot is added afterwards.
        self.closed = true;
        let mut waiters = Vec::new();
        for slot in self.table.remove_all() {
            match slot.state {
                State::Connecting(mut dial) => waiters.extend(dial.end().0),
                State::Ready(live) | State::Standby(live) | State::Draining(Draining { live, .. }) => {
                    self.to_close.push(&live.pooled, CloseReason::Shutdown);
                }
            }
        }
        waiters
    }

    fn insert(&mut self, id: ConnId, route: Route<'_>, state: State<C, W>) {
        self.table.insert(id, route, state);
        assert!(self.table.total() <= self.limits.max_total, "room is made before a slot is taken");
    }

    /// Frees the slot. Its connection is to be closed.
    fn close(&mut self, id: ConnId, reason: CloseReason) {
        if let Some(live) = self.table.remove(id).as_ref().and_then(|slot| slot.live()) {
            self.to_close.push(&live.pooled, reason);
        }
    }
}
