//! `/v1/stats`: the counters of all layers.

use axum::extract::State;

use crate::api::extract::ApiJson;
use crate::api::state::AppState;
use crate::api::views::StatsView;

/// The counters of all layers
#[utoipa::path(
    get, path = "/v1/stats", operation_id = "get_stats", tag = "agent",
    responses((status = 200, description = "The counters since the start, and present values", body = StatsView)),
)]
pub(in crate::api) async fn get(State(state): State<AppState>) -> ApiJson<StatsView> {
    ApiJson(StatsView::of(&state.cluster.stats(), state.api_view()))
}
