//! How a connection that nobody waits for finds its place among the slots: the peer's own dial, or a dial to an address
//! whose name was not known. Dials by name are in `single_flight.rs`.

use std::sync::Arc;

use kinfolk_core::Instant;

use super::super::lane::Route;
use super::super::tie::Side;
use super::super::{CloseReason, ConnId};
use super::slot::{Live, State};
use super::{Held, Slots, Waiter, Wake};

/// What became of a connection that the peer (or an unnamed dial) opened.
#[derive(Debug)]
pub(crate) enum Adopted<C, W> {
    /// It is the one to use now.
    Ready(Wake<C, W>),
    /// Another is preferred; this one serves the peer's requests until it is drained or needed.
    Spare,
    /// There is no room: it serves the peer's requests, and no caller here.
    NoRoom,
    /// The pool is closed.
    Closed,
}

impl<C: Held, W: Waiter> Slots<C, W> {
    /// Takes up a connection that nobody here waits for by its id: the peer's own dial (`Side::Remote`), or one to an
    /// address whose name was not known (`Side::Local`).
    pub(crate) fn adopt(
        &mut self,
        id: ConnId,
        route: Route<'_>,
        conn: C,
        side: Side,
        now: Instant,
    ) -> Adopted<C, W> {
        // It held a place while it was dialled, if it was dialled here.
        self.table.release_loose(id);
        if self.closed {
            return Adopted::Closed;
        }
        let mut live = Live::new(id, conn, side, 0, self.watched, now);
        if let Some(dial) = self.table.connecting(route) {
            return self.adopt_during_dial(id, route, live, dial, now);
        }
        let rival = self.rival(route, side);
        live.guest = side == Side::Remote && self.takes_guests(route.lane, now);
        if !live.guest && self.make_room(route.lane).is_err() {
            return Adopted::NoRoom;
        }
        // Making room may have evicted the rival.
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

    /// The peer's dial arrives while our own is under way.
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
            // Nobody waits for the dial any more. It keeps its place until it has ended.
            let (waiters, standby) = self.table.dial(dial).expect("it is connecting").end();
            self.table.remove(dial);
            self.table.hold_loose(dial);
            if let Some(standby) = standby {
                self.drain(standby, CloseReason::Superseded, now);
            }
            return self.insert_ready(id, route, live, waiters);
        }
        self.insert(id, route, State::Standby(live));
        let dial = self.table.dial(dial).expect("making room closes idle and draining connections only");
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

    /// The connection that a new one of `side` competes with, if the peer's limit is met: one of the same side first,
    /// then the oldest.
    fn rival(&self, route: Route<'_>, side: Side) -> Option<ConnId> {
        let ready = self.table.on_route(route).filter_map(|(id, slot)| Some((id, slot.ready()?)));
        ready.map(|(id, live)| (live.side != side, live.since, id)).min().map(|(_, _, id)| id)
    }
}
