//! Looking at the slots: what there is for a peer, and how many of what. Nothing here changes a state.

use std::sync::Arc;

use kinfolk_core::NodeId;

use super::super::ConnId;
use super::super::lane::Route;
use super::super::pooled::Pooled;
use super::{Held, Live, Slot, Slots, State, Waiter};

impl<C: Held, W: Waiter> Slots<C, W> {
    /// How many callers found a connection, or a dial for one.
    pub(crate) fn reused(&self) -> u64 {
        self.reused + self.by_id.values().filter_map(Slot::live).map(|live| live.pooled.reused()).sum::<u64>()
    }

    /// Requests in flight on all connections.
    #[cfg(test)]
    pub(crate) fn uses(&self) -> usize {
        self.by_id.values().filter_map(Slot::live).map(|live| live.pooled.uses()).sum()
    }

    /// The connections by state: (connecting, ready and in use, ready and idle, standby or draining).
    pub(crate) fn counts(&self) -> (usize, usize, usize, usize) {
        let mut counts = (self.loose.len(), 0, 0, 0);
        for slot in self.by_id.values() {
            match &slot.state {
                State::Connecting { .. } => counts.0 += 1,
                State::Ready(live) if live.pooled.uses() > 0 => counts.1 += 1,
                State::Ready(_) => counts.2 += 1,
                State::Standby(_) | State::Draining { .. } => counts.3 += 1,
            }
        }
        counts
    }

    /// The ready connection to a peer, without counting a use.
    pub(crate) fn peek(&self, route: Route<'_>) -> Option<C> {
        self.least_used(route).map(|pooled| pooled.conn.clone())
    }

    /// The slots of a peer, whatever they are for.
    pub(super) fn of_peer(&self, peer: &NodeId) -> impl Iterator<Item = ConnId> {
        self.by_peer.get(peer).into_iter().flatten().copied()
    }

    /// The slots of a peer's lane.
    pub(super) fn on_route(&self, route: Route<'_>) -> impl Iterator<Item = (ConnId, &Slot<C, W>)> {
        let slots = self.of_peer(route.peer).filter_map(|id| Some((id, self.by_id.get(&id)?)));
        slots.filter(move |(_, slot)| slot.lane == route.lane)
    }

    /// The ready connection of a peer's lane that the fewest use. Where there is but one, its count is not even read:
    /// threads that count uses would make the others wait for that.
    pub(super) fn least_used(&self, route: Route<'_>) -> Option<&Arc<Pooled<C>>> {
        let ready = self.on_route(route).filter_map(|(_, slot)| slot.ready());
        ready.map(|live| &live.pooled).min_by(|a, b| a.uses().cmp(&b.uses()).then(a.id.cmp(&b.id)))
    }

    /// The dial for a peer's lane.
    pub(super) fn connecting(&self, route: Route<'_>) -> Option<ConnId> {
        let mut slots = self.on_route(route);
        slots.find(|(_, slot)| matches!(slot.state, State::Connecting { .. })).map(|(id, _)| id)
    }

    /// How many connections count against the limit of a peer's lane.
    pub(super) fn counted(&self, route: Route<'_>) -> usize {
        let counts = |slot: &Slot<C, W>| matches!(slot.state, State::Connecting { .. } | State::Ready(_));
        self.on_route(route).filter(|(_, slot)| counts(slot)).count()
    }

    /// How many connections and dials count against the total.
    pub(super) fn total(&self) -> usize {
        self.by_id.len() + self.loose.len()
    }

    /// A connection, if it is ready.
    pub(super) fn ready_live(&self, id: ConnId) -> Option<&Live<C>> {
        self.by_id.get(&id)?.ready()
    }
}
