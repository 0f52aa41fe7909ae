//! The target of a request: a name and an address. The handshake verifies that they belong
//! together; this module does not.

use std::fmt;

use kinfolk_core::{NodeAddr, NodeId};

/// A node to send to: the name that its certificate must carry, and the address to dial.
///
/// The pool stores connections by name. It uses the address only to dial.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Peer {
    /// The name that the peer's certificate must carry.
    pub id: NodeId,
    /// The address on which the peer listens.
    pub addr: NodeAddr,
}

impl Peer {
    /// Creates a peer from a name and an address.
    pub const fn new(id: NodeId, addr: NodeAddr) -> Self {
        Self { id, addr }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.id, self.addr)
    }
}

/// The target of a request, for error messages: an address, and the name if it is known.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    /// The expected name. None for a seed, of which only the address is known.
    pub id: Option<NodeId>,
    /// The address.
    pub addr: NodeAddr,
}

impl From<&Peer> for Target {
    fn from(peer: &Peer) -> Self {
        Self { id: Some(peer.id.clone()), addr: peer.addr }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.id {
            Some(id) => write!(f, "{id} at {}", self.addr),
            None => write!(f, "{}", self.addr),
        }
    }
}
