//! Which addresses to contact next. This file owns no state: it chooses from what the other files
//! keep. `rejoin.rs` decides when to contact them, and how many at a time.

use kinfolk_core::{NodeAddr, NodeId, NodeState, Snapshot};

use super::address_owners::AddressOwners;
use super::members::{Members, Remembered};
use super::seeds::Seeds;

/// The addresses to contact.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Targets {
    pub seeds: Vec<String>,
    /// Members that the registry has removed, or that left. The protocol itself contacts the failed
    /// members.
    pub absent: Vec<NodeAddr>,
}

impl Targets {
    /// Chooses by this view. This member must be alive in it.
    ///
    /// A member that left is contacted only while this member is alone. When a service manager
    /// stops a whole fleet, all members leave. After their restart each knows only members that
    /// left. A member that left on purpose declines the contact (decision 12).
    pub(super) fn of(seeds: &Seeds, members: &Members, owners: &AddressOwners, view: &Snapshot) -> Self {
        let alone = view.members().nth(1).is_none();
        let is_target = |id: &NodeId, member: &Remembered| match view.get(id) {
            None => alone || member.state() != NodeState::Left,
            Some(known) => alone && known.state == NodeState::Left,
        };
        let absent = members.iter().filter(|(id, member)| is_target(id, member));
        // A member may have taken over the address of a removed one. A contact would find nothing
        // new.
        let absent =
            absent.map(|(_, member)| member.addr()).filter(|addr| !owners.is_of_member(view, addr.socket()));
        Self { seeds: seeds.targets().to_vec(), absent: absent.collect() }
    }
}
