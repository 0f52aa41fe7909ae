//! Why the pool has no connection to give. Either this node's own limit is met, and nothing has been sent, or a dial
//! failed; then its cause is inside, and the slot is free again.

use std::time::Duration;

use kinfolk_core::NodeId;
use thiserror::Error;

use crate::peer::Peer;

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PoolError {
    /// A limit on connections is met and none could be evicted.
    #[error(
        "the connection pool is full ({current} of {max}, none idle): try again when a request has ended, or raise \
         `max_total` (in all) or `max_per_peer` (to one peer)"
    )]
    PoolFull {
        /// The connections that count against the limit that was met: all, or those to the one peer.
        current: usize,
        /// That limit.
        max: usize,
    },
    /// Too many callers wait for the same dial.
    #[error(
        "{waiting} callers wait for the connection to {peer} already, the limit is {max}: send fewer requests at once"
    )]
    QueueFull {
        /// To whom.
        peer: NodeId,
        /// How many wait.
        waiting: usize,
        /// The limit.
        max: usize,
    },
    /// The dial failed.
    #[error("no connection to {peer}: {cause}")]
    Dial {
        /// Who was dialled.
        peer: Peer,
        /// Why it failed.
        cause: DialError,
    },
    /// The pool has been closed.
    #[error("the connection pool is closed: this node is shutting down")]
    Closed,
}

/// Why a dial failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DialError {
    /// Nothing came back.
    #[error("no answer within {after:?}; check the address and that UDP passes")]
    Silent {
        /// How long was waited.
        after: Duration,
    },
    /// The peer answered and refused this node.
    #[error("the peer refused this node: {reason}")]
    RefusedByPeer {
        /// Why, as far as its answer says it.
        reason: String,
    },
    /// The peer answered, and this node refused its certificate.
    #[error("the peer's certificate is refused: {reason}")]
    PeerRefused {
        /// What is wrong with it.
        reason: String,
    },
    /// The peer answered under another name than the expected one.
    #[error("its certificate names {found}: the address belongs to another node")]
    WrongPeer {
        /// The node that its certificate names.
        found: NodeId,
    },
    /// The peer's certificate names this very node.
    #[error(
        "its certificate names this node itself: the address is our own, or our certificate is in use twice"
    )]
    OwnName,
    /// The peer has no room for one more connection.
    #[error("the peer takes no more connections at present; try again later, or raise its `inbound_max`")]
    Busy,
    /// The dial ended for another reason.
    #[error("the dial failed ({reason})")]
    Other {
        /// The reason.
        reason: String,
    },
}
