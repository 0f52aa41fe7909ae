//! The agent itself, and its health.

use kinfolk::{ClusterId, Incarnation, NodeAddr, NodeId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The agent that answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct AgentView {
    /// Its name.
    #[schema(value_type = String)]
    pub(crate) node: NodeId,
    /// The cluster that it belongs to.
    #[schema(value_type = String)]
    pub(crate) cluster: ClusterId,
    /// The address at which the other members reach it.
    #[schema(value_type = String)]
    pub(crate) addr: NodeAddr,
    /// The version of what it says about itself. Null after it has stopped.
    #[schema(value_type = Option<u64>)]
    pub(crate) incarnation: Option<Incarnation>,
    /// The version of the program.
    pub(crate) version: String,
    /// For how many seconds it runs.
    pub(crate) uptime_seconds: u64,
    /// Whether it is ready, as `/readyz` says.
    pub(crate) ready: bool,
}

/// The answer of a health check that passes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct HealthView {
    /// Always `ok`.
    pub(crate) status: String,
}

impl HealthView {
    pub(crate) fn ok() -> Self {
        Self { status: "ok".to_owned() }
    }
}
