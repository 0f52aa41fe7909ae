//! Round trips: those of the agent's connections, and those that coordinates give.

use kinfolk::{NodeId, RoundTrip};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::micros;

/// Round trips, ordered by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct RoundTripsView {
    /// One entry for each pair of members.
    pub(crate) round_trips: Vec<RoundTripView>,
}

/// The round trip between two members.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct RoundTripView {
    /// The member at one end: the agent itself, or the one in the query.
    #[schema(value_type = String)]
    pub(crate) from: NodeId,
    /// The member at the other end.
    #[schema(value_type = String)]
    pub(crate) name: NodeId,
    /// The time in microseconds.
    pub(crate) rtt_us: u64,
    /// How it is known.
    pub(crate) source: RoundTripSource,
}

/// How a round trip is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RoundTripSource {
    /// The smoothed round trip of QUIC, on a connection of the agent.
    Measured,
    /// By the coordinates that the two members state.
    Estimated,
}

impl RoundTripView {
    pub(crate) fn new(from: &NodeId, to: &NodeId, trip: RoundTrip) -> Self {
        let source = match trip {
            RoundTrip::Measured(_) => RoundTripSource::Measured,
            _ => RoundTripSource::Estimated,
        };
        Self { from: from.clone(), name: to.clone(), rtt_us: micros(trip.time()), source }
    }
}
