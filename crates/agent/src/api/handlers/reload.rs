//! `/v1/reload`: reads the configuration file and the other files again.

use axum::extract::State;

use crate::api::extract::ApiJson;
use crate::api::problem::Problem;
use crate::api::state::AppState;
use crate::api::views::ReloadedView;

/// Read the files again
///
/// Reads the configuration file, the certificates, and the tokens, and applies what changed: tags,
/// services with their checks, seeds, the log level, and the settings of the TCP port except for
/// its address. Opens the event log again. SIGHUP does the same. A file that cannot be used changes
/// nothing at all.
#[utoipa::path(
    post, path = "/v1/reload", operation_id = "reload", tag = "agent",
    responses(
        (status = 200, description = "What was applied, what did not change, and what needs a restart", body = ReloadedView),
        (status = 409, description = "A file cannot be used, or this member has left; everything is as before", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(in crate::api) async fn reload(State(state): State<AppState>) -> Result<ApiJson<ReloadedView>, Problem> {
    state.reload.run().await.map(ApiJson)
}
