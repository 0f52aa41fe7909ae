//! The statuses that a registry holds. A status is found by name, or by the hash of all its fields.

use std::hash::{BuildHasher as _, Hash as _, Hasher as _};
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::node::NodeId;
use crate::status::NodeStatus;

/// A hash table with one status for each name. The status contains the name, so no second copy of
/// it is kept as a key.
///
/// Each entry also holds a hash of the whole status, so the table alone shows whether a claim is
/// known. With ten thousand members neither the statuses nor their names are in the CPU's cache
/// when a claim arrives.
///
/// Each table seeds its hashes at random. The hashes never leave the table. The bound on the number
/// of nodes keeps small what collisions can cost.
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

/// The hash of a status's name, and the hash of the whole status.
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

    /// Computes the mark that [`holds`](Self::holds) looks for.
    pub(super) fn mark(&self, status: &NodeStatus) -> Mark {
        let NodeStatus { id, addr, incarnation, state, description, described_at, described_as, .. } = status;
        let mut hasher = self.seed.build_hasher();
        id.hash(&mut hasher);
        let name = hasher.finish();
        // The hash of a description stands for its parts. The proof does not count: the same
        // statement may be signed twice.
        (addr, incarnation, state, description, described_at, described_as).hash(&mut hasher);
        Mark { name, whole: hasher.finish() }
    }

    /// Whether the status of this mark is exactly what is known of its name.
    pub(super) fn holds(&self, mark: Mark) -> bool {
        self.entries.find(mark.name, |entry| entry.whole == mark.whole).is_some()
    }

    /// Inserts a status. It replaces the status of the same name.
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

    /// Removes and returns what is known of `id`.
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

    /// All statuses, in no particular order.
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
    fn only_an_equal_status_is_held() {
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
