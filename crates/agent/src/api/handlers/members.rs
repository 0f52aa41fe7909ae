//! `/v1/members`: the group as this agent sees it.

use std::convert::Infallible;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;

use crate::api::chunks::MembersChunks;
use crate::api::extract::{ApiJson, ApiQuery, PathNode};
use crate::api::filter::MembersQuery;
use crate::api::problem::{Code, Problem};
use crate::api::state::AppState;
use crate::api::views::{ExplainView, FindingView, ForgottenView, MemberView, MembersView, Viewer, millis};

/// How many bytes are made at a time. The rest waits until the client has read.
const CHUNK_BYTES: usize = 16 * 1024;

/// The members as this agent sees them
///
/// Nodes that failed or left are among them until their tombstones end; `state` leaves them out.
#[utoipa::path(
    get, path = "/v1/members", operation_id = "list_members", tag = "members", params(MembersQuery),
    responses((status = 200, description = "The nodes that pass all filters", body = MembersView)),
)]
pub(in crate::api) async fn list(
    State(state): State<AppState>,
    ApiQuery(query): ApiQuery<MembersQuery>,
) -> Response {
    let chunks = MembersChunks::viewed(&state, query.into()).await;
    let body = stream::unfold(chunks, |mut chunks| async move {
        let chunk = chunks.next_chunk(CHUNK_BYTES)?;
        Some((Ok::<_, Infallible>(chunk), chunks))
    });
    ([(CONTENT_TYPE, "application/json")], Body::from_stream(body)).into_response()
}

/// One member
#[utoipa::path(
    get, path = "/v1/members/{name}", operation_id = "get_member", tag = "members",
    params(("name" = String, Path, description = "The name of the member", pattern = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", example = "web-1")),
    responses(
        (status = 200, description = "The member", body = MemberView),
        (status = 404, description = "No node of this name is known", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(in crate::api) async fn get(
    State(state): State<AppState>,
    PathNode(name): PathNode,
) -> Result<ApiJson<MemberView>, Problem> {
    let members = state.cluster.members();
    let node = members.get(&name).ok_or_else(|| unknown(&name))?;
    Ok(ApiJson(Viewer::new(&state.cluster).await.member(node)))
}

/// Why a member has its state
///
/// The latest findings of this agent about the member, with their evidence.
#[utoipa::path(
    get, path = "/v1/members/{name}/explain", operation_id = "explain_member", tag = "members",
    params(("name" = String, Path, description = "The name of the member", pattern = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", example = "web-1")),
    responses(
        (status = 200, description = "The findings", body = ExplainView),
        (status = 404, description = "No node of this name is known", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(in crate::api) async fn explain(
    State(state): State<AppState>,
    PathNode(name): PathNode,
) -> Result<ApiJson<ExplainView>, Problem> {
    let cluster = &state.cluster;
    let members = cluster.members();
    let node = members.get(&name).ok_or_else(|| unknown(&name))?;
    let findings = cluster.explain(&name).await?;
    let MemberView { phi, suspicion, .. } = Viewer::new(cluster).await.member(node);
    let findings = findings.iter().map(|found| FindingView::of(found, cluster.age_of(found))).collect();
    let silence_ms = cluster.silence(&name).map(millis);
    Ok(ApiJson(ExplainView { name, state: node.state, phi, silence_ms, suspicion, findings }))
}

/// Forget a member that failed or left
///
/// Removes its tombstone from the views of all members. A member that is alive or suspect is
/// refused.
#[utoipa::path(
    delete, path = "/v1/members/{name}", operation_id = "forget_member", tag = "members",
    params(("name" = String, Path, description = "The name of the member", pattern = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", example = "web-1")),
    responses(
        (status = 200, description = "The member is forgotten here, and gossip removes it elsewhere", body = ForgottenView),
        (status = 404, description = "No node of this name is known", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The node is a member, or this agent has left", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(in crate::api) async fn forget(
    State(state): State<AppState>,
    PathNode(name): PathNode,
) -> Result<ApiJson<ForgottenView>, Problem> {
    let known = state.cluster.forget(&name).await?;
    Ok(ApiJson(known.as_ref().into()))
}

fn unknown(name: &kinfolk::NodeId) -> Problem {
    let detail =
        format!("no member named {name} is known here; `kinfolk members --all` shows the known names");
    Problem::new(Code::NotFound, detail)
}
