//! `/v1/events`: the stream of events, and named events to send.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};

use crate::api::events::{EventId, EventStream};
use crate::api::extract::ApiJson;
use crate::api::problem::{Code, Problem};
use crate::api::state::{AppState, add};
use crate::api::user_event::UserEvent;
use crate::api::views::{NewEvent, SentEventView};

const LAST_EVENT_ID: &str = "last-event-id";

/// Follow the events of the group
///
/// Server-sent events. The first one is `snapshot` (a `MembersView`). Each later one is named after
/// its `kind` (an `EventView`), and has an `id`. A client that connects again with its last id in
/// the header `Last-Event-ID` gets the events after it, without a snapshot. If the agent does not
/// keep them any more, or if a client reads too slowly, it sends `lost` (a `LostView`) with their
/// number, and then a new `snapshot`. A comment comes after 15 s without an event.
#[utoipa::path(
    get, path = "/v1/events", operation_id = "follow_events", tag = "events",
    params(("Last-Event-ID" = Option<String>, Header, description = "The last `id` that the client has read")),
    responses((status = 200, description = "The events", body = String, content_type = "text/event-stream")),
)]
pub(in crate::api) async fn follow(
    State(state): State<AppState>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let last = headers.get(LAST_EVENT_ID).map(|value| value.to_str().unwrap_or("?").parse::<EventId>());
    let last = last.transpose().map_err(Problem::invalid)?;
    let place = Arc::clone(&state.event_clients).try_acquire_owned().map_err(|_| {
        add(&state.counters.event_clients_refused, 1);
        Problem::new(Code::Busy, "as many clients as the limit allows read events already; try again later")
    })?;
    let stream = EventStream::new(state, last, place).ok_or_else(|| {
        Problem::new(Code::Unavailable, "the agent stops, and has no events any more; start it again")
    })?;
    let headers = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-store")];
    Ok((headers, stream.into_body()).into_response())
}

/// Send a named event to all members
///
/// Each member receives it once, in any order, and shows it as `user_event`. Members that join
/// later do not receive it.
#[utoipa::path(
    post, path = "/v1/events", operation_id = "send_event", tag = "events", request_body = NewEvent,
    responses(
        (status = 202, description = "The event is on its way", body = SentEventView),
        (status = 409, description = "This member has left", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(in crate::api) async fn send(
    State(state): State<AppState>,
    ApiJson(NewEvent { name, payload }): ApiJson<NewEvent>,
) -> Result<Response, Problem> {
    let event = UserEvent::new(&name, &payload).map_err(Problem::invalid)?;
    state.cluster.broadcast(event.encode()).await?;
    state.events.publish_own(state.cluster.id(), event);
    let members = state.cluster.members().members().count().saturating_sub(1);
    Ok((StatusCode::ACCEPTED, ApiJson(SentEventView { name, members })).into_response())
}
