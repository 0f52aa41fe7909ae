//! The registry: the one place that holds the state of members. Every change goes through `apply`,
//! which follows the precedence rule, or through `replace`, `reap`, `clear` and `close`. Events and
//! gossip updates are made from the [`Change`] that a method returns.
//!
//! | handle | holder | may write |
//! |---|---|---|
//! | [`RegistryWriter`] | its one owner: in a cluster, the protocol machine | yes |
//! | [`RegistryView`] | all readers | no |
//! | [`RegistryCloser`] | the shutdown | only to empty the registry permanently |
//! | [`SharedNodeRegistry`] | a program without cluster, with several writers | yes |

mod digest;
mod shared;
mod snapshot;
mod sync;
mod table;
mod writer;

#[cfg(test)]
#[cfg(kinfolk_loom)]
mod loom_registry;

use std::fmt;
use std::sync::Arc;

pub use shared::SharedNodeRegistry;
pub use snapshot::Snapshot;
pub use writer::{RegistryCloser, RegistryWriter};

use crate::incarnation::Incarnation;
use crate::node::NodeId;
use crate::precedence;
use crate::state::NodeState;
use crate::status::NodeStatus;
use digest::Digest;
use sync::RwLock;
use table::Table;

/// The result of applying one claim.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a change is what events and gossip are made from"]
pub enum Change {
    /// Nothing changed: the claim was known already, or what is known outranks it.
    None,
    /// What is known of the member changed.
    Applied {
        /// What was known before; `None` if the member was not known.
        before: Option<Arc<NodeStatus>>,
        /// What is known now.
        after: Arc<NodeStatus>,
    },
    /// Nothing changed: the member is not known, and the registry is at its bound.
    Full,
}

impl Change {
    /// What is known now; `None` if nothing changed.
    pub fn after(&self) -> Option<&Arc<NodeStatus>> {
        match self {
            Self::Applied { after, .. } => Some(after),
            Self::None | Self::Full => None,
        }
    }
}

/// A read handle of the registry: a map from name to status, as this process knows the members.
/// Clones (one reference count) show the same registry. A [`RegistryWriter`] or a
/// [`SharedNodeRegistry`] changes it.
///
/// ```
/// use kinfolk_core::{Incarnation, NodeAddr, NodeId, NodeStatus, RegistryWriter, Tags};
///
/// let mut writer = RegistryWriter::new();
/// let view = writer.view();
/// let addr = NodeAddr::new("127.0.0.1:7000".parse()?);
/// let n1 = NodeStatus::alive(NodeId::new("n1")?, addr, Incarnation::new(1), Tags::empty());
/// assert!(writer.apply(n1).after().is_some());
/// assert_eq!(view.member_count(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The registry is bounded by [`NODES_MAX`](Self::NODES_MAX) or the bound that was given. A claim
/// about one more member is refused with [`Change::Full`]. Readers run in parallel; a change
/// excludes them for the time of one map operation. No lock is held across I/O or an `.await`: no
/// method is async or calls code of the application.
///
/// A reader never sees a member's `(incarnation, state)` go back, except by
/// [`reap`](RegistryWriter::reap), [`replace`](RegistryWriter::replace),
/// [`clear`](SharedNodeRegistry::clear) and [`close`](RegistryCloser::close). A loom model checks
/// this.
#[derive(Clone)]
pub struct RegistryView {
    members: Arc<RwLock<Members>>,
    nodes_max: usize,
}

#[derive(Default, Clone)]
struct Members {
    nodes: Table,
    /// The number of nodes in each state, in the order of [`NodeState::ALL`].
    counts: [usize; 4],
    /// The number of nodes whose status is not complete.
    incomplete: usize,
    digest: Digest,
    /// Set once by `close` and never cleared: the registry is empty and refuses every claim.
    closed: bool,
    /// The number of changes so far. A snapshot carries the version at which it was taken.
    version: u64,
    /// The snapshot of this version, once a reader has asked for it.
    snapshot: Option<Arc<Snapshot>>,
}

impl RegistryView {
    /// The most nodes, tombstones included, that a registry holds by default.
    pub const NODES_MAX: usize = 65_536;

    /// An empty registry that holds at most `nodes_max` nodes, tombstones included.
    fn empty(nodes_max: usize) -> Self {
        Self { members: Arc::new(RwLock::new(Members::default())), nodes_max }
    }

    /// Returns one more read handle of this registry.
    #[must_use]
    pub fn view(&self) -> Self {
        self.clone()
    }

    /// Returns a separate registry with the same bound, which starts with what this one knows. The
    /// entries are shared.
    #[must_use]
    pub fn duplicate(&self) -> SharedNodeRegistry {
        let members = self.members.read().clone();
        Self { members: Arc::new(RwLock::new(members)), nodes_max: self.nodes_max }.into()
    }

    fn apply(&self, claim: Arc<NodeStatus>) -> Change {
        let mut members = self.members.write();
        let (before, after) = match members.nodes.get(&claim.id) {
            None if members.closed => return Change::None,
            None if members.nodes.len() >= self.nodes_max => return Change::Full,
            None => (None, claim),
            Some(known) if Arc::ptr_eq(known, &claim) => return Change::None,
            Some(known) => match precedence::join(known, &claim) {
                None => return Change::None,
                // If the claim wins in both halves, keep the claim's own allocation. Then
                // registries in one process that hold equal views share memory.
                Some(joined) if joined == *claim => (Some(Arc::clone(known)), claim),
                Some(joined) => (Some(Arc::clone(known)), Arc::new(joined)),
            },
        };
        members.replace(before.as_deref(), &after);
        Change::Applied { before, after }
    }

