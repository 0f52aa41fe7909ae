//! `/healthz` and `/readyz`, for service managers and load balancers. They need no token.

use axum::extract::State;

use crate::api::extract::ApiJson;
use crate::api::problem::{Code, Problem};
use crate::api::state::AppState;
use crate::api::views::HealthView;

/// Whether the agent runs
///
/// It asks the protocol, so a protocol that does not answer fails the check.
#[utoipa::path(
    get, path = "/healthz", operation_id = "is_healthy", tag = "health",
    responses((status = 200, description = "The agent runs", body = HealthView)),
)]
pub(in crate::api) async fn healthz(State(state): State<AppState>) -> Result<ApiJson<HealthView>, Problem> {
    state.cluster.suspicions().await?;
    Ok(ApiJson(HealthView::ok()))
}

/// Whether the agent is ready
///
/// It has joined its cluster, and is not in a minority that is read only.
#[utoipa::path(
    get, path = "/readyz", operation_id = "is_ready", tag = "health",
    responses((status = 200, description = "The agent is ready", body = HealthView)),
)]
pub(in crate::api) async fn readyz(State(state): State<AppState>) -> Result<ApiJson<HealthView>, Problem> {
    match state.not_ready() {
        None => Ok(ApiJson(HealthView::ok())),
        Some(why) => Err(Problem::new(Code::Unavailable, why)),
    }
}
