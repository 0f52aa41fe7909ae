//! `/v1/certificates`: when certificates expire.

use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::State;

use crate::api::extract::ApiJson;
use crate::api::state::AppState;
use crate::api::views::{CertificateView, CertificatesView};

/// The certificate of this member, and when it expires
#[utoipa::path(
    get, path = "/v1/certificates", operation_id = "get_certificates", tag = "agent",
    responses((status = 200, description = "The certificates", body = CertificatesView)),
)]
pub(in crate::api) async fn get(State(state): State<AppState>) -> ApiJson<CertificatesView> {
    // As it is now: it may have been renewed since the start.
    let identity = &state.cluster().identity();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let expires_unix = identity.expires_unix_secs();
    ApiJson(CertificatesView {
        own: CertificateView {
            node: identity.id().clone(),
            cluster: identity.cluster().clone(),
            expires_unix,
            expires_in_seconds: expires_unix.saturating_sub(now),
        },
    })
}
