//! `/v1/revocations`: revokes certificates of a member, and so removes it from the cluster.

use axum::extract::State;

use crate::api::extract::ApiJson;
use crate::api::problem::Problem;
use crate::api::state::AppState;
use crate::api::views::{RevocationRequest, RevokedView};

/// Revoke certificates of a member
///
/// Gossip brings the revocation to all members. Each closes its connections to the member, removes
/// it from its view, and refuses its certificate. Nobody can undo it.
#[utoipa::path(
    post, path = "/v1/revocations", operation_id = "revoke", tag = "certificates",
    request_body = RevocationRequest,
    responses(
        (status = 200, description = "The certificates are revoked here, and gossip tells the other members", body = RevokedView),
        (status = 409, description = "The certificates have ended already", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(in crate::api) async fn revoke(
    State(state): State<AppState>,
    ApiJson(RevocationRequest { statement }): ApiJson<RevocationRequest>,
) -> Result<ApiJson<RevokedView>, Problem> {
    let name = state.cluster.revoke(&statement).await?;
    Ok(ApiJson(RevokedView { name }))
}
