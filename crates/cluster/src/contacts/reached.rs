//! Whom an address led to. Behind a translator of addresses a member is reached at another one than it advertises; without
//! this note it would be contacted for ever.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use kinfolk_core::{NodeId, Snapshot};

/// How many addresses are remembered that lead to a member which advertises another.
const REACHED_MAX: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Reached {
    by_addr: BTreeMap<SocketAddr, NodeId>,
}

impl Reached {
    pub(super) fn note(&mut self, addr: SocketAddr, node: NodeId) {
        if self.by_addr.len() < REACHED_MAX || self.by_addr.contains_key(&addr) {
            self.by_addr.insert(addr, node);
        }
    }

    pub(super) fn forget(&mut self) {
        self.by_addr.clear();
    }

    /// Whether that address is one of a living member's, as far as is known.
    pub(super) fn is_with_us(&self, view: &Snapshot, addr: SocketAddr) -> bool {
        let reached = self.by_addr.get(&addr).and_then(|id| view.get(id));
        reached.is_some_and(|node| node.state.is_member())
            || view.members().any(|node| node.addr.socket() == addr)
    }
}
