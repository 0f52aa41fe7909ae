//! The events that `/v1/events` sends.

use std::fmt::Write as _;

use kinfolk::{Cause, ClusterEvent, NodeAddr, NodeId, NodeStatus};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::members::MemberView;
use super::millis;
use crate::api::user_event::UserEvent;

/// The event `lost`: events that this client cannot get any more. A `snapshot` follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct LostView {
    /// How many. Null if the agent has started again since the client's last event.
    pub(crate) count: Option<u64>,
}

/// An event about the group. Its name in the stream is its `kind`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum EventView {
    /// A member is new, or is back after it had failed or left.
    NodeJoined { member: MemberView },
    /// A member's address, tags, health or services changed.
    NodeUpdated { member: MemberView },
    /// A member is suspected. Most suspicions end in `node_recovered`.
    NodeSuspected { member: MemberView, why: CauseView },
    /// A suspected member refuted the suspicion.
    NodeRecovered { member: MemberView },
    /// A member failed.
    NodeFailed { member: MemberView, why: CauseView },
    /// A member left on purpose.
    NodeLeft { member: MemberView },
    /// The tombstone of a failed or left member was removed.
    NodeReaped {
        #[schema(value_type = String)]
        name: NodeId,
    },
    /// A member's silence crossed the phi threshold.
    HealthCheckFailed {
        #[schema(value_type = String)]
        name: NodeId,
        phi: f64,
        threshold: f64,
        silence_ms: u64,
    },
    /// A silent member was heard from again.
    HealthCheckRecovered {
        #[schema(value_type = String)]
        name: NodeId,
        episode_ms: u64,
    },
    /// A member, or this agent, sent a named event to all members (`kinfolk event`).
    UserEvent {
        /// The sender.
        #[schema(value_type = String)]
        from: NodeId,
        /// The name of the event.
        name: String,
        /// What it carries; may be empty.
        payload: String,
    },
    /// A program with the library sent bytes to all members.
    Broadcast {
        /// The sender.
        #[schema(value_type = String)]
        from: NodeId,
        /// The bytes as text, if they are UTF-8.
        text: Option<String>,
        /// The bytes in hexadecimal, if they are not UTF-8.
        hex: Option<String>,
    },
    /// Two processes use the same name, and so the same certificate.
    NameConflict {
        #[schema(value_type = String)]
        name: NodeId,
        #[schema(value_type = String)]
        addr: NodeAddr,
        count: u64,
    },
    /// Many members are silent or failed, or fewer live than the quorum.
    PartitionDetected { minority: bool, live: usize, known: usize },
    /// Enough members are reachable again.
    PartitionHealed { live: usize, known: usize, lasted_ms: u64 },
    /// A member fails and returns repeatedly. Its events are withheld until it is stable.
    NodeFlapping {
        #[schema(value_type = String)]
        name: NodeId,
        returns: u32,
        quiet_ms: u64,
    },
    /// A flapping member is stable again.
    NodeSettled { member: MemberView },
    /// A member accused others falsely. Its accusations do not count for some minutes.
    MemberDistrusted {
        #[schema(value_type = String)]
        name: NodeId,
        refuted: u64,
        confirmed: u64,
    },
    /// The agent itself was too slow, and lost events of the library. A client should read
    /// `/v1/members`.
    EventsDropped { count: u64 },
    /// An event of a kind that this version of the agent does not know.
    Other {
        /// The event as the library writes it.
        #[schema(value_type = Object)]
        event: serde_json::Value,
    },
}

/// Why a member is suspected or failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct CauseView {
    /// The reason, as a sentence.
    pub(crate) reason: String,
    /// The members that accused it.
    #[schema(value_type = Vec<String>)]
    pub(crate) accusers: Vec<NodeId>,
}

impl From<&Cause> for CauseView {
    fn from(cause: &Cause) -> Self {
        Self { reason: cause.reason.to_string(), accusers: cause.accusers.clone() }
    }
}

