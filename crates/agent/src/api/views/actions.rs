//! What requests that change something send, and their results.

use std::collections::BTreeMap;

use kinfolk::{LeaveReport, NodeAddr, NodeId, NodeState, NodeStatus, Tags};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::members::StateName;

/// The result of a leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
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

/// A planned absence to announce.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MaintenanceRequest {
    /// For how many seconds, at most 24 hours.
    #[schema(minimum = 1, maximum = 86_400)]
    pub(crate) seconds: u32,
    /// Why; may be empty. The other members show its first 120 bytes.
    #[serde(default)]
    pub(crate) note: String,
}

/// A planned absence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct MaintenanceView {
    /// The member.
    #[schema(value_type = String)]
    pub(crate) name: NodeId,
    /// The length that was announced, in seconds. 0 if the member is not in maintenance.
    pub(crate) seconds: u32,
    /// Why, as the other members see it; may be empty.
    pub(crate) note: String,
}

/// The end of a planned absence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct MaintenanceEndedView {
    /// The member.
    #[schema(value_type = String)]
    pub(crate) name: NodeId,
    /// Whether it was in maintenance.
    pub(crate) was: bool,
}

/// A revocation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RevocationRequest {
    /// The text of the file that `kinfolk ca revoke` wrote.
    #[schema(max_length = 4096)]
    pub(crate) statement: String,
}

/// The member whose certificates are revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct RevokedView {
    /// Its name.
    #[schema(value_type = String)]
    pub(crate) name: NodeId,
}

/// The forgotten member, as the agent knew it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct ForgottenView {
    /// The name.
    #[schema(value_type = String)]
    pub(crate) name: NodeId,
    /// The last known address.
    #[schema(value_type = String)]
    pub(crate) addr: NodeAddr,
    /// Its state: failed or left.
    #[schema(value_type = StateName)]
    pub(crate) state: NodeState,
}

impl From<&NodeStatus> for ForgottenView {
    fn from(known: &NodeStatus) -> Self {
        Self { name: known.id.clone(), addr: known.addr, state: known.state }
    }
}

/// The tags of the agent's own member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct TagsView {
    /// All tags, ordered by key.
    #[schema(value_type = BTreeMap<String, String>)]
    pub(crate) tags: Tags,
}

/// Tags to change: a text sets the tag, and null removes it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub(crate) struct TagChanges(
    /// The changes, by key.
    pub(crate) BTreeMap<String, Option<String>>,
);

/// The value of one tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TagValue {
    /// The value; may be empty.
    pub(crate) value: String,
}

/// An event to send to all members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewEvent {
    /// The name of the event.
    #[schema(min_length = 1, max_length = 63, pattern = "^[A-Za-z0-9][A-Za-z0-9._-]*$", example = "deploy")]
    pub(crate) name: String,
    /// What the event carries; may be empty. At most 960 bytes in UTF-8.
    #[serde(default)]
    #[schema(max_length = 960)]
    pub(crate) payload: String,
}

/// An event that is on its way to the other members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct SentEventView {
    /// The name of the event.
    pub(crate) name: String,
    /// The number of other members that this agent knows as alive or suspect.
    pub(crate) members: usize,
}

/// What came of a reload. Each list has names of the configuration file, such as `log_level`,
/// `tags.role`, or `services.db`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct ReloadedView {
    /// The settings that changed, or whose files did. The agent uses them now.
    pub(crate) applied: Vec<String>,
    /// The settings that the agent has, and that did not change.
    pub(crate) unchanged: Vec<String>,
    /// The settings that differ from those of the start. They apply at the next start only.
    pub(crate) restart: Vec<String>,
    /// The settings that changed in the file, and that a flag or a variable overrules.
    pub(crate) overruled: Vec<String>,
    /// The settings whose files were opened again.
    pub(crate) reopened: Vec<String>,
}
