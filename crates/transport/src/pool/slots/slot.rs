//! The slot of one connection, and its states.

use std::sync::Arc;
use std::time::Duration;

use kinfolk_core::{Instant, NodeId};

use super::super::lane::Lane;
use super::super::pooled::Pooled;
use super::super::tie::Side;
use super::super::{CloseReason, ConnId};
use super::single_flight::Dial;

/// How long a draining connection may carry application streams: practically without limit. A dead
/// connection ends by itself, at QUIC's idle time-out.
const STREAMS_DRAIN: Duration = Duration::from_hours(365 * 24);

/// The state of one slot.
///
/// ```text
///           reserve                dial_ok            given up / replaced in a tie
///  (free) ----------> Connecting ----------> Ready ------------------------------> Draining
///     ^                 |   ^                ^  |                                    ^    |
///     |     dial_failed |   | adopt, own     |  | ended (remove, acquire),           |    |
///     |<----------------'   | dial may win   |  | idle, evicted                      |    |
///     |                     v                |  |                                    |    |
///     |                  Standby ------------'  |                                    |    |
///     |                     |    dial_failed    |                                    |    |
///     |                     '-------------------+-------------- dial_ok -------------'    |
///     |<----------------------------------------'                                         |
///     '--------------------- last use ends, or the time limit passes ---------------------'
/// ```
///
/// `adopt` adds a connection that was not dialled by name. It becomes `Ready`, or `Draining` if it
/// loses a tie.
///
/// A dial that loses against `adopt` becomes *loose*: no caller waits for it, and it holds its
/// place in the total until it ends. A dial to an address whose node is unknown is loose from its
/// start to its `adopt`. `remove` and `close_all` end every state except `Connecting` and loose
/// (`close_all` also ends `Connecting`).
///
/// `Connecting` and `Ready` count against both limits. `Standby`, `Draining` and loose dials count
/// only against the total. A guest, which a peer opened while the total was full, counts against
/// its own limit instead of the total. Only a `Ready` connection is handed out. `table_tests.rs`
/// tests each state against each event.
#[derive(Debug)]
pub(super) enum State<C, W> {
    /// A dial is in progress. A caller for the peer waits for it.
    Connecting(Dial<W>),
    /// Callers get this connection.
    Ready(Live<C>),
    /// The peer's dial. It is kept for the case that this node's own dial, which wins the tie,
    /// fails.
    Standby(Live<C>),
    /// No caller gets this connection any more. It finishes its requests.
    Draining(Draining<C>),
}

/// An established connection.
#[derive(Debug)]
pub(super) struct Live<C> {
    pub(super) pooled: Arc<Pooled<C>>,
    pub(super) side: Side,
    pub(super) since: Instant,
    /// Whether it is a guest: beyond the total, for a short time.
    pub(super) guest: bool,
}

/// A connection that finishes its requests. It is not closed before `not_before`, and is closed at
/// `until`.
#[derive(Debug)]
pub(super) struct Draining<C> {
    pub(super) live: Live<C>,
    not_before: Instant,
    pub(super) until: Instant,
    reason: CloseReason,
}

impl<C> Draining<C> {
    /// Starts the drain at `now`. `limit` is the longest time that requests may take to end.
    pub(super) fn begin(
        live: Live<C>,
        lane: Lane,
        reason: CloseReason,
        now: Instant,
        limit: Duration,
    ) -> Self {
        let grace = match (reason, live.side) {
            // The dialler closes the connection that lost a tie: it is the first to know that
            // nothing more comes on it. It waits an eighth of the limit, because the other side
            // learns a moment later which connection lost.
            (CloseReason::Superseded, Side::Local) => limit / 8,
            (CloseReason::Superseded, Side::Remote) => limit,
            _ => Duration::ZERO,
        };
        let limit = if lane.is_streams() { STREAMS_DRAIN } else { limit };
        live.pooled.watch();
        Self { live, not_before: now + grace, until: now + limit, reason }
    }

    /// The reason to close the connection now, if it is due.
    pub(super) fn due(&self, now: Instant) -> Option<CloseReason> {
        if self.live.pooled.uses() == 0 {
            return (self.not_before <= now).then_some(self.reason);
        }
        (self.until <= now).then_some(CloseReason::Overdue)
    }

    /// The time when it may be due.
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
    /// The connection in the slot. None during a dial.
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

    /// Whether it is a guest. Then it does not count against the total, and its end makes no room
    /// there.
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

    /// Takes the connection out. The caller sets the next state.
    pub(super) fn take_live(&mut self) -> Option<Live<C>> {
        self.live()?;
        match std::mem::replace(&mut self.state, State::Connecting(Dial::empty())) {
            State::Ready(live) | State::Standby(live) | State::Draining(Draining { live, .. }) => Some(live),
            State::Connecting(_) => unreachable!("`live` returned a connection"),
        }
    }
}

/// What a slot stores for a new connection.
impl<C> Live<C> {
    /// `uses` callers use it from the start. `watched` requests a report when the last use ends.
    pub(super) fn new(id: ConnId, conn: C, side: Side, uses: usize, watched: bool, now: Instant) -> Self {
        let pooled = Arc::new(Pooled::new(id, conn, uses, now));
        if watched {
            pooled.watch();
        }
        Self { pooled, side, since: now, guest: false }
    }
}
