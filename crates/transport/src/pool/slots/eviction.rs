//! The rules by which the pool closes connections that did not end by themselves: eviction to make
//! room, idle connections, guests, and drains.

use std::time::Duration;

use kinfolk_core::Instant;

use super::super::lane::Lane;
use super::super::{CloseReason, ConnId};
use super::slot::{Draining, Live, Slot, State};
use super::{Refused, SlotConnection, Slots, Waiter};

/// A connection that was used within this time is not closed to make room for a peer's new
/// connection.
///
/// If many nodes join at once through one node, that node sends each of them gossip updates for 3 s
/// (`docs/decisions/0015`). Later the joiner's own neighbours do this. 5 s leave a margin.
const GUEST_IDLE_MIN: Duration = Duration::from_secs(5);

impl<C: SlotConnection, W: Waiter> Slots<C, W> {
    /// Closes the connections that were idle for `idle_timeout`, the drains that are due, and the
    /// guests that were idle long enough. A guest stays if the total has room for it now. Returns
    /// the number of idle connections.
    pub(crate) fn sweep(&mut self, now: Instant, idle_timeout: Duration) -> usize {
        self.sweep_drained(now);
        self.sweep_guests(now);
        let idle = |slot: &Slot<C, W>| {
            slot.ready().is_some_and(|live| {
                live.pooled.uses() == 0 && now.since(live.pooled.idle_since()) >= idle_timeout
            })
        };
        let due: Vec<ConnId> = self.table.iter().filter(|(_, slot)| idle(slot)).map(|(id, _)| id).collect();
        for id in &due {
            self.close(*id, CloseReason::Idle);
        }
        due.len()
    }

    /// Closes the draining connections that are unused or whose time limit passed.
    pub(crate) fn sweep_drained(&mut self, now: Instant) {
        let due: Vec<_> =
            self.draining().filter_map(|(id, draining)| Some((id, draining.due(now)?))).collect();
        for (id, reason) in due {
            self.close(id, reason);
        }
    }

    fn sweep_guests(&mut self, now: Instant) {
        let guests: Vec<_> =
            self.table.iter().filter(|(_, slot)| slot.is_guest()).map(|(id, _)| id).collect();
        for id in guests {
            let room = self.table.total() < self.limits.max_total;
            let Some(live) = self.table.get_mut(id).and_then(Slot::ready_mut) else { continue };
            if room {
                live.guest = false;
            } else if is_idle_long_enough(live, now) {
                self.close(id, CloseReason::Evicted);
            }
        }
    }

    /// Whether the pool takes a peer's connection as a guest: the total is full, and no connection
    /// was idle long enough to be evicted for it.
    ///
    /// Streams never make a guest: a transfer can wait, and a join cannot.
    pub(super) fn admits_as_guest(&self, lane: Lane, now: Instant) -> bool {
        let leaves = |slot: &Slot<C, W>| match &slot.state {
            _ if slot.is_guest() => false,
            State::Draining(draining) => draining.live.pooled.uses() == 0,
            State::Ready(live) => is_idle_long_enough(live, now),
            _ => false,
        };
        !lane.is_streams()
            && self.table.total() >= self.limits.max_total
            && self.table.guests() < self.limits.guests_max
            && !self.table.iter().any(|(_, slot)| leaves(slot))
    }

    /// The time when the next draining connection may be due.
    pub(crate) fn next_drain(&self) -> Option<Instant> {
        self.draining().map(|(_, draining)| draining.next()).min()
    }

    fn draining(&self) -> impl Iterator<Item = (ConnId, &Draining<C>)> {
        self.table.iter().filter_map(|(id, slot)| match &slot.state {
            State::Draining(draining) => Some((id, draining)),
            _ => None,
        })
    }

    /// Makes room for one more slot. It evicts a connection without a request in flight: the
    /// draining one whose time limit comes first, or else the one that was idle for longest.
    ///
    /// If application streams already have their share of the total, only another connection for
    /// streams makes room for one.
    pub(super) fn make_room(&mut self, lane: Lane) -> Result<(), Refused> {
        let streams = self.table.streams();
        let share_is_met = lane.is_streams() && streams >= self.limits.max_streams;
        let (current, max) = if share_is_met {
            (streams, self.limits.max_streams)
        } else {
            (self.table.total(), self.limits.max_total)
        };
        if current < max {
            return Ok(());
        }
        let candidate = |(id, slot): (ConnId, &Slot<C, W>)| match &slot.state {
            _ if share_is_met && !slot.lane.is_streams() => None,
            _ if slot.is_guest() => None,
            State::Draining(draining) if draining.live.pooled.uses() == 0 => {
                Some((false, draining.until, id))
            }
            State::Ready(live) if live.pooled.uses() == 0 => Some((true, live.pooled.idle_since(), id)),
            _ => None,
        };
        let (_, _, victim) =
            self.table.iter().filter_map(candidate).min().ok_or(Refused::Full { current, max })?;
        self.close(victim, CloseReason::Evicted);
        Ok(())
    }

    /// Lets a connection finish its requests, and takes it away from new callers.
    pub(super) fn drain(&mut self, id: ConnId, reason: CloseReason, now: Instant) {
        let Some(slot) = self.table.get_mut(id) else { return };
        let Some(live) = slot.take_live() else { return };
        slot.state = State::Draining(Draining::begin(live, slot.lane, reason, now, self.limits.drain));
    }
}

/// Whether the connection was idle so long that it makes room for a peer's connection.
fn is_idle_long_enough<C>(live: &Live<C>, now: Instant) -> bool {
    live.pooled.uses() == 0 && now.since(live.pooled.idle_since()) >= GUEST_IDLE_MIN
}