impl From<&ClusterEvent> for EventView {
    fn from(event: &ClusterEvent) -> Self {
        use ClusterEvent as E;
        let member = |node: &NodeStatus| MemberView::stated(node);
        match event {
            E::NodeJoined { node } => Self::NodeJoined { member: member(node) },
            E::NodeUpdated { node } => Self::NodeUpdated { member: member(node) },
            E::NodeSuspected { node, cause } => {
                Self::NodeSuspected { member: member(node), why: cause.into() }
            }
            E::NodeRecovered { node } => Self::NodeRecovered { member: member(node) },
            E::NodeFailed { node, cause } => Self::NodeFailed { member: member(node), why: cause.into() },
            E::NodeLeft { node } => Self::NodeLeft { member: member(node) },
            E::NodeSettled { node } => Self::NodeSettled { member: member(node) },
            E::NodeReaped { id } => Self::NodeReaped { name: id.clone() },
            E::HealthCheckFailed { id, phi, threshold, silence } => Self::HealthCheckFailed {
                name: id.clone(),
                phi: *phi,
                threshold: *threshold,
                silence_ms: millis(*silence),
            },
            E::HealthCheckRecovered { id, episode } => {
                Self::HealthCheckRecovered { name: id.clone(), episode_ms: millis(*episode) }
            }
            E::Broadcast { from, payload } => Self::of_broadcast(from, payload),
            E::NameConflict { id, addr, count } => {
                Self::NameConflict { name: id.clone(), addr: *addr, count: *count }
            }
            other => Self::of_group(other),
        }
    }
}

impl EventView {
    /// Events about several members, or about the subscription.
    fn of_group(event: &ClusterEvent) -> Self {
        use ClusterEvent as E;
        match event {
            E::PartitionDetected { minority, live, known } => {
                Self::PartitionDetected { minority: *minority, live: *live, known: *known }
            }
            E::PartitionHealed { live, known, lasted } => {
                Self::PartitionHealed { live: *live, known: *known, lasted_ms: millis(*lasted) }
            }
            E::NodeFlapping { id, returns, quiet } => {
                Self::NodeFlapping { name: id.clone(), returns: *returns, quiet_ms: millis(*quiet) }
            }
            E::MemberDistrusted { id, refuted, confirmed } => {
                Self::MemberDistrusted { name: id.clone(), refuted: *refuted, confirmed: *confirmed }
            }
            E::EventsDropped { count } => Self::EventsDropped { count: *count },
            other => Self::Other { event: serde_json::to_value(other).unwrap_or_default() },
        }
    }

    fn of_broadcast(from: &NodeId, payload: &[u8]) -> Self {
        let from = from.clone();
        match (UserEvent::decode(payload), str::from_utf8(payload)) {
            (Some(UserEvent { name, payload }), _) => Self::UserEvent { from, name, payload },
            (None, Ok(text)) => Self::Broadcast { from, text: Some(text.to_owned()), hex: None },
            (None, Err(_)) => {
                let mut hex = String::with_capacity(2 * payload.len());
                for byte in payload {
                    write!(hex, "{byte:02x}").expect("a text takes all that is written");
                }
                Self::Broadcast { from, text: None, hex: Some(hex) }
            }
        }
    }

    /// The name of the event in the stream.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::NodeJoined { .. } => "node_joined",
            Self::NodeUpdated { .. } => "node_updated",
            Self::NodeSuspected { .. } => "node_suspected",
            Self::NodeRecovered { .. } => "node_recovered",
            Self::NodeFailed { .. } => "node_failed",
            Self::NodeLeft { .. } => "node_left",
            Self::NodeReaped { .. } => "node_reaped",
            Self::HealthCheckFailed { .. } => "health_check_failed",
            Self::HealthCheckRecovered { .. } => "health_check_recovered",
            Self::UserEvent { .. } => "user_event",
            Self::Broadcast { .. } => "broadcast",
            Self::NameConflict { .. } => "name_conflict",
            Self::PartitionDetected { .. } => "partition_detected",
            Self::PartitionHealed { .. } => "partition_healed",
            Self::NodeFlapping { .. } => "node_flapping",
            Self::NodeSettled { .. } => "node_settled",
            Self::MemberDistrusted { .. } => "member_distrusted",
            Self::EventsDropped { .. } => "events_dropped",
            Self::Other { .. } => "other",
        }
    }
}
