//! What the pool requires of a connection, and of the code that dials. `quic::Dialer` is the real
//! implementation; tests bring their own.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use kinfolk_core::signed::Fingerprint;

use super::{DialError, Lane};
use crate::peer::Peer;

/// The number of a connection. The pool assigns it and never uses it again.
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
    /// No request used it for the idle time-out.
    Idle,
    /// The pool needed its slot for another connection.
    Evicted,
    /// Another connection to the same peer replaced it, and no request is in flight on it.
    Superseded,
    /// Its peer was mute for too long, and no request is in flight on it.
    Unresponsive,
    /// It was replaced or given up, and its requests did not end within the drain time-out.
    Overdue,
    /// It had already ended.
    Dead,
    /// The pool is closed.
    Shutdown,
}

/// A connection: a cheap handle that many callers use at the same time.
pub trait Connection: Clone + Send + Sync + 'static {
    /// Whether the connection is open, as far as this node knows without a packet to the peer.
    ///
    /// It must be cheap and take no lock: each look-up calls it while it holds the pool's lock.
    fn is_open(&self) -> bool;

    /// The smoothed round-trip time. None before the first measurement, or if it is not known.
    fn rtt(&self) -> Option<Duration> {
        None
    }

    /// The fingerprint of the peer's certificate in the handshake. None if it is not known.
    fn fingerprint(&self) -> Option<Fingerprint> {
        None
    }

    /// Sends a packet that the peer must acknowledge. Without an acknowledgement the connection
    /// ends after QUIC's idle time-out. Returns whether the connection is still open.
    fn check(&self) -> bool;

    /// How long the peer has been mute: zero if it acknowledged a packet since `asked`, the time of
    /// the last question. An implementation without this knowledge returns the time since `asked`.
    fn unacknowledged_for(&self, asked: tokio::time::Instant) -> Duration {
        asked.elapsed()
    }

    /// Closes the connection at once, without waiting. Its requests fail.
    fn close(&self, reason: CloseReason);
}

/// The code that dials.
pub trait Connect: Send + Sync + 'static {
    /// The type of connection that a dial returns.
    type Connection: Connection;

    /// Dials `peer`. The returned connection must be usable: the peer has accepted this node, and
    /// its certificate has the expected name.
    ///
    /// # Cancel safety
    /// Dropping the future gives the dial up.
    fn connect(
        &self,
        peer: &Peer,
        id: ConnId,
    ) -> impl Future<Output = Result<Self::Connection, DialError>> + Send;

    /// Dials `peer` for one lane. By default all lanes are dialled in the same way.
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
