//! The parts of the OpenAPI document that are the same for many paths: the head, the tokens, and
//! the errors that each path can answer with.

use utoipa::OpenApi;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{Content, Ref, RefOr, Response, ResponseBuilder, SecurityRequirement};

use super::access::Role;
use super::handlers::services::Strategy;
use super::problem::{MEDIA_TYPE, Problem};
use super::views::{EventView, LostView};

/// The name of the security scheme.
const TOKEN: &str = "token";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Kinfolk agent",
        description = "The API of `kinfolk agent`, over its Unix socket and, with `--http`, over TCP. All errors are \
                       `application/problem+json`.",
    ),
    components(schemas(Problem, EventView, LostView, Strategy)),
    tags(
        (name = "members", description = "The group as this agent sees it"),
        (name = "services", description = "The services of all members"),
        (name = "events", description = "Events of the group, and named events"),
        (name = "tags", description = "The tags of this member"),
        (name = "maintenance", description = "A planned absence of this member"),
        (name = "certificates", description = "Certificates of this member and of others"),
        (name = "agent", description = "The agent itself"),
        (name = "health", description = "Checks for service managers and load balancers"),
    ),
)]
struct Base;

/// The document without paths.
pub(super) fn base() -> utoipa::openapi::OpenApi {
    let mut document = Base::openapi();
    let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    document.components.get_or_insert_default().add_security_scheme(TOKEN, scheme);
    document
}

/// Says that all paths of the document need this role.
pub(super) fn require(document: &mut utoipa::openapi::OpenApi, role: Role) {
    for item in document.paths.paths.values_mut() {
        for operation in operations(item) {
            operation.security = Some(vec![SecurityRequirement::new::<_, _, String>(TOKEN, [])]);
            let said = operation.description.take().unwrap_or_default();
            operation.description = Some(format!("{said}\n\nNeeds the role `{role}`.").trim().to_owned());
            add(operation, "401", "The client needs a token, or a client certificate");
        }
    }
}

/// Adds the errors that any path can answer with.
pub(super) fn complete(document: &mut utoipa::openapi::OpenApi) {
    for item in document.paths.paths.values_mut() {
        for operation in operations(item) {
            if operation.parameters.is_some() || operation.request_body.is_some() {
                add(operation, "400", "A part of the request has a wrong value or form");
            }
            add(operation, "403", "The role does not suffice, or the host or the origin is foreign");
            if operation.request_body.is_some() {
                add(operation, "413", "The body is too large");
                add(operation, "415", "The body is not JSON");
            }
            add(operation, "500", "A part of the agent failed");
            add(operation, "503", "The agent is not ready, stops, or did not finish in time");
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, put, post, delete, patch, .. } = item;
    [get, put, post, delete, patch].into_iter().flatten()
}

/// Adds a response with a problem, unless the operation has one for this status.
fn add(operation: &mut Operation, status: &str, description: &str) {
    let responses = &mut operation.responses.responses;
    responses.entry(status.to_owned()).or_insert_with(|| RefOr::T(problem(description)));
}

fn problem(description: &str) -> Response {
    let schema = Ref::from_schema_name("Problem");
    ResponseBuilder::new()
        .description(description)
        .content(MEDIA_TYPE, Content::new(Some(RefOr::Ref(schema))))
        .build()
}
