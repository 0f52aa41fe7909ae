//! How connections leave their slots other than by ending: what makes room for another, what is idle, and what drains.

use std::time::Duration;

use kinfolk_core::Instant;

use super::super::tie::Side;
use super::super::{CloseReason, ConnId};
use super::{Refused, Slot, Slots, State, Waiter};

impl<C: Clone, W: Waiter> Slots<C, W> {
    /// Puts out the connections that are idle for `idle_timeout`, and the draining ones whose time is up. Returns how
    /// many were idle.
    pub(crate) fn sweep(&mut self, now: Instant, idle_timeout: Duration) -> usize {
        self.sweep_drained(now);
        let idle = |slot: &Slot<C, W>| match &slot.state {
            State::Ready(live) => live.uses == 0 && now.since(live.idle_since) >= idle_timeout,
            _ => false,
        };
        let due: Vec<ConnId> = self.by_id.iter().filter(|(_, slot)| idle(slot)).map(|(id, _)| *id).collect();
        for id in &due {
            self.close(*id, CloseReason::Idle);
        }
        due.len()
    }

    /// Puts out the draining connections that are unused or whose time is up.
    pub(crate) fn sweep_drained(&mut self, now: Instant) {
        let due = |slot: &Slot<C, W>| match &slot.state {
            State::Draining { live, not_before, reason, .. } if live.uses == 0 => {
                (*not_before <= now).then_some(*reason)
            }
            State::Draining { until, .. } => (*until <= now).then_some(CloseReason::Overdue),
            _ => None,
        };
        let due: Vec<_> = self.by_id.iter().filter_map(|(id, slot)| Some((*id, due(slot)?))).collect();
        for (id, reason) in due {
            self.close(id, reason);
        }
    }

    /// When the next draining connection may be due.
    pub(crate) fn next_drain(&self) -> Option<Instant> {
        let due = self.by_id.values().filter_map(|slot| match &slot.state {
            State::Draining { live, not_before, until, .. } => {
                Some(if live.uses == 0 { *not_before } else { *until })
            }
            _ => None,
        });
        due.min()
    }

    /// Sees to it that one more slot fits: evicts, of those without a request in flight, the connection that drains for
    /// longest, or else the one that is idle for longest.
    pub(super) fn make_room(&mut self) -> Result<(), Refused> {
        let (current, max) = (self.by_id.len(), self.limits.max_total);
        if current < max {
            return Ok(());
        }
        let candidate = |(id, slot): (&ConnId, &Slot<C, W>)| match &slot.state {
            State::Draining { live, until, .. } if live.uses == 0 => Some((false, *until, *id)),
            State::Ready(live) if live.uses == 0 => Some((true, live.idle_since, *id)),
            _ => None,
        };
        let (_, _, victim) =
            self.by_id.iter().filter_map(candidate).min().ok_or(Refused::Full { current, max })?;
        self.close(victim, CloseReason::Evicted);
        Ok(())
    }

    /// Lets a connection finish what it carries, and no more.
    pub(super) fn drain(&mut self, id: ConnId, reason: CloseReason, now: Instant) {
        let Some(live) = self.take_live(id) else { return };
        let limit = self.limits.drain;
        let grace = match (reason, live.side) {
            // Of two connections the one that loses is closed by its dialler, who soonest knows that nothing more comes
            // on it; and not at once, as the other side learns a moment later which one that is.
            (CloseReason::Superseded, Side::Local) => limit / 8,
            (CloseReason::Superseded, Side::Remote) => limit,
            _ => Duration::ZERO,
        };
        let (not_before, until) = (now + grace, now + limit);
        self.set(id, State::Draining { live, not_before, until, reason });
    }
}
