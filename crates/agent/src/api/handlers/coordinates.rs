//! `/v1/coordinates`: where the members lie in the network, as they state it.

use axum::extract::State;

use crate::api::extract::ApiJson;
use crate::api::state::AppState;
use crate::api::views::{CoordinatesView, StatedCoordinateView};

/// The coordinates that members state
///
/// Members that state none are left out.
#[utoipa::path(
    get, path = "/v1/coordinates", operation_id = "list_coordinates", tag = "members",
    responses((status = 200, description = "The coordinates", body = CoordinatesView)),
)]
pub(in crate::api) async fn list(State(state): State<AppState>) -> ApiJson<CoordinatesView> {
    let members = state.cluster.members();
    let stated = members.members().filter_map(|node| {
        let coordinate = node.coordinate()?.into();
        Some(StatedCoordinateView { name: node.id.clone(), coordinate })
    });
    ApiJson(CoordinatesView { coordinates: stated.collect() })
}
