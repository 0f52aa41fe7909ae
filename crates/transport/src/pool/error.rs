//! Why the pool returns no connection. Either a limit of this node is reached, and nothing was
//! sent, or a dial failed. After a failed dial the slot is free again.

use std::time::Duration;

use kinfolk_core::NodeId;
use thiserror::Error;

use crate::peer::Peer;

/// Why the pool returns no connection.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PoolError {
    /// A limit on connections is reached, and no connection could be evicted.
    ///
    /// What to do: try again when a request has ended, or raise `max_total` or `max_per_peer`.
    #[error(
        "the connection pool is full ({current} of {max}, none idle); try again when a request has ended, or raise \
         `max_total` (in all) or `max_per_peer` (to one peer)"
    )]
    PoolFull {
        /// The connections that count against the limit: all connections, or those to one peer.
        current: usize,
        /// The limit that was reached.
        max: usize,
    },
    /// No connection is open, and the caller wants no dial.
    ///
    /// What to do: nothing. To dial in any case, use another [`Need`](super::Need).
    #[error("no connection to {peer} is open, and the caller wants no dial")]
    NotConnected {
        /// The target.
        peer: Peer,
    },
    /// Too many callers wait for the same dial.
    ///
    /// What to do: send fewer requests to this peer at once, or raise `waiters_max`.
    #[error(
        "{waiting} callers already wait for the connection to {peer}, and the limit is {max}; send fewer requests at \
         once"
    )]
    QueueFull {
        /// The target.
        peer: NodeId,
        /// The number of waiting callers.
        waiting: usize,
        /// The limit.
        max: usize,
    },
    /// The dial failed.
    ///
    /// What to do: see the [cause](DialError).
    #[error("no connection to {peer}: {cause}")]
    Dial {
        /// The target.
        peer: Peer,
        /// Why the dial failed.
        cause: DialError,
    },
    /// The pool is closed.
    ///
    /// What to do: nothing.
    #[error("the connection pool is closed: this node is shutting down")]
    Closed,
}

/// Why a dial failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DialError {
    /// No packet came back.
    ///
    /// What to do: check that the node runs at this address, and that the network passes UDP
    /// packets of up to 1,248 bytes.
    #[error(
        "no answer within {after:?}; check the address, and that the network passes UDP packets of up to 1,248 bytes"
    )]
    Silent {
        /// How long the dial waited.
        after: Duration,
    },
    /// The path to the peer carries no packets as long as QUIC needs them. The cause is the network
    /// near this node; it says nothing about the peer.
    ///
    /// What to do: raise the MTU of the interface, the route, or the tunnel.
    #[error(
        "packets on the path to it may have {mtu} bytes, and QUIC needs {needed} (1,200 bytes of UDP payload); raise the \
         MTU of the interface, route or tunnel to {needed} or more"
    )]
    PathTooSmall {
        /// The MTU of the path in bytes, as the kernel knows it.
        mtu: u32,
        /// The MTU that QUIC needs: 1,228 bytes for IPv4, 1,248 for IPv6.
        needed: u32,
    },
    /// No packet came back, and the kernel cannot send to the address.
    ///
    /// What to do: check the routes of this node, and that `listen` is an address of the same
    /// family.
    #[error(
        "this node cannot send to it ({cause}); check the routes here, and that `listen` is an address of the same family"
    )]
    Unreachable {
        /// The error text of the system.
        cause: String,
    },
    /// The peer answered and refused this node.
    ///
    /// What to do: see the reason, and the log of the peer.
    #[error("the peer refused this node: {reason}")]
    RefusedByPeer {
        /// The peer's reason, as far as its answer states it.
        reason: String,
    },
    /// The peer answered, and this node refused its certificate.
    ///
    /// What to do: see the reason. Most often the peer needs a certificate of this cluster, or a
    /// clock is wrong.
    #[error("this node refused the certificate of the peer: {reason}")]
    PeerRefused {
        /// What is wrong with the certificate.
        reason: String,
    },
    /// The peer answered with another name than the expected one.
    ///
    /// What to do: correct the address, or the expected name.
    #[error("its certificate names {found}: the address belongs to another node")]
    WrongPeer {
        /// The node that the certificate names.
        found: NodeId,
    },
    /// The peer's certificate has the name of this node.
    ///
    /// What to do: remove this node's own address from its peers, or issue a certificate of its own
    /// to the other process.
    #[error(
        "its certificate names this node itself: the address is our own, or our certificate is in use twice"
    )]
    OwnName,
    /// The peer accepts no more connections.
    ///
    /// What to do: try again later, or raise `inbound_max` at the peer.
    #[error("the peer accepts no more connections now; try again later, or raise its `inbound_max`")]
    Busy,
    /// The peer's process restarted during the handshake.
    ///
    /// What to do: try again.
    #[error("the peer restarted during the handshake; try again")]
    Restarted,
    /// A process answered, and the QUIC of one side ended the handshake.
    ///
    /// What to do: check that a Kinfolk node of a compatible version listens at this address, and
    /// see its log.
    #[error(
        "the handshake broke off ({reason}); check that a Kinfolk node of this version listens there, and see its log"
    )]
    Protocol {
        /// The error text of QUIC.
        reason: String,
    },
    /// Other dials of this node ran for the whole time limit: `dials_max` of them, or fewer while
    /// dials take longer than a second. Nothing was sent.
    ///
    /// What to do: send to fewer new peers at once, or give this node more CPU.
    #[error(
        "the dial did not begin within {after:?}: others ran, at most {max} (`dials_max`), fewer while dials are slow; \
         send to fewer new peers at once, or give this node more CPU"
    )]
    NotBegun {
        /// How long the dial waited for its permit.
        after: Duration,
        /// The limit on dials.
        max: usize,
    },
    /// This node ended the dial, because it shuts down.
    ///
    /// What to do: nothing.
    #[error("this node is shutting down")]
    Stopped,
    /// The dial failed for a reason inside this program.
    ///
    /// What to do: try again, and report the error if it repeats.
    #[error("the dial failed in this program ({reason}); try again, and report it if it happens again")]
    Other {
        /// The reason.
        reason: String,
    },
}
