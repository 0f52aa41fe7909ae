//! The group as one agent sees it: the form that the control socket sends and that
//! `members --json` prints.

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
    /// Every node that the agent knows, tombstones included, ordered by name.
    pub(crate) members: Vec<MemberView>,
    /// The state of the group as a whole.
    // The default lets this program read the response of an agent that lacks the field.
    #[serde(default)]
    pub(crate) partition: PartitionView,
}

/// The state of the group as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct PartitionView {
    /// The number of members that are alive and not suspected.
    pub(crate) live: usize,
    /// The highest known size of the group, without the members that left or were forgotten.
    pub(crate) known: usize,
    /// Whether there is a partition.
    pub(crate) partitioned: bool,
    /// Whether the live members are fewer than the quorum.
    pub(crate) minority: bool,
    /// Whether they have been fewer for the whole partition grace.
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
    /// The suspicion level (phi) for its silence. None for the agent itself, and for nodes that are
    /// not members.
    pub(crate) phi: Option<f64>,
    /// Why this agent suspects it. None if it does not.
    #[serde(default)]
    pub(crate) suspicion: Option<SuspicionView>,
}

/// What makes an agent suspect a member that it has not declared failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SuspicionView {
    /// How long the member has answered none of this agent's probes. None if it answers, or if this
    /// agent does not probe it.
    pub(crate) silent_ms: Option<u64>,
    /// How long it has been suspect.
    pub(crate) suspect_ms: Option<u64>,
    /// Why this agent delays its verdict, if it does.
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

/// The result of a leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LeftView {
    /// The number of members to which this member sent its leave directly.
    pub(crate) notified: usize,
    /// How many of them confirmed it.
    pub(crate) confirmed: usize,
}

impl From<LeaveReport> for LeftView {
    fn from(LeaveReport { notified, confirmed }: LeaveReport) -> Self {
        Self { notified, confirmed }
    }
}

/// The forgotten member, as the agent knew it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ForgottenView {
    /// The name.
    pub(crate) name: NodeId,
    /// The last known address.
    pub(crate) addr: NodeAddr,
    /// Its state: failed or left.
    pub(crate) state: NodeState,
}

impl From<&NodeStatus> for ForgottenView {
    fn from(known: &NodeStatus) -> Self {
        Self { name: known.id.clone(), addr: known.addr, state: known.state }
    }
}

impl MembersView {
    /// The current view of `cluster`.
    pub(crate) async fn of(cluster: &Cluster, id: ClusterId) -> Self {
        // A member that has stopped has no suspicions.
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
