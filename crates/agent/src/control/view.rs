//! The group as one agent sees it: the form that the control socket sends and that
//! `members --json` prints.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use kinfolk::{
    Cluster, ClusterId, Finding, Health, Incarnation, LeaveReport, NodeAddr, NodeId, NodeState, NodeStatus,
    Service, ServiceName, Services, SuspicionStatus, Tags,
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
    /// What it says about its own health.
    #[serde(default)]
    pub(crate) health: Health,
    /// Why it has this health; may be empty.
    #[serde(default)]
    pub(crate) note: String,
    /// The services that it offers, ordered by name.
    #[serde(default)]
    pub(crate) services: Vec<ServiceView>,
}

/// A service that a member offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ServiceView {
    pub(crate) name: ServiceName,
    /// 0 for a service that is reached through the streams of the cluster.
    pub(crate) port: u16,
    /// What the member says about the health of the service.
    pub(crate) health: Health,
    /// Why it has this health; may be empty.
    #[serde(default)]
    pub(crate) note: String,
}

impl ServiceView {
    /// All services of a member.
    pub(crate) fn of(services: &Services) -> Vec<Self> {
        let view = |(name, service): (&ServiceName, &Service)| Self {
            name: name.clone(),
            port: service.port,
            health: service.condition.health(),
            note: service.condition.note().to_owned(),
        };
        services.iter().map(view).collect()
    }
}

/// As `db:5432`, with the health behind it if it is not passing.
impl fmt::Display for ServiceView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, port, health, .. } = self;
        match port {
            0 => write!(f, "{name}")?,
            _ => write!(f, "{name}:{port}")?,
        }
        if *health == Health::Passing { Ok(()) } else { write!(f, " ({health})") }
    }
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

/// A planned absence that has begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MaintenanceView {
    /// The member.
    pub(crate) name: NodeId,
    /// For how many seconds.
    pub(crate) seconds: u32,
    /// Why, as the other members see it; may be empty.
    pub(crate) note: String,
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
            health: node.condition.health(),
            note: node.condition.note().to_owned(),
            services: ServiceView::of(&node.services),
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
