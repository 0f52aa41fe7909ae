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
    /// There is no open connection, and the caller did not want a dial.
    #[error("there is no open connection to {peer}, and none was to be made")]
    NotConnected {
        /// To whom.
        peer: Peer,
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
    #[error(
        "no answer within {after:?}; check the address, and that the network passes UDP packets of up to 1,248 bytes"
    )]
    Silent {
        /// How long the dial waited.
        after: Duration,
    },
    /// The path to the peer takes no packet as long as QUIC needs it. The reason lies in the
    /// network near this node; it says nothing about the peer.
    #[error(
        "packets on the path to it may have {mtu} bytes, and QUIC needs {needed} (1,200 bytes of UDP payload); raise the \
         MTU of the interface, route or tunnel to {needed} or more"
    )]
    PathTooSmall {
        /// The MTU of the path in bytes, as the system knows it.
        mtu: u32,
        /// What QUIC needs: 1,228 bytes for IPv4, 1,248 for IPv6.
        needed: u32,
    },
    /// Nothing came back, and the system cannot send to the address.
    #[error(
        "this node cannot send to it ({cause}); check the routes here, and that `listen` is an address of the same family"
    )]
    Unreachable {
        /// What the system says.
        cause: String,
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
    /// The peer's process started again during the handshake.
    #[error("the peer restarted during the handshake; try again")]
    Restarted,
    /// Somebody answered, and one side's QUIC broke the handshake off.
    #[error(
        "the handshake broke off ({reason}); check that a Kinfolk node of this version listens there, and see its log"
    )]
    Protocol {
        /// What QUIC says.
        reason: String,
    },
    /// Other dials of this node were under way for as long as a dial may take: as many as
    /// `dials_max`, or fewer while they take longer than a second. Nothing was sent.
    #[error(
        "the dial did not begin within {after:?}: others were under way, at most {max} (`dials_max`), fewer while dials are \
         slow; send to fewer new peers at once, or give this node more CPU"
    )]
    NotBegun {
        /// How long the dial waited for its turn.
        after: Duration,
        /// The limit.
        max: usize,
    },
    /// This node ended the dial.
    #[error("this node is shutting down")]
    Stopped,
    /// The dial ended for another reason, which lies in this node's program.
    #[error("the dial failed in this program ({reason}); try again, and report it if it happens again")]
    Other {
        /// The reason.
        reason: String,
    },
}
