//! The group as one agent sees it, in the form that travels over the control socket and that `members --json` prints.

use kinfolk::{Cluster, ClusterId, Incarnation, NodeAddr, NodeId, NodeState, NodeStatus, Tags};
use serde::{Deserialize, Serialize};

/// The group as one agent sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct MembersView {
    /// The agent's own name.
    pub(crate) node: NodeId,
    /// The cluster that it belongs to.
    pub(crate) cluster: ClusterId,
    /// Every node that it knows, tombstones included, ordered by name.
    pub(crate) members: Vec<MemberView>,
    /// How the group stands.
    #[serde(default)]
    pub(crate) partition: PartitionView,
}

/// How the group stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct PartitionView {
    /// How many live and are not suspected.
    pub(crate) live: usize,
    /// Of how many: the highest known size, less those that left or were forgotten.
    pub(crate) known: usize,
    /// Whether it is a partition.
    pub(crate) partitioned: bool,
    /// Whether those that live are fewer than the quorum.
    pub(crate) minority: bool,
    /// Whether that has been so for the whole grace.
    pub(crate) read_only: bool,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct MemberView {
    pub(crate) name: NodeId,
    pub(crate) addr: NodeAddr,
    pub(crate) state: NodeState,
    pub(crate) incarnation: Incarnation,
    pub(crate) tags: Tags,
    /// The suspicion level by its silence; none for the agent itself and for those who are no members.
    pub(crate) phi: Option<f64>,
}

impl MembersView {
    /// How `cluster` sees it now.
    pub(crate) fn of(cluster: &Cluster, id: ClusterId) -> Self {
        let snapshot = cluster.members();
        let member = |node: &std::sync::Arc<NodeStatus>| MemberView {
            name: node.id.clone(),
            addr: node.addr,
            state: node.state,
            incarnation: node.incarnation,
            tags: node.tags.clone(),
            phi: cluster.phi(&node.id).filter(|_| node.state.is_member()),
        };
        let members = snapshot.nodes().iter().map(member).collect();
        let status = cluster.partition_status();
        let partition = PartitionView {
            live: status.live,
            known: status.known,
            partitioned: status.partitioned,
            minority: status.minority,
            read_only: status.read_only,
        };
        Self { node: cluster.id().clone(), cluster: id, members, partition }
    }
}
