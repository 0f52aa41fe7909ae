//! Which member answered at an address. Behind a NAT a member answers at another address than it
//! advertises. Without this record, this member would contact that address forever.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use kinfolk_core::{NodeId, Snapshot};

/// How many addresses are kept, so that memory stays bounded.
const OWNERS_MAX: usize = 256;

#[derive(Debug, Default)]
pub(super) struct AddressOwners {
    by_addr: BTreeMap<SocketAddr, NodeId>,
}

impl AddressOwners {
    pub(super) fn note(&mut self, addr: SocketAddr, node: NodeId) {
        if self.by_addr.len() < OWNERS_MAX || self.by_addr.contains_key(&addr) {
            self.by_addr.insert(addr, node);
        }
    }

    pub(super) fn clear(&mut self) {
        self.by_addr.clear();
    }

    /// Whether a member that is alive or suspect in this view advertises the address, or answered
    /// there.
    pub(super) fn is_of_member(&self, view: &Snapshot, addr: SocketAddr) -> bool {
        let owner = self.by_addr.get(&addr).and_then(|id| view.get(id));
        owner.is_some_and(|node| node.state.is_member())
            || view.members().any(|node| node.addr.socket() == addr)
    }
}
