//! `/v1/agent`: the agent itself.

use axum::extract::State;

use crate::api::extract::ApiJson;
use crate::api::state::AppState;
use crate::api::views::AgentView;

/// The agent that answers
#[utoipa::path(
    get, path = "/v1/agent", operation_id = "get_agent", tag = "agent",
    responses((status = 200, description = "The agent", body = AgentView)),
)]
pub(in crate::api) async fn get(State(state): State<AppState>) -> ApiJson<AgentView> {
    let cluster = &state.cluster;
    ApiJson(AgentView {
        node: cluster.id().clone(),
        cluster: state.identity.cluster().clone(),
        addr: cluster.addr(),
        incarnation: cluster.members().get(cluster.id()).map(|mine| mine.incarnation),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        uptime_seconds: state.started.elapsed().as_secs(),
        ready: state.not_ready().is_none(),
    })
}
