//! `/v1/reload`: reads files again.

use axum::extract::State;

use crate::api::extract::ApiJson;
use crate::api::problem::{Code, Problem};
use crate::api::state::AppState;
use crate::api::views::ReloadedView;

/// Read files again
///
/// Opens the event log again, and reads the tokens and the certificate of the TCP port again, as
/// SIGHUP does.
#[utoipa::path(
    post, path = "/v1/reload", operation_id = "reload", tag = "agent",
    responses(
        (status = 200, description = "The files were read", body = ReloadedView),
        (status = 409, description = "A file cannot be read; its settings stay as they are", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(in crate::api) async fn reload(State(state): State<AppState>) -> Result<ApiJson<ReloadedView>, Problem> {
    let reloaded = state.reload.run().map_err(|why| Problem::new(Code::Conflict, why))?;
    Ok(ApiJson(ReloadedView { reloaded }))
}