    fn replace(&self, after: Arc<NodeStatus>) -> Change {
        let mut members = self.members.write();
        let before = match members.nodes.get(&after.id) {
            None if members.closed => return Change::None,
            None if members.nodes.len() >= self.nodes_max => return Change::Full,
            Some(known) if **known == *after => return Change::None,
            known => known.cloned(),
        };
        members.replace(before.as_deref(), &after);
        Change::Applied { before, after }
    }

    /// Says for each claim whether it adds anything to what is known now.
    /// [`apply`](RegistryWriter::apply) returns [`Change::None`] for the others.
    ///
    /// Most claims that arrive by gossip are known already, without any difference. A hash of the
    /// whole claim finds this without reading the known status. A claim that differs is taken for
    /// known with a probability of 2^-64.
    pub fn are_new<'a>(&self, claims: impl Iterator<Item = &'a NodeStatus> + Clone) -> Vec<bool> {
        let members = self.members.read();
        // Hash all claims first. Then the memory reads of the lookups do not have to wait for each
        // other.
        let marks: Vec<_> = claims.clone().map(|claim| members.nodes.mark(claim)).collect();
        let adds = |(mark, claim): (table::Mark, &NodeStatus)| {
            let known = || members.nodes.get(&claim.id);
            !members.nodes.holds(mark)
                && known().is_none_or(|known| precedence::newer(known, claim) != (false, false))
        };
        marks.into_iter().zip(claims).map(adds).collect()
    }

    /// What is known of `id`.
    pub fn get(&self, id: &NodeId) -> Option<Arc<NodeStatus>> {
        self.members.read().nodes.get(id).cloned()
    }

    /// All nodes at one moment, ordered by name. This costs O(1) if nothing has changed since the
    /// last snapshot. After a change it costs one sorted copy of the list of pointers.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        // Try with the read lock first, so that readers do not exclude each other while nothing
        // changes.
        if let Some(snapshot) = self.members.read().snapshot.clone() {
            return snapshot;
        }
        let mut members = self.members.write();
        let version = members.version;
        let Members { nodes, snapshot, .. } = &mut *members;
        snapshot.get_or_insert_with(|| Arc::new(Snapshot::new(version, nodes.iter().map(Arc::clone)))).clone()
    }

    /// The members (alive or suspect) whose tag `key` has this `value`, ordered by name.
    pub fn with_tag(&self, key: &str, value: &str) -> Vec<Arc<NodeStatus>> {
        self.snapshot().members().filter(|node| node.tags.get(key) == Some(value)).cloned().collect()
    }

    /// The number of nodes in `state`.
    pub fn count(&self, state: NodeState) -> usize {
        self.members.read().counts[state as usize]
    }

    /// The number of members of the group: alive or suspect, this member included.
    pub fn member_count(&self) -> usize {
        let members = self.members.read();
        members.counts[NodeState::Alive as usize] + members.counts[NodeState::Suspect as usize]
    }

    /// A digest of the members of the group: the wrapping sum of
    /// [`bucket_digests`](Self::bucket_digests).
    pub fn digest(&self) -> u64 {
        self.members.read().digest.root()
    }

    /// For each bucket a digest of its members (alive or suspect): of name, incarnation, state and
    /// `described_at`. Equal views have equal digests, in whatever order they came about. Views
    /// that differ in a bucket have equal digests of it with a probability of 2^-64.
    pub fn bucket_digests(&self) -> [u64; 256] {
        *self.members.read().digest.buckets()
    }

    /// The bucket that a member of this name falls into. It is the same at every member.
    pub fn bucket_of(id: &NodeId) -> u8 {
        digest::bucket_of(id)
    }

    /// The number of nodes that are known without their description, see
    /// [`NodeStatus::is_complete`].
    pub fn incomplete_count(&self) -> usize {
        self.members.read().incomplete
    }

    /// The number of known nodes, tombstones included.
    pub fn len(&self) -> usize {
        self.members.read().nodes.len()
    }

    /// Whether no node is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn reap(&self, id: &NodeId, incarnation: Incarnation) -> Option<Arc<NodeStatus>> {
        let mut members = self.members.write();
        // The timer of a tombstone names the incarnation that it was set for. A member that
        // returned in the meantime, or failed again, has a higher one and must stay.
        members.nodes.get(id).filter(|node| !node.state.is_member() && node.incarnation == incarnation)?;
        let reaped = members.nodes.take(id)?;
        members.counts[reaped.state as usize] -= 1;
        members.incomplete -= usize::from(!reaped.is_complete());
        members.digest.replace(Some(&reaped), None);
        members.changed();
        Some(reaped)
    }

    fn clear(&self) {
        self.members.write().clear();
    }

    fn close(&self) {
        let mut members = self.members.write();
        members.clear();
        members.closed = true;
    }
}

impl Members {
    fn replace(&mut self, before: Option<&NodeStatus>, after: &Arc<NodeStatus>) {
        if let Some(before) = before {
            self.counts[before.state as usize] -= 1;
            self.incomplete -= usize::from(!before.is_complete());
        }
        self.counts[after.state as usize] += 1;
        self.incomplete += usize::from(!after.is_complete());
        self.digest.replace(before, Some(after));
        self.nodes.put(Arc::clone(after));
        self.changed();
    }

    fn clear(&mut self) {
        self.nodes.clear();
        self.counts = [0; 4];
        self.incomplete = 0;
        self.digest = Digest::default();
        self.changed();
    }

    fn changed(&mut self) {
        self.version += 1;
        self.snapshot = None;
    }
}

impl fmt::Debug for RegistryView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistryView").field("nodes", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[cfg(not(kinfolk_loom))]
mod tests;
