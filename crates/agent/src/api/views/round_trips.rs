//! Round-trip times of the agent's connections.

use kinfolk::NodeId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The round-trip times to the members that this agent has a connection to, ordered by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct RoundTripsView {
    /// One entry for each such member.
    pub(crate) round_trips: Vec<RoundTripView>,
}

/// The round-trip time to one member.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct RoundTripView {
    /// The member.
    #[schema(value_type = String)]
    pub(crate) name: NodeId,
    /// The smoothed round-trip time of QUIC, in microseconds.
    pub(crate) rtt_us: u64,
}
