//! How connections leave their slots other than by ending: what makes room for another, what is idle, and what drains.

use std::time::Duration;

use kinfolk_core::Instant;

use super::super::lane::Lane;
use super::super::{CloseReason, ConnId};
use super::slot::{Draining, Live, Slot, State};
use super::{Held, Refused, Slots, Waiter};

/// For how long after its last use a connection is not closed for that of a peer that came later. Where
/// many join at once through one node, that node tells each of them what is new. After this time its
/// neighbours do.
const GUEST_STAY: Duration = Duration::from_secs(5);

impl<C: Held, W: Waiter> Slots<C, W> {
    /// Puts out the connections that are idle for `idle_timeout`, the draining ones whose time is up, and the guests that have
    /// stayed long enough, unless there is room for them now. Returns how many were idle.
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

    /// Puts out the draining connections that are unused or whose time is up.
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
            } else if is_old(live, now) {
                self.close(id, CloseReason::Evicted);
            }
        }
    }

    /// Whether a connection that a peer opened is taken beyond the total: there is no room, and nobody has gone unused for long enough
    /// to make room.
    pub(super) fn takes_guests(&self, lane: Lane, now: Instant) -> bool {
        let leaves = |slot: &Slot<C, W>| match &slot.state {
            _ if slot.is_guest() => false,
            State::Draining(draining) => draining.live.pooled.uses() == 0,
            State::Ready(live) => is_old(live, now),
            _ => false,
        };
        !lane.is_streams()
            && self.table.total() >= self.limits.max_total
            && self.table.guests() < self.limits.guests_max
            && !self.table.iter().any(|(_, slot)| leaves(slot))
    }

    /// When the next draining connection may be due.
    pub(crate) fn next_drain(&self) -> Option<Instant> {
        self.draining().map(|(_, draining)| draining.next()).min()
    }

    fn draining(&self) -> impl Iterator<Item = (ConnId, &Draining<C>)> {
        self.table.iter().filter_map(|(id, slot)| match &slot.state {
            State::Draining(draining) => Some((id, draining)),
            _ => None,
        })
    }

    /// Sees to it that one more slot fits: evicts, of those without a request in flight, the connection that drains for
    /// longest, or else the one that is idle for longest. If the streams of applications have their share of the total,
    /// only one of theirs makes room for another.
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

    /// Lets a connection finish what it carries, and no more.
    pub(super) fn drain(&mut self, id: ConnId, reason: CloseReason, now: Instant) {
        let Some(slot) = self.table.get_mut(id) else { return };
        let Some(live) = slot.take_live() else { return };
        slot.state = State::Draining(Draining::begin(live, slot.lane, reason, now, self.limits.drain));
    }
}

/// Whether it has not been used for so long that it makes room for a peer's connection.
fn is_old<C>(live: &Live<C>, now: Instant) -> bool {
    live.pooled.uses() == 0 && now.since(live.pooled.idle_since()) >= GUEST_STAY
}
