//! One connection's slot, and the states that it may be in.

use std::sync::Arc;
use std::time::Duration;

use kinfolk_core::{Instant, NodeId};

use super::super::lane::Lane;
use super::super::pooled::Pooled;
use super::super::tie::Side;
use super::super::{CloseReason, ConnId};
use super::single_flight::Dial;

/// How long a connection that is not handed out any more may carry the streams of applications: as good as for ever. A
/// dead one ends by itself, at QUIC's idle time-out.
const STREAMS_DRAIN: Duration = Duration::from_hours(365 * 24);

/// The state of one slot.
///
/// ```text
///           reserve                dial_ok                       doubt / replaced in a tie
///  (free) ----------> Connecting ----------> Ready ---------------------------------------> Draining
///     ^                 |   ^                ^  |                                           ^    |
///     |     dial_failed |   | adopt, own     |  | ended (remove, acquire), idle, evicted    |    | last use ends,
///     |<----------------'   | dial may win   |  |                                           |    | or time is up
///     |                     v                |  |                                           |    |
///     |                  Standby ------------'  |                                           |    |
///     |                     |    dial_failed    |                                           |    |
///     |                     '-------------------+----------------- dial_ok -----------------'    |
///     |<----------------------------------------'                                                |
///     '------------------------------------------------------------------------------------------'
/// ```
///
/// `adopt` brings a connection that was not dialled by name: straight to `Ready`, or to `Draining` if it loses a tie. A dial
/// that it overtakes becomes *loose*: nobody waits for it, and it holds its place in the total until it has ended. So does a
/// dial to an address whose node is not known, from its start to its `adopt`. `remove` and `close_all` end every state but
/// `Connecting` and loose (`close_all` ends `Connecting` too).
///
/// `Connecting` and `Ready` count against both limits; `Standby`, `Draining` and loose dials against
/// the total only. A guest, which a peer opened while there was no room, has a limit of its own in
/// place of the total. Only a `Ready` connection is ever handed out. `table_tests.rs` has each state
/// against each event.
#[derive(Debug)]
pub(super) enum State<C, W> {
    /// A dial is under way. Whoever asks for the peer waits for it.
    Connecting(Dial<W>),
    /// May be used.
    Ready(Live<C>),
    /// The peer's dial, kept in case that our own, which wins the tie, fails.
    Standby(Live<C>),
    /// Is not handed out any more, but finishes what it carries.
    Draining(Draining<C>),
}

/// An established connection.
#[derive(Debug)]
pub(super) struct Live<C> {
    pub(super) pooled: Arc<Pooled<C>>,
    pub(super) side: Side,
    pub(super) since: Instant,
    /// Whether it is there beyond the total, for a short while.
    pub(super) guest: bool,
}

/// A connection that finishes what it carries: not closed before `not_before`, closed at `until`.
#[derive(Debug)]
pub(super) struct Draining<C> {
    pub(super) live: Live<C>,
    not_before: Instant,
    pub(super) until: Instant,
    reason: CloseReason,
}

impl<C> Draining<C> {
    /// Begins at `now`. `limit` is the most that requests may take to end.
    pub(super) fn begin(
        live: Live<C>,
        lane: Lane,
        reason: CloseReason,
        now: Instant,
        limit: Duration,
    ) -> Self {
        let grace = match (reason, live.side) {
            // Of two connections the one that loses is closed by its dialler, who soonest knows that nothing more comes
            // on it; and not at once, as the other side learns a moment later which one that is.
            (CloseReason::Superseded, Side::Local) => limit / 8,
            (CloseReason::Superseded, Side::Remote) => limit,
            _ => Duration::ZERO,
        };
        let limit = if lane.is_streams() { STREAMS_DRAIN } else { limit };
        live.pooled.watch();
        Self { live, not_before: now + grace, until: now + limit, reason }
    }

    /// Why it is to be closed now, if it is.
    pub(super) fn due(&self, now: Instant) -> Option<CloseReason> {
        if self.live.pooled.uses() == 0 {
            return (self.not_before <= now).then_some(self.reason);
        }
        (self.until <= now).then_some(CloseReason::Overdue)
    }

    /// When it may be due.
    pub(super) fn next(&self) -> Instant {
        if self.live.pooled.uses() == 0 { self.not_before } else { self.until }
    }
}

/// A place in the pool, for one peer and one lane.
#[derive(Debug)]
pub(super) struct Slot<C, W> {
    pub(super) peer: NodeId,
    pub(super) lane: Lane,
    pub(super) state: State<C, W>,
}

impl<C, W> Slot<C, W> {
    /// Its connection, unless it is still dialled.
    pub(super) fn live(&self) -> Option<&Live<C>> {
        match &self.state {
            State::Ready(live) | State::Standby(live) | State::Draining(Draining { live, .. }) => Some(live),
            State::Connecting(_) => None,
        }
    }

    pub(super) fn ready(&self) -> Option<&Live<C>> {
        match &self.state {
            State::Ready(live) => Some(live),
            _ => None,
        }
    }

    /// Whether it is there beyond the total, and so makes no room in it.
    pub(super) fn is_guest(&self) -> bool {
        self.live().is_some_and(|live| live.guest)
    }

    pub(super) fn ready_mut(&mut self) -> Option<&mut Live<C>> {
        match &mut self.state {
            State::Ready(live) => Some(live),
            _ => None,
        }
    }

    pub(super) fn dial(&mut self) -> Option<&mut Dial<W>> {
        match &mut self.state {
            State::Connecting(dial) => Some(dial),
            _ => None,
        }
    }

    /// Whether it counts against the limit of its peer's lane.
    pub(super) fn counts(&self) -> bool {
        matches!(self.state, State::Connecting(_) | State::Ready(_))
    }

    /// Takes the connection out; the caller sets the next state.
    pub(super) fn take_live(&mut self) -> Option<Live<C>> {
        self.live()?;
        match std::mem::replace(&mut self.state, State::Connecting(Dial::vacant())) {
            State::Ready(live) | State::Standby(live) | State::Draining(Draining { live, .. }) => Some(live),
            State::Connecting(_) => unreachable!("it has a live connection"),
        }
    }
}

/// What a slot holds for a new connection.
impl<C> Live<C> {
    /// `uses` callers have it from the start; `watched` asks for the end of the last use to be told.
    pub(super) fn new(id: ConnId, conn: C, side: Side, uses: usize, watched: bool, now: Instant) -> Self {
        let pooled = Arc::new(Pooled::new(id, conn, uses, now));
        if watched {
            pooled.watch();
        }
        Self { pooled, side, since: now, guest: false }
    }
}
