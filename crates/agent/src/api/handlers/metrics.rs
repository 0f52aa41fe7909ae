//! `/metrics`: the metrics of the member, as Prometheus reads them.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use kinfolk::metrics::Format;

use crate::api::state::AppState;

/// The metrics, for Prometheus
///
/// The `Accept` header chooses between the formats of Prometheus and of `OpenMetrics`.
#[utoipa::path(
    get, path = "/metrics", operation_id = "get_metrics", tag = "agent",
    responses((status = 200, description = "The metrics", content(
        (String = "text/plain"), (String = "application/openmetrics-text"),
    ))),
)]
pub(in crate::api) async fn get(State(state): State<AppState>, headers: HeaderMap) -> Response {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let format = Format::accepted(accept);
    ([(CONTENT_TYPE, format.content_type())], state.metrics.render(format)).into_response()
}
