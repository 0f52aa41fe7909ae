//! `/v1/round-trips`: the round-trip times of the agent's connections.

use axum::extract::State;

use crate::api::extract::ApiJson;
use crate::api::state::AppState;
use crate::api::views::{RoundTripView, RoundTripsView, micros};

/// The round-trip times to the members that this one has a connection to
#[utoipa::path(
    get, path = "/v1/round-trips", operation_id = "list_round_trips", tag = "members",
    responses((status = 200, description = "The round-trip times", body = RoundTripsView)),
)]
pub(in crate::api) async fn list(State(state): State<AppState>) -> ApiJson<RoundTripsView> {
    let members = state.cluster.members();
    let timed = members.members().filter_map(|node| {
        let rtt_us = micros(state.cluster.rtt(&node.id)?);
        Some(RoundTripView { name: node.id.clone(), rtt_us })
    });
    ApiJson(RoundTripsView { round_trips: timed.collect() })
}
