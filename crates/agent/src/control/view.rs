//! The group as one agent sees it, in the form that travels over the control socket and that `members --json` prints.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kinfolk::{
    Cluster, ClusterId, Finding, Incarnation, LeaveReport, NodeAddr, NodeId, NodeState, NodeStatus,
    SuspicionStatus, Tags,
};
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
    /// What this agent holds against it, short of a failure.
    #[serde(default)]
    pub(crate) suspicion: Option<SuspicionView>,
}

/// What an agent holds against a member that it has not declared failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SuspicionView {
    /// For how long the member has answered none of this agent's probes; none if it answers, or is
    /// not probed from here.
    pub(crate) silent_ms: Option<u64>,
    /// For how long it has been suspect.
    pub(crate) suspect_ms: Option<u64>,
    /// Why this agent holds its verdict back, if it does.
    pub(crate) held: Option<String>,
}

impl From<SuspicionStatus> for SuspicionView {
    fn from(status: SuspicionStatus) -> Self {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Self {
            silent_ms: status.silent_for.map(millis),
            suspect_ms: status.suspect_for.map(millis),
            held: status.held.and_then(Finding::holds_verdict).map(str::to_owned),
        }
    }
}

/// How a leave was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LeftView {
    /// How many members were told directly.
    pub(crate) told: usize,
    /// How many of them confirmed it.
    pub(crate) confirmed: usize,
}

impl From<LeaveReport> for LeftView {
    fn from(LeaveReport { told, confirmed }: LeaveReport) -> Self {
        Self { told, confirmed }
    }
}

/// Who was forgotten, as it was known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ForgottenView {
    /// Its name.
    pub(crate) name: NodeId,
    /// Its last address.
    pub(crate) addr: NodeAddr,
    /// Whether it had failed or left.
    pub(crate) state: NodeState,
}

impl From<&NodeStatus> for ForgottenView {
    fn from(known: &NodeStatus) -> Self {
        Self { name: known.id.clone(), addr: known.addr, state: known.state }
    }
}

impl MembersView {
    /// How `cluster` sees it now.
    pub(crate) async fn of(cluster: &Cluster, id: ClusterId) -> Self {
        // A member that has stopped holds nothing against anybody.
        let suspicions = cluster.suspicions().await.unwrap_or_default();
        let mut suspicions: BTreeMap<NodeId, SuspicionView> =
            suspicions.into_iter().map(|status| (status.id.clone(), status.into())).collect();
        let snapshot = cluster.members();
        let member = |node: &Arc<NodeStatus>| MemberView {
            name: node.id.clone(),
            addr: node.addr,
            state: node.state,
            incarnation: node.incarnation,
            tags: node.tags.clone(),
            phi: cluster.phi(&node.id).filter(|_| node.state.is_member()),
            suspicion: suspicions.remove(&node.id).filter(|_| node.state.is_member()),
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
