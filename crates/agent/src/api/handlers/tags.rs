//! `/v1/tags`: the tags of the agent's own member.
//!
//! A change lasts until the agent starts again: then the tags of its configuration apply. A reload
//! keeps it, unless the file changed the same tag.

use axum::extract::State;
use axum::http::StatusCode;
use kinfolk::{Tags, TagsError};

use crate::api::extract::{ApiJson, PathText};
use crate::api::problem::{Code, Problem};
use crate::api::state::AppState;
use crate::api::views::{TagChanges, TagValue, TagsView};

/// The tags of this member
#[utoipa::path(
    get, path = "/v1/tags", operation_id = "get_tags", tag = "tags",
    responses((status = 200, description = "All tags", body = TagsView)),
)]
pub(in crate::api) async fn get(State(state): State<AppState>) -> Result<ApiJson<TagsView>, Problem> {
    let members = state.cluster.members();
    let mine = members.get(state.cluster.id()).ok_or_else(stopped)?;
    Ok(ApiJson(TagsView { tags: mine.tags.clone() }))
}

/// Change several tags at once
///
/// A merge patch (RFC 7396): a text sets the tag, and null removes it. Other tags stay.
#[utoipa::path(
    patch, path = "/v1/tags", operation_id = "change_tags", tag = "tags",
    request_body(content((TagChanges = "application/merge-patch+json"), (TagChanges = "application/json"))),
    responses(
        (status = 200, description = "All tags after the change", body = TagsView),
        (status = 409, description = "This member has left", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(in crate::api) async fn patch(
    State(state): State<AppState>,
    ApiJson(TagChanges(changes)): ApiJson<TagChanges>,
) -> Result<ApiJson<TagsView>, Problem> {
    let mut after = Tags::empty();
    let change = |tags: &Tags| {
        let kept = tags.iter().filter(|(key, _)| !changes.contains_key(*key));
        let set = changes.iter().filter_map(|(key, value)| Some((key.as_str(), value.as_deref()?)));
        after = Tags::new(kept.chain(set))?;
        Ok::<_, TagsError>(after.clone())
    };
    state.cluster.update_tags_with(change).await?;
    Ok(ApiJson(TagsView { tags: after }))
}

/// Set one tag
#[utoipa::path(
    put, path = "/v1/tags/{key}", operation_id = "set_tag", tag = "tags",
    params(("key" = String, Path, description = "The key of the tag")),
    request_body = TagValue,
    responses(
        (status = 204, description = "The tag is set"),
        (status = 404, description = "The path has no key", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "This member has left", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(in crate::api) async fn set(
    State(state): State<AppState>,
    PathText(key): PathText,
    ApiJson(TagValue { value }): ApiJson<TagValue>,
) -> Result<StatusCode, Problem> {
    state.cluster.set_tag(&key, &value).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Remove one tag
///
/// Succeeds also if there is no such tag.
#[utoipa::path(
    delete, path = "/v1/tags/{key}", operation_id = "remove_tag", tag = "tags",
    params(("key" = String, Path, description = "The key of the tag")),
    responses(
        (status = 204, description = "There is no such tag now"),
        (status = 404, description = "The path has no key", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "This member has left", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(in crate::api) async fn remove(
    State(state): State<AppState>,
    PathText(key): PathText,
) -> Result<StatusCode, Problem> {
    state.cluster.remove_tag(&key).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn stopped() -> Problem {
    Problem::new(Code::Unavailable, "the agent stops, and has no tags any more; start it again")
}
