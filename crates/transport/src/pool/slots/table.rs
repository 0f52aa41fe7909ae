//! The table of the slots, by id and by peer. It knows no limits and makes no decisions.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use kinfolk_core::NodeId;

use super::super::ConnId;
use super::super::lane::Route;
use super::super::pooled::Pooled;
use super::single_flight::Dial;
use super::slot::{Live, Slot, State};

#[derive(Debug)]
pub(super) struct Table<C, W> {
    /// Ordered by id, and ids grow. So an iteration gives the oldest connection first.
    by_id: BTreeMap<ConnId, Slot<C, W>>,
    /// Each request looks up its peer, so this must not be a search.
    by_peer: HashMap<NodeId, Vec<ConnId>>,
    /// Loose dials: dials that hold a place without a slot. Their peer's name is unknown, or the
    /// peer's own dial won.
    loose: BTreeSet<ConnId>,
}

impl<C, W> Table<C, W> {
    pub(super) fn new() -> Self {
        Self { by_id: BTreeMap::new(), by_peer: HashMap::new(), loose: BTreeSet::new() }
    }

    // ---- read access ----

    pub(super) fn get(&self, id: ConnId) -> Option<&Slot<C, W>> {
        self.by_id.get(&id)
    }

    /// All slots, oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (ConnId, &Slot<C, W>)> {
        self.by_id.iter().map(|(id, slot)| (*id, slot))
    }

    /// The slots on a route.
    pub(super) fn on_route(&self, route: Route<'_>) -> impl Iterator<Item = (ConnId, &Slot<C, W>)> {
        let ids = self.by_peer.get(route.peer).into_iter().flatten().copied();
        let slots = ids.filter_map(|id| Some((id, self.by_id.get(&id)?)));
        slots.filter(move |(_, slot)| slot.lane == route.lane)
    }

    /// The ready connection on a route with the fewest uses. If there is only one, its count is not
    /// read: the read would wait for the threads that write the count.
    pub(super) fn least_used(&self, route: Route<'_>) -> Option<&Arc<Pooled<C>>> {
        let ready = self.on_route(route).filter_map(|(_, slot)| slot.ready());
        ready.map(|live| &live.pooled).min_by(|a, b| a.uses().cmp(&b.uses()).then(a.id.cmp(&b.id)))
    }

    /// The running dial on a route.
    pub(super) fn connecting(&self, route: Route<'_>) -> Option<ConnId> {
        let mut slots = self.on_route(route);
        slots.find(|(_, slot)| matches!(slot.state, State::Connecting(_))).map(|(id, _)| id)
    }

    /// How many connections count against the limit of a route.
    pub(super) fn counted(&self, route: Route<'_>) -> usize {
        self.on_route(route).filter(|(_, slot)| slot.counts()).count()
    }

    /// How many connections and dials count against the total. Guests do not count.
    pub(super) fn total(&self) -> usize {
        self.by_id.len() - self.guests() + self.loose.len()
    }

    /// The number of guests.
    pub(super) fn guests(&self) -> usize {
        self.by_id.values().filter(|slot| slot.is_guest()).count()
    }

    /// How many connections and dials are for application streams.
    pub(super) fn streams(&self) -> usize {
        self.by_id.values().filter(|slot| slot.lane.is_streams()).count()
    }

    /// The connection with this id, if it is ready.
    pub(super) fn ready(&self, id: ConnId) -> Option<&Live<C>> {
        self.by_id.get(&id)?.ready()
    }

    /// The loose dials.
    pub(super) fn loose(&self) -> &BTreeSet<ConnId> {
        &self.loose
    }

    // ---- changes ----

    /// Adds a slot. An `id` is used once.
    pub(super) fn insert(&mut self, id: ConnId, Route { peer, lane }: Route<'_>, state: State<C, W>) {
        self.by_peer.entry(peer.clone()).or_default().push(id);
        let before = self.by_id.insert(id, Slot { peer: peer.clone(), lane, state });
        assert!(before.is_none(), "an id is used once");
    }

    pub(super) fn get_mut(&mut self, id: ConnId) -> Option<&mut Slot<C, W>> {
        self.by_id.get_mut(&id)
    }

    pub(super) fn set(&mut self, id: ConnId, state: State<C, W>) {
        self.by_id.get_mut(&id).expect("the slot exists").state = state;
    }

    /// The dial of a slot that is connecting.
    pub(super) fn dial(&mut self, id: ConnId) -> Option<&mut Dial<W>> {
        self.by_id.get_mut(&id)?.dial()
    }

    /// Frees a slot. If it was the standby of a dial, that dial has no standby any more.
    pub(super) fn remove(&mut self, id: ConnId) -> Option<Slot<C, W>> {
        let slot = self.by_id.remove(&id)?;
        let Self { by_id, by_peer, .. } = self;
        if let Some(ids) = by_peer.get_mut(&slot.peer) {
            ids.retain(|other| *other != id);
            if matches!(slot.state, State::Standby(_)) {
                for other in &*ids {
                    if let Some(dial) = by_id.get_mut(other).and_then(Slot::dial) {
                        dial.drop_standby(id);
                    }
                }
            }
            if ids.is_empty() {
                by_peer.remove(&slot.peer);
            }
        }
        Some(slot)
    }

    /// Frees all slots. Loose dials keep their places until they end.
    pub(super) fn remove_all(&mut self) -> impl Iterator<Item = Slot<C, W>> + use<C, W> {
        self.by_peer.clear();
        std::mem::take(&mut self.by_id).into_values()
    }

    /// Takes a place for a loose dial. An `id` is used once.
    pub(super) fn hold_loose(&mut self, id: ConnId) {
        let new = self.loose.insert(id);
        assert!(new, "an id is used once");
    }

    /// Reports that a loose dial ended.
    pub(super) fn release_loose(&mut self, id: ConnId) {
        self.loose.remove(&id);
    }
}

#[cfg(test)]
impl<C, W> Table<C, W> {
    /// Both ways to find a slot must lead to the same slots.
    pub(super) fn check(&self) {
        assert_eq!(self.by_peer.values().map(Vec::len).sum::<usize>(), self.by_id.len());
    }
}
