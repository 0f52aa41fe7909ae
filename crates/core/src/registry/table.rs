//! The statuses that a registry holds, found by name, or by all that they say.

use std::hash::{BuildHasher as _, Hash as _, Hasher as _};
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::node::NodeId;
use crate::status::NodeStatus;

/// A hash table of statuses, one a name. The name stands in the status itself: no second copy of it is kept as a key.
///
/// Beside each stands a hash of all that it says, so that whether a claim is known is seen in the table alone. Among ten
/// thousand members neither the statuses nor their names are in the cache when a claim about one of them comes.
///
/// The hashes are seeded anew for each table, and never leave it.
#[derive(Clone, Default)]
pub(super) struct Table {
    entries: HashTable<Entry>,
    seed: RandomState,
}

#[derive(Clone)]
struct Entry {
    whole: u64,
    status: Arc<NodeStatus>,
}

/// The hash of the name in a status, and that of the whole.
#[derive(Clone, Copy)]
pub(super) struct Mark {
    name: u64,
    whole: u64,
}

impl Table {
    /// What is known of `id`.
    pub(super) fn get(&self, id: &NodeId) -> Option<&Arc<NodeStatus>> {
        let found = self.entries.find(self.seed.hash_one(id), |entry| entry.status.id == *id);
        found.map(|entry| &entry.status)
    }

    /// By what a status is [found](Self::holds).
    pub(super) fn mark(&self, status: &NodeStatus) -> Mark {
        let NodeStatus { id, addr, incarnation, state, tags, described_at } = status;
        let mut hasher = self.seed.build_hasher();
        id.hash(&mut hasher);
        let name = hasher.finish();
        (addr, incarnation, state, tags, described_at).hash(&mut hasher);
        Mark { name, whole: hasher.finish() }
    }

    /// Whether the status of this mark is just what is known of its name.
    pub(super) fn holds(&self, mark: Mark) -> bool {
        self.entries.find(mark.name, |entry| entry.whole == mark.whole).is_some()
    }

    /// Puts a status in the place of the one of the same name.
    pub(super) fn put(&mut self, status: Arc<NodeStatus>) {
        let Mark { name, whole } = self.mark(&status);
        let Self { entries, seed } = self;
        let same = |entry: &Entry| entry.status.id == status.id;
        match entries.entry(name, same, |entry| seed.hash_one(&entry.status.id)) {
            hashbrown::hash_table::Entry::Occupied(mut known) => *known.get_mut() = Entry { whole, status },
            hashbrown::hash_table::Entry::Vacant(place) => {
                place.insert(Entry { whole, status });
            }
        }
    }

    /// Takes out what is known of `id`.
    pub(super) fn take(&mut self, id: &NodeId) -> Option<Arc<NodeStatus>> {
        let found = self.entries.find_entry(self.seed.hash_one(id), |entry| entry.status.id == *id);
        found.ok().map(|entry| entry.remove().0.status)
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// All, in no order that means anything.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<NodeStatus>> {
        self.entries.iter().map(|entry| &entry.status)
    }
}

#[cfg(test)]
#[cfg(not(kinfolk_loom))]
mod tests {
    use super::*;
    use crate::{Incarnation, NodeAddr, NodeState, Tags};

    #[test]
    fn a_status_is_held_if_every_part_of_it_is_what_is_known() {
        let status = |name: &str, port: u16, incarnation: u64, tag: &str| {
            let addr = NodeAddr::new(([127, 0, 0, 1], port).into());
            let tags = Tags::new([("tag", tag)]).unwrap();
            NodeStatus::alive(NodeId::new(name).unwrap(), addr, Incarnation::new(incarnation), tags)
        };
        let known = status("a", 1, 2, "x");
        let mut table = Table::default();
        table.put(Arc::new(status("a", 1, 1, "x")));
        table.put(Arc::new(known.clone()));
        assert_eq!((table.len(), table.get(&known.id).map(|known| known.incarnation.get())), (1, Some(2)));
        assert!(table.holds(table.mark(&known)) && table.clone().holds(table.mark(&known)));
        let others = [
            status("b", 1, 2, "x"),
            status("a", 2, 2, "x"),
            status("a", 1, 1, "x"),
            status("a", 1, 2, "y"),
            known.with_state(NodeState::Suspect),
            NodeStatus { described_at: Incarnation::new(1), ..known.clone() },
        ];
        for other in &others {
            assert!(!table.holds(table.mark(other)), "{other:?}");
        }
        assert_eq!(table.take(&known.id).as_deref(), Some(&known));
        assert!(!table.holds(table.mark(&known)) && table.len() == 0);
    }
}
