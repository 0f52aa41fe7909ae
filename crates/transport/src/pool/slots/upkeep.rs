//! How connections leave their slots other than by ending: what makes room for another, what is idle, and what drains.

use std::time::Duration;

use kinfolk_core::Instant;

use super::super::lane::Lane;
use super::super::tie::Side;
use super::super::{CloseReason, ConnId, ConnectionState, ConnectionStats};
use super::{Held, Refused, Slot, Slots, State, Waiter};

/// How long a connection that is not handed out any more may carry the streams of applications: as good as for ever. A
/// dead one ends by itself, at QUIC's idle time-out.
const STREAMS_DRAIN: Duration = Duration::from_hours(365 * 24);

impl<C: Held, W: Waiter> Slots<C, W> {
    /// Puts out the connections that are idle for `idle_timeout`, and the draining ones whose time is up. Returns how
    /// many were idle.
    pub(crate) fn sweep(&mut self, now: Instant, idle_timeout: Duration) -> usize {
        self.sweep_drained(now);
        let idle = |slot: &Slot<C, W>| match &slot.state {
            State::Ready(live) => {
                live.pooled.uses() == 0 && now.since(live.pooled.idle_since()) >= idle_timeout
            }
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
            State::Draining { live, not_before, reason, .. } if live.pooled.uses() == 0 => {
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

    /// Each slot, with its connection if there is one, whose round trip is to be asked for outside the lock.
    pub(crate) fn connections(&self) -> Vec<(ConnectionStats, Option<C>)> {
        let describe = |slot: &Slot<C, W>| {
            let state = match &slot.state {
                State::Connecting { .. } => ConnectionState::Connecting,
                State::Ready(_) => ConnectionState::Ready,
                State::Standby(_) => ConnectionState::Standby,
                State::Draining { .. } => ConnectionState::Draining,
            };
            let (peer, lane, live) = (slot.peer.clone(), slot.lane, slot.live());
            let uses = live.map_or(0, |live| live.pooled.uses());
            let stats = ConnectionStats { peer, lane, state, uses, rtt: None };
            (stats, live.map(|live| live.pooled.conn.clone()))
        };
        self.by_id.values().map(describe).collect()
    }

    /// When the next draining connection may be due.
    pub(crate) fn next_drain(&self) -> Option<Instant> {
        let due = self.by_id.values().filter_map(|slot| match &slot.state {
            State::Draining { live, not_before, until, .. } => {
                Some(if live.pooled.uses() == 0 { *not_before } else { *until })
            }
            _ => None,
        });
        due.min()
    }

    /// Sees to it that one more slot fits: evicts, of those without a request in flight, the connection that drains for
    /// longest, or else the one that is idle for longest. If the streams of applications have their share of the total,
    /// only one of theirs makes room for another.
    pub(super) fn make_room(&mut self, lane: Lane) -> Result<(), Refused> {
        let streams = self.by_id.values().filter(|slot| slot.lane.is_streams()).count();
        let share_is_met = lane.is_streams() && streams >= self.limits.max_streams;
        let (current, max) = if share_is_met {
            (streams, self.limits.max_streams)
        } else {
            (self.total(), self.limits.max_total)
        };
        if current < max {
            return Ok(());
        }
        let candidate = |(id, slot): (&ConnId, &Slot<C, W>)| match &slot.state {
            _ if share_is_met && !slot.lane.is_streams() => None,
            State::Draining { live, until, .. } if live.pooled.uses() == 0 => Some((false, *until, *id)),
            State::Ready(live) if live.pooled.uses() == 0 => Some((true, live.pooled.idle_since(), *id)),
            _ => None,
        };
        let (_, _, victim) =
            self.by_id.iter().filter_map(candidate).min().ok_or(Refused::Full { current, max })?;
        self.close(victim, CloseReason::Evicted);
        Ok(())
    }

    /// Lets a connection finish what it carries, and no more.
    pub(super) fn drain(&mut self, id: ConnId, reason: CloseReason, now: Instant) {
        let Some(Slot { lane, .. }) = self.by_id.get(&id) else { return };
        let limit = if lane.is_streams() { STREAMS_DRAIN } else { self.limits.drain };
        let Some(live) = self.take_live(id) else { return };
        let grace = match (reason, live.side) {
            // Of two connections the one that loses is closed by its dialler, who soonest knows that nothing more comes
            // on it; and not at once, as the other side learns a moment later which one that is.
            (CloseReason::Superseded, Side::Local) => self.limits.drain / 8,
            (CloseReason::Superseded, Side::Remote) => self.limits.drain,
            _ => Duration::ZERO,
        };
        live.pooled.watch();
        let (not_before, until) = (now + grace, now + limit);
        self.set(id, State::Draining { live, not_before, until, reason });
    }
}
