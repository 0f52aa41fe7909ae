//! Adoption: how a connection without waiting callers gets a slot. It is the peer's own dial, or
//! this node's dial to an address whose node was unknown. `single_flight.rs` handles dials by name.

use std::sync::Arc;

use kinfolk_core::Instant;

use super::super::lane::Route;
use super::super::tie::Side;
use super::super::{CloseReason, ConnId};
use super::slot::{Live, State};
use super::{SlotConnection, Slots, Waiter, Wake};

/// The result of an adoption.
#[derive(Debug)]
pub(crate) enum Adopted<C, W> {
    /// Callers get this connection from now on.
    Ready(Wake<C, W>),
    /// The pool prefers another connection. This one serves the peer's requests until it is drained
    /// or its slot is needed.
    Spare,
    /// The pool has no room. The connection serves the peer's requests, and no local caller.
    NoRoom,
    /// The pool is closed.
    Closed,
}

impl<C: SlotConnection, W: Waiter> Slots<C, W> {
    /// Adopts a connection: the peer's own dial (`Side::Remote`), or this node's dial to an address
    /// whose node was unknown (`Side::Local`).
    pub(crate) fn adopt(
        &mut self,
        id: ConnId,
        route: Route<'_>,
        conn: C,
        side: Side,
        now: Instant,
    ) -> Adopted<C, W> {
        // A dial of this node held a place without a slot. Release it before the check for room.
        self.table.release_loose(id);
        if self.closed {
            return Adopted::Closed;
        }
        let mut live = Live::new(id, conn, side, 0, self.watched, now);
        if let Some(dial) = self.table.connecting(route) {
            return self.adopt_during_dial(id, route, live, dial, now);
        }
        let rival = self.rival(route, side);
        live.guest = side == Side::Remote && self.admits_as_guest(route.lane, now);
        if !live.guest && self.make_room(route.lane).is_err() {
            return Adopted::NoRoom;
        }
        // Making room may have evicted the rival, so look again at the count of this route.
        let rival = rival.filter(|_| self.table.counted(route) >= self.limits.max_per_peer);
        let Some(rival) = rival else { return self.insert_ready(id, route, live, Vec::new()) };
        let (rival_side, rival_since) =
            self.table.ready(rival).map(|live| (live.side, live.since)).expect("is ready");
        if self.limits.tie.newer_wins(route.peer, rival_side, now.since(rival_since), side) {
            self.drain(rival, CloseReason::Superseded, now);
            return self.insert_ready(id, route, live, Vec::new());
        }
        self.insert_draining(id, route, live, now);
        Adopted::Spare
    }

    /// The peer's dial arrives while this node's own dial is in progress.
    fn adopt_during_dial(
        &mut self,
        id: ConnId,
        route: Route<'_>,
        live: Live<C>,
        dial: ConnId,
        now: Instant,
    ) -> Adopted<C, W> {
        if self.make_room(route.lane).is_err() {
            return Adopted::NoRoom;
        }
        if live.side == Side::Local || self.limits.tie.winner(route.peer) == Side::Remote {
            // The callers get this connection instead. The dial's task still runs and uses
            // resources, so it counts as loose until it ends.
            let (waiters, standby) = self.table.dial(dial).expect("the slot is connecting").end();
            self.table.remove(dial);
            self.table.hold_loose(dial);
            if let Some(standby) = standby {
                self.drain(standby, CloseReason::Superseded, now);
            }
            return self.insert_ready(id, route, live, waiters);
        }
        // The peer applies the same rule, and keeps this node's dial. So this one only stands by.
        self.insert(id, route, State::Standby(live));
        let dial = self.table.dial(dial).expect("making room closes only idle and draining connections");
        if let Some(older) = dial.keep_standby(id) {
            self.drain(older, CloseReason::Superseded, now);
        }
        Adopted::Spare
    }

    fn insert_ready(
        &mut self,
        id: ConnId,
        route: Route<'_>,
        live: Live<C>,
        waiters: Vec<W>,
    ) -> Adopted<C, W> {
        live.pooled.begin(waiters.len());
        let pooled = Arc::clone(&live.pooled);
        self.insert(id, route, State::Ready(live));
        Adopted::Ready(Wake { waiters, with: Some(pooled) })
    }

    fn insert_draining(&mut self, id: ConnId, route: Route<'_>, live: Live<C>, now: Instant) {
        self.insert(id, route, State::Standby(live));
        self.drain(id, CloseReason::Superseded, now);
    }

    /// The ready connection that competes with a new connection of `side`, if the limit for this
    /// peer is reached. A connection of the same side comes first, because the newer dial replaces
    /// it in any case. Then the oldest.
    fn rival(&self, route: Route<'_>, side: Side) -> Option<ConnId> {
        let ready = self.table.on_route(route).filter_map(|(id, slot)| Some((id, slot.ready()?)));
        ready.map(|(id, live)| (live.side != side, live.since, id)).min().map(|(_, _, id)| id)
    }
}
