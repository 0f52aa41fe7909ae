//! `/v1/leave`: makes the agent leave its cluster, and stop.

use axum::extract::State;

use crate::api::extract::ApiJson;
use crate::api::problem::Problem;
use crate::api::state::AppState;
use crate::api::views::LeftView;

/// Leave the cluster permanently, and stop the agent
///
/// An agent with a state directory does not rejoin by itself after this: at its next start it waits
/// for a seed.
#[utoipa::path(
    post, path = "/v1/leave", operation_id = "leave", tag = "agent",
    responses(
        (status = 200, description = "The member has left, and the agent stops", body = LeftView),
        (status = 409, description = "This member has left already", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(in crate::api) async fn leave(State(state): State<AppState>) -> Result<ApiJson<LeftView>, Problem> {
    let cluster = state.cluster.clone();
    let left = std::sync::Arc::clone(&state.left);
    // A task of its own, so that the agent stops even if the client does not wait for the answer.
    let leaving = tokio::spawn(async move {
        let report = cluster.leave().await;
        if report.is_ok() {
            left.notify_one();
        }
        report
    });
    let report = leaving.await.expect("the task is neither aborted nor panics")?;
    Ok(ApiJson(report.into()))
}
