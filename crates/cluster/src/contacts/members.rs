//! The members that this instance or the previous one knew, and the order in which the registry
//! removed them. `targets.rs` decides which of them to contact.

use std::collections::BTreeMap;
use std::sync::Arc;

use kinfolk_core::{Incarnation, NodeAddr, NodeId, NodeState, NodeStatus, Snapshot};

/// How many members are kept. Of more, alive and suspect members are kept before failed and left
/// ones.
pub(super) const MEMBERS_MAX: usize = 1_024;
/// How many of them may be absent: removed from the registry. Of more, the members that did not
/// leave are kept, then the members that were removed last.
pub(super) const ABSENT_MAX: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Members {
    by_id: BTreeMap<NodeId, Remembered>,
    /// The version of the view that was noted last. The same view twice changes nothing.
    noted: Option<u64>,
    /// Counts the members that became absent.
    absences: u64,
}

#[derive(Debug)]
pub(super) struct Remembered {
    /// The last statement of the member, as it signed it. So no other address than its own word is
    /// contacted.
    status: Arc<NodeStatus>,
    /// Set if the registry does not know the member. The lower the number, the longer it is absent.
    absent: Option<u64>,
}

impl Remembered {
    pub(super) fn addr(&self) -> NodeAddr {
        self.status.addr
    }

    pub(super) fn state(&self) -> NodeState {
        self.status.state
    }
}

impl Members {
    /// The members that the previous instance knew. The registry knows none of them yet.
    pub(super) fn from_previous_instance(known: &[Arc<NodeStatus>]) -> Self {
        let mut members = Self::default();
        // In reverse: the failed members are last in the list. They count as absent for longer, so
        // the bound removes them first.
        for known in known.iter().rev() {
            let absent = Some(members.next_absence());
            members.by_id.insert(known.id.clone(), Remembered { status: Arc::clone(known), absent });
        }
        members
    }

    /// Notes which members besides `me` are in the view, and which are not in it any more.
    pub(super) fn note(&mut self, me: &NodeId, view: &Snapshot) {
        // A view without this member is left over from a shutdown. Ignore it: otherwise every
        // member would count as absent.
        if view.get(me).is_none() {
            return;
        }
        if self.noted.replace(view.version()) == Some(view.version()) {
            return;
        }
        for node in view.nodes() {
            self.note_node(me, node);
        }
        for (id, remembered) in &mut self.by_id {
            if remembered.absent.is_none() && view.get(id).is_none() {
                remembered.absent = Some(self.absences);
                // Its description is not needed any more, and may be large.
                remembered.status = remembered.status.without_description().into();
                self.absences += 1;
            }
        }
        self.bound_absent();
        self.bound_all(me);
    }

    /// Forgets a member up to this incarnation. A later instance of the member stays.
    pub(super) fn forget(&mut self, id: &NodeId, incarnation: Incarnation) {
        if self.by_id.get(id).is_some_and(|member| member.status.incarnation <= incarnation) {
            self.by_id.remove(id);
        }
    }

    /// The status of a member, as far as it is kept here: without tags.
    pub(super) fn status_of(&self, id: &NodeId) -> Option<Arc<NodeStatus>> {
        self.by_id.get(id).map(|member| member.status.without_description().into())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&NodeId, &Remembered)> {
        self.by_id.iter()
    }

    pub(super) fn count(&self) -> usize {
        self.by_id.len()
    }

    /// All members, for the state directory. Alive members come first, then suspect, failed, and
    /// left ones.
    pub(super) fn known(&self) -> Vec<Arc<NodeStatus>> {
        let known = |member: &Remembered| Arc::new(member.status.without_description());
        let mut members: Vec<Arc<NodeStatus>> = self.by_id.values().map(known).collect();
        members.sort_by_key(|known| known.state);
        members
    }

    fn next_absence(&mut self) -> u64 {
        let absence = self.absences;
        self.absences += 1;
        absence
    }

    fn note_node(&mut self, me: &NodeId, node: &Arc<NodeStatus>) {
        if node.id != *me {
            self.by_id.insert(node.id.clone(), Remembered { status: Arc::clone(node), absent: None });
        }
    }

    fn bound_absent(&mut self) {
        let absent = self.by_id.values().filter(|member| member.absent.is_some()).count();
        let surplus = absent.saturating_sub(ABSENT_MAX);
        if surplus == 0 {
            return;
        }
        // Members that left are removed first: this member contacts them only while it is alone.
        let rank = |(id, member): (&NodeId, &Remembered)| {
            member.absent.map(|since| (member.state() != NodeState::Left, since, id.clone()))
        };
        let mut ranks: Vec<_> = self.by_id.iter().filter_map(rank).collect();
        ranks.sort_unstable();
        for (.., id) in ranks.drain(..surplus) {
            self.by_id.remove(&id);
        }
    }

    fn bound_all(&mut self, me: &NodeId) {
        if self.by_id.len() <= MEMBERS_MAX {
            return;
        }
        // Each member keeps a different random subset, so that the group as a whole keeps all
        // addresses.
        let by_chance = |id: &NodeId| crc32fast::hash(format!("{me} {id}").as_bytes());
        let rank = |(id, member): (&NodeId, &Remembered)| {
            (member.absent.is_some(), !member.state().is_member(), by_chance(id), id.clone())
        };
        let mut ranks: Vec<_> = self.by_id.iter().map(rank).collect();
        ranks.sort_unstable();
        for (.., id) in ranks.drain(MEMBERS_MAX..) {
            self.by_id.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use kinfolk_core::{SharedNodeRegistry, Tags};

    use super::*;

    #[test]
    fn cleared_registry_is_not_noted() {
        let registry = SharedNodeRegistry::new();
        let [me, other] = ["me", "a"].map(|name| NodeId::new(name).unwrap());
        for id in [&me, &other] {
            let addr = NodeAddr::new(([127, 0, 0, 1], 1).into());
            let _ = registry.apply(NodeStatus::alive(id.clone(), addr, Incarnation::new(1), Tags::empty()));
        }
        let mut members = Members::default();
        members.note(&me, &registry.snapshot());
        registry.clear();
        members.note(&me, &registry.snapshot());
        assert_eq!(members.by_id[&other].absent, None);
    }
}
