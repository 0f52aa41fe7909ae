//! Whom to contact next. It owns nothing: it chooses among what the other files remember. How many at a time, and when,
//! is for the loop in `reunion.rs` to say.

use kinfolk_core::{NodeAddr, NodeId, NodeState, Snapshot};

use super::members::{Members, Remembered};
use super::reached::Reached;
use super::seeds::Seeds;

/// Whom to contact.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Sought {
    pub seeds: Vec<String>,
    /// Members that the registry has removed, or that left. The protocol contacts those that
    /// failed.
    pub absent: Vec<NodeAddr>,
}

impl Sought {
    /// The addresses to contact, judged by this view, in which this member is alive.
    ///
    /// A member that left is contacted only while this member is alone. All members of a fleet that
    /// a service manager stops say that they leave; when they start again, each knows only members
    /// that left. A member that left for good declines.
    pub(super) fn of(seeds: &Seeds, members: &Members, reached: &Reached, view: &Snapshot) -> Self {
        let alone = view.members().nth(1).is_none();
        let is_sought = |id: &NodeId, member: &Remembered| match view.get(id) {
            None => alone || member.state() != NodeState::Left,
            Some(known) => alone && known.state == NodeState::Left,
        };
        let absent = members.iter().filter(|(id, member)| is_sought(id, member));
        let absent =
            absent.map(|(_, member)| member.addr()).filter(|addr| !reached.is_with_us(view, addr.socket()));
        Self { seeds: seeds.sought().to_vec(), absent: absent.collect() }
    }
}
