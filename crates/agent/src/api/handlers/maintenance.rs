//! `/v1/maintenance`: a planned absence of the agent's own member.

use std::time::Duration;

use axum::extract::State;
use kinfolk::{Condition, Health};

use crate::api::extract::ApiJson;
use crate::api::problem::Problem;
use crate::api::state::AppState;
use crate::api::views::{MaintenanceEndedView, MaintenanceRequest, MaintenanceView};

/// The planned absence of this member
#[utoipa::path(
    get, path = "/v1/maintenance", operation_id = "get_maintenance", tag = "maintenance",
    responses((status = 200, description = "The maintenance; 0 seconds if there is none", body = MaintenanceView)),
)]
pub(in crate::api) async fn get(State(state): State<AppState>) -> ApiJson<MaintenanceView> {
    let members = state.cluster.members();
    let condition = members.get(state.cluster.id()).map(|mine| mine.condition.clone()).unwrap_or_default();
    let length = condition.maintenance_length();
    let note = if length.is_some() { condition.note().to_owned() } else { String::new() };
    let seconds = length.map_or(0, |length| u32::try_from(length.as_secs()).unwrap_or(u32::MAX));
    ApiJson(MaintenanceView { name: state.cluster.id().clone(), seconds, note })
}

/// Announce a planned absence
///
/// No member declares this one failed, or chooses its services, for this time. It answers a second
/// later, when the other members know it. A second maintenance replaces the first.
#[utoipa::path(
    put, path = "/v1/maintenance", operation_id = "begin_maintenance", tag = "maintenance",
    request_body = MaintenanceRequest,
    responses(
        (status = 200, description = "The maintenance has begun", body = MaintenanceView),
        (status = 409, description = "This member has left", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(in crate::api) async fn begin(
    State(state): State<AppState>,
    ApiJson(MaintenanceRequest { seconds, note }): ApiJson<MaintenanceRequest>,
) -> Result<ApiJson<MaintenanceView>, Problem> {
    let (length, longest) = (Duration::from_secs(seconds.into()), Condition::MAINTENANCE_MAX);
    if length.is_zero() || length > longest {
        // The library would shorten it silently, and the operator would rely on the longer time.
        let longest = longest.as_secs();
        let detail = format!("a maintenance of {seconds} s is not possible; give 1 to {longest} s");
        return Err(Problem::invalid(detail));
    }
    // The member ends it after its time, not when the client ends.
    let _runs_on = state.cluster.maintenance(length, &note).await?;
    // The note as the other members see it: a long one is cut.
    let note = Condition::maintenance(length, &note).note().to_owned();
    Ok(ApiJson(MaintenanceView { name: state.cluster.id().clone(), seconds, note }))
}

/// End the planned absence
///
/// Without one it changes nothing that the other members see.
#[utoipa::path(
    delete, path = "/v1/maintenance", operation_id = "end_maintenance", tag = "maintenance",
    responses(
        (status = 200, description = "The member is not in maintenance now", body = MaintenanceEndedView),
        (status = 409, description = "This member has left", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(in crate::api) async fn end(
    State(state): State<AppState>,
) -> Result<ApiJson<MaintenanceEndedView>, Problem> {
    let cluster = &state.cluster;
    let members = cluster.members();
    let mine = members.get(cluster.id());
    let was = mine.is_some_and(|mine| mine.condition.health() == Health::Maintenance);
    if was {
        cluster.set_condition(Condition::Passing).await?;
    }
    Ok(ApiJson(MaintenanceEndedView { name: cluster.id().clone(), was }))
}
