//! `/v1/partition`: the state of the group as a whole.

use axum::extract::State;

use crate::api::extract::ApiJson;
use crate::api::state::AppState;
use crate::api::views::PartitionView;

/// Whether the group is partitioned, and on which side this member is
#[utoipa::path(
    get, path = "/v1/partition", operation_id = "get_partition", tag = "members",
    responses((status = 200, description = "The state of the group as a whole", body = PartitionView)),
)]
pub(in crate::api) async fn get(State(state): State<AppState>) -> ApiJson<PartitionView> {
    ApiJson(state.cluster.partition_status().into())
}
