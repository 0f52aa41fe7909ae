//! The group as one agent sees it, and each of its members.

use std::collections::BTreeMap;
use std::fmt;

use kinfolk::{
    Cluster, ClusterId, Finding, Health, Incarnation, NodeAddr, NodeId, NodeState, NodeStatus,
    PartitionStatus, Service, ServiceName, Services, SuspicionStatus, Tags,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{CoordinateView, micros, millis};

/// The group as one agent sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct MembersView {
    /// The agent, the cluster, and the state of the group as a whole.
    #[serde(flatten)]
    pub(crate) head: MembersHead,
    /// The nodes that match the filters, tombstones included, ordered by name.
    pub(crate) members: Vec<MemberView>,
}

/// Which agent's view it is, and the state of the group as a whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct MembersHead {
    /// The agent's own name.
    #[schema(value_type = String)]
    pub(crate) node: NodeId,
    /// The cluster that it belongs to.
    #[schema(value_type = String)]
    pub(crate) cluster: ClusterId,
    /// The state of the group as a whole.
    // The default lets this program read the response of an agent that lacks the field.
    #[serde(default)]
    pub(crate) partition: PartitionView,
}

/// The state of the group as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
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

impl From<PartitionStatus> for PartitionView {
    fn from(status: PartitionStatus) -> Self {
        Self {
            live: status.live,
            known: status.known,
            partitioned: status.partitioned,
            minority: status.minority,
            read_only: status.read_only,
        }
    }
}

/// One node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct MemberView {
    /// The name, which its certificate contains.
    #[schema(value_type = String, example = "web-1")]
    pub(crate) name: NodeId,
    /// The address at which it listens (UDP).
    #[schema(value_type = String, example = "10.0.0.1:7946")]
    pub(crate) addr: NodeAddr,
    /// Its state in the view of this agent.
    #[schema(value_type = StateName)]
    pub(crate) state: NodeState,
    /// The version of what the member says about itself.
    #[schema(value_type = u64)]
    pub(crate) incarnation: Incarnation,
    /// Its tags.
    #[schema(value_type = BTreeMap<String, String>)]
    pub(crate) tags: Tags,
    /// The suspicion level (phi) for its silence. Null for the agent itself, for a member that it
    /// does not watch, and for nodes that are not members.
    pub(crate) phi: Option<f64>,
    /// The round-trip time of the agent's connection to it, in microseconds. Null without a
    /// connection.
    #[serde(default)]
    pub(crate) rtt_us: Option<u64>,
    /// Where it lies in the network, by its own measurements. Null if it does not say.
    #[serde(default)]
    pub(crate) coordinate: Option<CoordinateView>,
    /// Why this agent suspects it. Null if it does not.
    #[serde(default)]
    pub(crate) suspicion: Option<SuspicionView>,
    /// What it says about its own health.
    #[serde(default)]
    #[schema(value_type = HealthName)]
    pub(crate) health: Health,
    /// Why it has this health; may be empty.
    #[serde(default)]
    pub(crate) note: String,
    /// The services that it offers, ordered by name.
    #[serde(default)]
    pub(crate) services: Vec<OfferView>,
}

/// The state of a node.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "it only describes the text of `NodeState` in the OpenAPI document")]
pub(crate) enum StateName {
    Alive,
    Suspect,
    Failed,
    Left,
}

/// The health of a node or a service.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "it only describes the text of `Health` in the OpenAPI document")]
pub(crate) enum HealthName {
    Passing,
    Warning,
    Critical,
    Maintenance,
}

/// A service that a member offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct OfferView {
    /// The name of the service.
    #[schema(value_type = String)]
    pub(crate) name: ServiceName,
    /// 0 for a service that is reached through the streams of the cluster.
    pub(crate) port: u16,
    /// What the member says about the health of the service.
    #[schema(value_type = HealthName)]
    pub(crate) health: Health,
    /// Why it has this health; may be empty.
    #[serde(default)]
    pub(crate) note: String,
}

impl OfferView {
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
impl fmt::Display for OfferView {
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct SuspicionView {
    /// How long the member has answered none of this agent's probes, in milliseconds. Null if it
    /// answers, or if this agent does not probe it.
    pub(crate) silent_ms: Option<u64>,
    /// How long it has been suspect, in milliseconds.
    pub(crate) suspect_ms: Option<u64>,
    /// Why this agent delays its verdict, if it does.
    pub(crate) held: Option<String>,
}

impl From<SuspicionStatus> for SuspicionView {
    fn from(status: SuspicionStatus) -> Self {
        Self {
            silent_ms: status.silent_for.map(millis),
            suspect_ms: status.suspect_for.map(millis),
            held: status.held.and_then(Finding::holds_verdict).map(str::to_owned),
        }
    }
}

/// Makes the view of each node, with what only this agent knows of it.
#[derive(Debug)]
pub(crate) struct Viewer {
    cluster: Cluster,
    suspicions: BTreeMap<NodeId, SuspicionView>,
}

impl Viewer {
    /// A viewer with the present suspicions.
    pub(crate) async fn new(cluster: &Cluster) -> Self {
        // A member that has stopped has no suspicions.
        let suspicions = cluster.suspicions().await.unwrap_or_default();
        let suspicions = suspicions.into_iter().map(|status| (status.id.clone(), status.into())).collect();
        Self { cluster: cluster.clone(), suspicions }
    }

    /// The view of one node.
    pub(crate) fn member(&self, node: &NodeStatus) -> MemberView {
        let is_member = node.state.is_member();
        MemberView {
            phi: self.cluster.phi(&node.id).filter(|_| is_member),
            rtt_us: self.cluster.rtt(&node.id).map(micros),
            suspicion: self.suspicions.get(&node.id).filter(|_| is_member).cloned(),
            ..MemberView::stated(node)
        }
    }
}

impl MemberView {
    /// The view with only what the node states, and its state.
    pub(crate) fn stated(node: &NodeStatus) -> Self {
        Self {
            name: node.id.clone(),
            addr: node.addr,
            state: node.state,
            incarnation: node.incarnation,
            tags: node.tags.clone(),
            phi: None,
            rtt_us: None,
            coordinate: node.coordinate().map(Into::into),
            suspicion: None,
            health: node.condition.health(),
            note: node.condition.note().to_owned(),
            services: OfferView::of(&node.services),
        }
    }
}
