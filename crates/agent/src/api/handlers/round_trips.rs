//! `/v1/round-trips`: the round trips of the agent's connections, and between two named members.

use axum::extract::State;
use kinfolk::{NodeId, RoundTrip};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::api::extract::{ApiJson, ApiQuery};
use crate::api::problem::Problem;
use crate::api::state::AppState;
use crate::api::views::{RoundTripView, RoundTripsView};

/// Which round trips to show.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(in crate::api) struct RoundTripsQuery {
    /// The member at one end. Default: the agent itself. It needs `to`.
    #[param(value_type = Option<String>, pattern = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
    from: Option<NodeId>,
    /// The member at the other end. With it the answer has the one round trip between the two.
    #[param(value_type = Option<String>, pattern = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
    to: Option<NodeId>,
}

/// Round trips of the agent's connections, or between two members
///
/// With `to`: between two members. It is measured if the agent is one of them and has a connection
/// to the other. Otherwise it is estimated by the coordinates that both state.
#[utoipa::path(
    get, path = "/v1/round-trips", operation_id = "list_round_trips", tag = "members", params(RoundTripsQuery),
    responses(
        (status = 200, description = "The round trips", body = RoundTripsView),
        (status = 404, description = "No node of this name is known", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "One of the two is no member, or states no coordinate", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(in crate::api) async fn list(
    State(state): State<AppState>,
    ApiQuery(RoundTripsQuery { from, to }): ApiQuery<RoundTripsQuery>,
) -> Result<ApiJson<RoundTripsView>, Problem> {
    let (cluster, me) = (&state.cluster, state.cluster.id());
    let round_trips = match (from, to) {
        (None, None) => {
            let measured = |to: &NodeId| {
                let trip = RoundTrip::Measured(cluster.rtt(to)?);
                Some(RoundTripView::new(me, to, trip))
            };
            cluster.members().members().filter_map(|node| measured(&node.id)).collect()
        }
        (from, Some(to)) => {
            let from = from.unwrap_or_else(|| me.clone());
            vec![RoundTripView::new(&from, &to, cluster.round_trip(&from, &to)?)]
        }
        (Some(from), None) => {
            let detail = format!("`from` is {from}, and `to` is missing; give both, or none");
            return Err(Problem::invalid(detail));
        }
    };
    Ok(ApiJson(RoundTripsView { round_trips }))
}
