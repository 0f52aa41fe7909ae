//! The paths of the API, with the role that each needs and the OpenAPI document of all.

use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use tokio::time::timeout;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::{self, Role};
use super::extract::ApiJson;
use super::handlers::{
    agent, certificates, events, health, leave, maintenance, members, partition, reload, round_trips,
    services, stats, tags,
};
use super::openapi;
use super::problem::{Code, Problem};
use super::state::{AppState, add};

/// The longest body in bytes. The longest useful one has all tags that a member may have (16 KiB),
/// and JSON may write a byte as six.
const BODY_BYTES_MAX: usize = 128 * 1024;
/// The time limit from the head of a request to the head of its response.
const REQUEST_LIMIT: Duration = Duration::from_secs(10);

/// All paths, ready to serve.
pub(crate) fn router(state: AppState) -> Router {
    let (router, _document) = documented(&state).split_for_parts();
    router
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn_with_state(state.clone(), access::check_site))
        .layer(middleware::from_fn_with_state(state.clone(), limit_time))
        .with_state(state)
}

/// All paths, and their documentation.
fn documented(state: &AppState) -> OpenApiRouter<AppState> {
    let open = OpenApiRouter::with_openapi(openapi::base())
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
        .routes(routes!(document));
    let read = OpenApiRouter::new()
        .routes(routes!(agent::get))
        .routes(routes!(members::list))
        .routes(routes!(members::get))
        .routes(routes!(members::explain))
        .routes(routes!(services::list))
        .routes(routes!(services::get))
        .routes(routes!(services::select))
        .routes(routes!(events::follow))
        .routes(routes!(round_trips::list))
        .routes(routes!(partition::get))
        .routes(routes!(stats::get))
        .routes(routes!(certificates::get))
        .routes(routes!(maintenance::get))
        .routes(routes!(tags::get));
    let write = OpenApiRouter::new()
        .routes(routes!(tags::patch))
        .routes(routes!(tags::set, tags::remove))
        .routes(routes!(events::send))
        .routes(routes!(maintenance::begin, maintenance::end));
    let admin = OpenApiRouter::new()
        .routes(routes!(members::forget))
        .routes(routes!(leave::leave))
        .routes(routes!(reload::reload));
    let guarded = [(read, Role::Read), (write, Role::Write), (admin, Role::Admin)]
        .into_iter()
        .map(|(router, role)| guard(router, role, state.clone()))
        .fold(open, OpenApiRouter::merge);
    openapi::complete(guarded)
}

/// Adds the check of the role, and its documentation.
fn guard(mut router: OpenApiRouter<AppState>, role: Role, state: AppState) -> OpenApiRouter<AppState> {
    openapi::require(router.get_openapi_mut(), role);
    router.route_layer(middleware::from_fn(move |request: Request, next: Next| {
        let state = state.clone();
        async move { access::require(&state, role, request, next).await }
    }))
}

/// This document
#[utoipa::path(
    get, path = "/v1/openapi.json", operation_id = "get_openapi", tag = "agent",
    responses((status = 200, description = "The OpenAPI document of this API", body = Object)),
)]
async fn document(State(state): State<AppState>) -> ApiJson<utoipa::openapi::OpenApi> {
    // Made for each request: it takes half a megabyte, and few clients ask for it.
    ApiJson(documented(&state).into_openapi())
}

/// Ends a request that takes too long. The body of a stream is not part of it.
async fn limit_time(State(state): State<AppState>, request: Request, next: Next) -> Response {
    add(&state.counters.requests, 1);
    if let Ok(response) = timeout(REQUEST_LIMIT, next.run(request)).await {
        return response;
    }
    add(&state.counters.timed_out, 1);
    let seconds = REQUEST_LIMIT.as_secs();
    let detail =
        format!("the request did not end within {seconds} s; check the load of the agent, and try again");
    Problem::new(Code::TimedOut, detail).into_response()
}

async fn not_found(request: Request) -> Problem {
    let path = request.uri().path();
    Problem::new(Code::NotFound, format!("there is nothing at {path}; /v1/openapi.json has all paths"))
}

async fn method_not_allowed(request: Request) -> Problem {
    let (method, path) = (request.method(), request.uri().path());
    let detail = format!("{path} does not take {method}; /v1/openapi.json has the methods of each path");
    Problem::new(Code::MethodNotAllowed, detail)
}
