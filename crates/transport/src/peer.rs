//! Whom a request goes to: a name and an address. Nothing here says whether they belong together; the handshake does.

use std::fmt;

use kinfolk_core::{NodeAddr, NodeId};

/// A node to talk to: the name that its certificate must carry, and the address to dial if there is no connection yet.
///
/// Connections are kept by name. The address is used only to dial.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Peer {
    /// The name that the peer's certificate must carry.
    pub id: NodeId,
    /// The address at which the peer listens.
    pub addr: NodeAddr,
}

impl Peer {
    /// Puts a name and an address together.
    pub const fn new(id: NodeId, addr: NodeAddr) -> Self {
        Self { id, addr }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.id, self.addr)
    }
}

/// Where a request was meant to go: an address, and a name if it is known.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    /// The expected name; none for a seed that is known by its address only.
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
