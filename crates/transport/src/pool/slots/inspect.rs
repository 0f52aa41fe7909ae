//! Read access to the slots: the connections of a peer, and counts. Nothing here changes a state.

use kinfolk_core::Instant;

use super::super::lane::Route;
use super::super::{ConnId, ConnectionState, ConnectionStats};
use super::slot::{Live, Slot, State};
use super::{SlotConnection, Slots, Waiter};

impl<C: SlotConnection, W: Waiter> Slots<C, W> {
    /// The number of callers that found a connection or a running dial.
    pub(crate) fn reused(&self) -> u64 {
        self.to_close.reused() + self.live().map(|live| live.pooled.reused()).sum::<u64>()
    }

    /// The requests in flight on all connections.
    #[cfg(test)]
    pub(crate) fn uses(&self) -> usize {
        self.live().map(|live| live.pooled.uses()).sum()
    }

    /// The number of connections by state: (connecting, ready and in use, ready and idle, standby
    /// or draining).
    pub(crate) fn counts(&self) -> (usize, usize, usize, usize) {
        // Loose dials count as connecting, because they hold places of the total.
        let mut counts = (self.table.loose().len(), 0, 0, 0);
        for (_, slot) in self.table.iter() {
            match &slot.state {
                State::Connecting(_) => counts.0 += 1,
                State::Ready(live) if live.pooled.uses() > 0 => counts.1 += 1,
                State::Ready(_) => counts.2 += 1,
                State::Standby(_) | State::Draining(_) => counts.3 += 1,
            }
        }
        counts
    }

    /// The ready connection on this route. Does not count a use.
    pub(crate) fn peek(&self, route: Route<'_>) -> Option<C> {
        self.table.least_used(route).map(|pooled| pooled.conn.clone())
    }

    /// Each slot, and its connection if there is one. The caller reads the round-trip time of the
    /// connection without the lock.
    pub(crate) fn connections(&self) -> Vec<(ConnectionStats, Option<C>)> {
        let describe = |slot: &Slot<C, W>| {
            let state = match &slot.state {
                State::Connecting(_) => ConnectionState::Connecting,
                State::Ready(_) => ConnectionState::Ready,
                State::Standby(_) => ConnectionState::Standby,
                State::Draining(_) => ConnectionState::Draining,
            };
            let (peer, lane, live) = (slot.peer.clone(), slot.lane, slot.live());
            let uses = live.map_or(0, |live| live.pooled.uses());
            let guest = slot.is_guest();
            let stats = ConnectionStats { peer, lane, state, uses, guest, rtt: None, certificate: None };
            (stats, live.map(|live| live.pooled.conn.clone()))
        };
        self.table.iter().map(|(_, slot)| describe(slot)).collect()
    }

    /// The ready connections without an ended use since `since`. The caller checks them without the
    /// lock.
    ///
    /// A use that ended since then usually means an answer, which proves as much as a check.
    pub(crate) fn unconfirmed_since(&self, since: Instant) -> Vec<(ConnId, C)> {
        let unconfirmed = |live: &&Live<C>| live.pooled.uses() > 0 || live.pooled.idle_since() < since;
        let live = self.table.iter().filter_map(|(id, slot)| Some((id, slot.ready().filter(unconfirmed)?)));
        live.map(|(id, live)| (id, live.pooled.conn.clone())).collect()
    }

    fn live(&self) -> impl Iterator<Item = &Live<C>> {
        self.table.iter().filter_map(|(_, slot)| slot.live())
    }
}
