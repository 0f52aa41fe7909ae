//! What the pool needs to know of a connection, and of the way to get one. `quic::Dialer` is the real way; tests bring
//! their own.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use super::{DialError, Lane};
use crate::peer::Peer;

/// The number of a connection, given by the pool, unique in it for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub(in crate::pool) u64);

impl fmt::Display for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// Why the pool closes a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum CloseReason {
    /// Nothing was sent on it for the idle time-out.
    Idle,
    /// Its slot was needed for another.
    Evicted,
    /// Another connection to the same peer took its place, and nothing is in flight on it any more.
    Superseded,
    /// It was mute for too long, and nothing is in flight on it any more.
    Doubtful,
    /// It was superseded or doubtful, and its requests did not end in the drain time.
    Overdue,
    /// It had ended already.
    Dead,
    /// The pool is closed.
    Shutdown,
}

/// A connection: a cheap handle that any number of callers use at the same time.
pub trait Connection: Clone + Send + Sync + 'static {
    /// Whether it is still open, as far as is known without asking the peer. It must be cheap and take no lock: each
    /// look-up asks, with the pool's own lock held.
    fn is_open(&self) -> bool;

    /// The smoothed round trip, once measured. None if it is not known.
    fn rtt(&self) -> Option<Duration> {
        None
    }

    /// Asks for a sign of life, whose absence ends the connection by and by. Says whether it is still open.
    fn check(&self) -> bool;

    /// For how long the peer has acknowledged nothing though it was asked: zero if it has since `asked`, when the last
    /// question was sent. Without knowledge of that: since `asked`.
    fn mute_since(&self, asked: tokio::time::Instant) -> Duration {
        asked.elapsed()
    }

    /// Closes it, at once and without waiting. Requests on it end with an error.
    fn close(&self, reason: CloseReason);
}

/// A way to get connections.
pub trait Connect: Send + Sync + 'static {
    /// What it gives.
    type Connection: Connection;

    /// Dials `peer`. The connection must be usable: the peer has accepted this node, and carries the expected name.
    ///
    /// Dropping the future gives the dial up.
    fn connect(
        &self,
        peer: &Peer,
        id: ConnId,
    ) -> impl Future<Output = Result<Self::Connection, DialError>> + Send;

    /// The same for one lane to the peer. By default all lanes are dialled alike.
    fn connect_on(
        &self,
        peer: &Peer,
        lane: Lane,
        id: ConnId,
    ) -> impl Future<Output = Result<Self::Connection, DialError>> + Send {
        match lane {
            Lane::Requests | Lane::StreamsOut | Lane::StreamsIn => self.connect(peer, id),
        }
    }
}
