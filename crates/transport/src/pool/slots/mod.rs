//! Which connections there are, in which state, and who may use them: a plain structure without a lock, a clock, a task
//! or QUIC in it. It is generic over the connection `C` and over `W`, what wakes a caller that waits for a dial. Calls
//! return what is to be done (dial, wake, close) and the shell in `mod.rs` does it, outside the lock.
//!
//! | file | what it owns or decides |
//! |---|---|
//! | `slot` | one slot and its states, drawn |
//! | `table` | which slots there are |
//! | `exits` | connections that have left, to be closed outside the lock |
//! | `single_flight` | one dial for all who want the same peer |
//! | `adopt` | connections that the peer dialled, and ties |
//! | `uses` | who uses a connection |
//! | `eviction` | who leaves, to make room or because of time |
//! | `look` | what others may see |

mod adopt;
mod eviction;
mod exits;
mod look;
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

/// The hard limits. Each is at least 1.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    pub(crate) max_total: usize,
    /// Of `max_total`, the most that may carry the streams of applications.
    pub(crate) max_streams: usize,
    /// For each lane to a peer.
    pub(crate) max_per_peer: usize,
    /// Connections of peers beyond `max_total`.
    pub(crate) guests_max: usize,
    pub(crate) waiters_max: usize,
    pub(crate) drain: Duration,
    pub(crate) tie: Tie,
}

/// What the slots hold: a connection, which may end by itself at any time.
pub(crate) trait Held: Clone {
    /// Whether it is still open, as far as is known. Asked with the lock held.
    fn is_open(&self) -> bool;
}

/// What wakes a caller that waits for a dial.
pub(crate) trait Waiter {
    /// Whether the caller has gone away; nobody needs to be woken then.
    fn is_gone(&self) -> bool;
}

/// Why a connection is not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    Full { current: usize, max: usize },
    QueueFull { waiting: usize, max: usize },
    Closed,
}

pub(crate) use adopt::Adopted;
use exits::Exits;
pub(crate) use exits::ToClose;
pub(crate) use single_flight::{Acquired, Wake};
use slot::{Draining, State};
use table::Table;

/// All slots.
#[derive(Debug)]
pub(crate) struct Slots<C, W> {
    limits: Limits,
    table: Table<C, W>,
    exits: Exits<C>,
    closed: bool,
    /// The end of the last use of each connection is waited for, also of those to come.
    watched: bool,
}

impl<C: Held, W: Waiter> Slots<C, W> {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, table: Table::new(), exits: Exits::new(), closed: false, watched: false }
    }

    /// The connections to close, outside the lock.
    pub(crate) fn take_closable(&mut self) -> Vec<ToClose<C>> {
        self.exits.take()
    }

    /// A connection has ended by itself. Says whether it had a slot.
    pub(crate) fn remove(&mut self, id: ConnId) -> bool {
        let had = self.table.get(id).is_some_and(|slot| slot.live().is_some());
        if had {
            self.close(id, CloseReason::Dead);
        }
        had
    }

    /// Closes the pool: puts out every connection and returns every waiter. Nothing is given out afterwards.
    pub(crate) fn close_all(&mut self) -> Vec<W> {
        self.closed = true;
        let mut waiters = Vec::new();
        for slot in self.table.remove_all() {
            match slot.state {
                State::Connecting(mut dial) => waiters.extend(dial.end().0),
                State::Ready(live) | State::Standby(live) | State::Draining(Draining { live, .. }) => {
                    self.exits.put_out(&live.pooled, CloseReason::Shutdown);
                }
            }
        }
        waiters
    }

    fn insert(&mut self, id: ConnId, route: Route<'_>, state: State<C, W>) {
        self.table.insert(id, route, state);
        assert!(self.table.total() <= self.limits.max_total, "room is made before a slot is taken");
    }

    /// Frees the slot and puts its connection out.
    fn close(&mut self, id: ConnId, reason: CloseReason) {
        if let Some(live) = self.table.remove(id).as_ref().and_then(|slot| slot.live()) {
            self.exits.put_out(&live.pooled, reason);
        }
    }
}
