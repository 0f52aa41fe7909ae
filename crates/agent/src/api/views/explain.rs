//! Why a member has its state: the findings of the agent, with their evidence.

use std::time::Duration;

use kinfolk::{Evidence, Finding, Incarnation, NodeId, NodeState};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::members::{StateName, SuspicionView};
use super::{micros, millis};

/// Why a member has its state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct ExplainView {
    /// The member.
    #[schema(value_type = String)]
    pub(crate) name: NodeId,
    /// Its state in the view of this agent.
    #[schema(value_type = StateName)]
    pub(crate) state: NodeState,
    /// The suspicion level (phi) for its silence. Null if this agent does not watch it.
    pub(crate) phi: Option<f64>,
    /// The time since the last message from the member itself, in milliseconds. Null if this agent
    /// does not watch it.
    pub(crate) silence_ms: Option<u64>,
    /// Why this agent suspects it. Null if it does not.
    pub(crate) suspicion: Option<SuspicionView>,
    /// What this agent found, oldest first, at most 8.
    pub(crate) findings: Vec<FindingView>,
}

/// One finding about a member, with its evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct FindingView {
    /// How long ago, in milliseconds.
    pub(crate) ago_ms: u64,
    /// What was found: a state (`alive`, `suspect`, `failed`, `left`), or the reason for which a
    /// verdict waits.
    pub(crate) finding: String,
    /// Why, as a sentence.
    pub(crate) why: String,
    /// The members that accused it.
    #[schema(value_type = Vec<String>)]
    pub(crate) accusers: Vec<NodeId>,
    /// The incarnation that the finding is about.
    #[schema(value_type = u64)]
    pub(crate) incarnation: Incarnation,
    /// The suspicion level (phi) at that time.
    pub(crate) phi: Option<f64>,
    /// The usual round-trip time to the member at that time, in microseconds.
    pub(crate) round_trip_us: Option<u64>,
    /// The local health score of this agent at that time. 0 is healthy.
    pub(crate) local_health: u32,
}

impl FindingView {
    /// The view of evidence that is `ago` old.
    pub(crate) fn of(evidence: &Evidence, ago: Duration) -> Self {
        let why = match evidence.finding.holds_verdict() {
            Some(held) => format!("{}; the verdict waits: {held}", evidence.cause.reason),
            None => evidence.cause.reason.to_string(),
        };
        let finding = match evidence.finding {
            Finding::State(state) => state.as_str().to_owned(),
            other => other.to_string(),
        };
        Self {
            ago_ms: millis(ago),
            finding,
            why,
            accusers: evidence.cause.accusers.clone(),
            incarnation: evidence.incarnation,
            phi: evidence.phi,
            round_trip_us: evidence.round_trip.map(micros),
            local_health: evidence.local_health,
        }
    }
}
