//! The paths of the API, with the role that each needs and the OpenAPI document of all.

use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use tokio::time::timeout;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};
use utoipa_axum::routes;

use super::access::{self, Role};
use super::extract::ApiJson;
use super::handlers::{
    agent, certificates, coordinates, events, health, leave, maintenance, members, metrics, partition,
    reload, revocations, round_trips, services, stats, tags,
};
use super::openapi;
use super::problem::{Code, Problem};
use super::state::{AppState, add};

/// The time limit from the head of a request to the head of its response.
const REQUEST_LIMIT: Duration = Duration::from_secs(10);

/// Makes a path: its handlers and its documentation. A function and not a value, because the
/// documentation of all paths takes a megabyte, and few agents are asked for it.
type Route = fn() -> UtoipaMethodRouter<AppState>;

/// Paths that need no role.
const OPEN: &[Route] = &[|| routes!(health::healthz), || routes!(health::readyz), || routes!(document)];

/// The other paths, with the role that they need.
const GUARDED: [(Role, &[Route]); 3] = [(Role::Read, READ), (Role::Write, WRITE), (Role::Admin, ADMIN)];

const READ: &[Route] = &[
    || routes!(agent::get),
    || routes!(members::list),
    || routes!(members::get),
    || routes!(members::explain),
    || routes!(services::list),
    || routes!(services::get),
    || routes!(services::select),
    || routes!(events::follow),
    || routes!(round_trips::list),
    || routes!(coordinates::list),
    || routes!(partition::get),
    || routes!(stats::get),
    || routes!(metrics::get),
    || routes!(certificates::get),
    || routes!(maintenance::get),
    || routes!(tags::get),
];

const WRITE: &[Route] = &[
    || routes!(tags::patch),
    || routes!(tags::set, tags::remove),
    || routes!(events::send),
    || routes!(services::report),
    || routes!(maintenance::begin, maintenance::end),
];

const ADMIN: &[Route] = &[
    || routes!(members::forget),
    || routes!(revocations::revoke),
    || routes!(leave::leave),
    || routes!(reload::reload),
];

/// All paths, ready to serve.
pub(crate) fn router(state: AppState) -> Router {
    let guarded = GUARDED.into_iter().map(|(role, routes)| guard(served(routes), role, state.clone()));
    guarded
        .fold(served(OPEN), Router::merge)
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(middleware::from_fn_with_state(state.clone(), access::check_site))
        .layer(middleware::from_fn_with_state(state.clone(), limit_time))
        .with_state(state)
}

/// The handlers of these paths. The documentation of each is dropped at once.
fn served(routes: &[Route]) -> Router<AppState> {
    routes.iter().fold(Router::new(), |router, route| {
        let (_, documented, handlers) = route();
        let (path, _) = documented.paths.first_key_value().expect("a route has a path");
        router.route(path, handlers)
    })
}

/// Adds the check of the role.
fn guard(router: Router<AppState>, role: Role, state: AppState) -> Router<AppState> {
    router.route_layer(middleware::from_fn(move |request: Request, next: Next| {
        let state = state.clone();
        async move { access::require(&state, role, request, next).await }
    }))
}

/// The OpenAPI document of all paths.
fn documentation() -> utoipa::openapi::OpenApi {
    let of = |routes: &[Route], base| {
        let all = OpenApiRouter::<AppState>::with_openapi(base);
        routes.iter().fold(all, |router, route| router.routes(route())).into_openapi()
    };
    let mut document = of(OPEN, openapi::base());
    for (role, routes) in GUARDED {
        let mut part = of(routes, utoipa::openapi::OpenApi::default());
        openapi::require(&mut part, role);
        document.merge(part);
    }
    openapi::complete(&mut document);
    document
}

/// This document
#[utoipa::path(
    get, path = "/v1/openapi.json", operation_id = "get_openapi", tag = "agent",
    responses((status = 200, description = "The OpenAPI document of this API", body = Object)),
)]
async fn document() -> ApiJson<utoipa::openapi::OpenApi> {
    ApiJson(documentation())
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
