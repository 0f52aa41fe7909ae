//! `/v1/services`: the services of all members, and the choice of an instance.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::StatusCode;
use kinfolk::{CheckOutcome, Health, NodeState, Selector};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::api::extract::{ApiJson, ApiQuery, PathText};
use crate::api::problem::{Code, Problem};
use crate::api::state::AppState;
use crate::api::views::{
    ChoiceView, HealthName, Report, ReportedHealth, ServiceCountView, ServiceView, ServicesView,
};

/// The services of all members
#[utoipa::path(
    get, path = "/v1/services", operation_id = "list_services", tag = "services",
    responses((status = 200, description = "The services, with the numbers of their instances", body = ServicesView)),
)]
pub(in crate::api) async fn list(State(state): State<AppState>) -> ApiJson<ServicesView> {
    let members = state.cluster.members();
    let mut counts: BTreeMap<&str, ServiceCountView> = BTreeMap::new();
    for node in members.members() {
        let suspect = node.state == NodeState::Suspect;
        for (name, service) in node.services.iter() {
            let health = node.condition.health().max(service.condition.health());
            let health = if suspect { health.max(Health::Critical) } else { health };
            let name = name.as_str();
            counts.entry(name).or_insert_with(|| ServiceCountView::new(name)).count(health);
        }
    }
    ApiJson(ServicesView { services: counts.into_values().collect() })
}

/// The instances of a service
#[utoipa::path(
    get, path = "/v1/services/{name}", operation_id = "get_service", tag = "services",
    params(("name" = String, Path, description = "The name of the service", pattern = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", example = "db")),
    responses(
        (status = 200, description = "The instances", body = ServiceView),
        (status = 404, description = "No member offers the service", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(in crate::api) async fn get(
    State(state): State<AppState>,
    PathText(name): PathText,
) -> Result<ApiJson<ServiceView>, Problem> {
    let instances = state.cluster.services(&name);
    if instances.is_empty() {
        return Err(not_offered(&name));
    }
    let instances = instances.into_iter().map(Into::into).collect();
    Ok(ApiJson(ServiceView { name, instances }))
}

/// Report the health of a service
///
/// For a service of this agent whose check is `ttl`: a program reports at least once in that time,
/// or the service is critical.
#[utoipa::path(
    put, path = "/v1/services/{name}/report", operation_id = "report_service", tag = "services",
    params(("name" = String, Path, description = "The name of the service", pattern = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", example = "db")),
    request_body = Report,
    responses(
        (status = 204, description = "The report counts from now on"),
        (status = 404, description = "This agent has no such service with a check `ttl`", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(in crate::api) async fn report(
    State(state): State<AppState>,
    PathText(name): PathText,
    ApiJson(Report { health, note }): ApiJson<Report>,
) -> Result<StatusCode, Problem> {
    let ttl = state.reports.of(&name).ok_or_else(|| {
        let detail = format!(
            "this agent has no service {name:?} whose check waits for reports; give it `check = {{ ttl = \"30s\" }}` in \
             the configuration"
        );
        Problem::new(Code::NotFound, detail)
    })?;
    ttl.report(match health {
        ReportedHealth::Passing => CheckOutcome::Passing,
        ReportedHealth::Warning => CheckOutcome::Warning(note),
        ReportedHealth::Critical => CheckOutcome::Critical(note),
    });
    Ok(StatusCode::NO_CONTENT)
}

/// How an instance is chosen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::api) enum Strategy {
    /// By chance, by the weights of the instances.
    #[default]
    Weighted,
    /// By chance, each with the same probability.
    Random,
    /// One after the other.
    RoundRobin,
    /// By chance among those with the shortest round trip.
    Nearest,
    /// The one that holds a key, the same for all members with equal views.
    Key,
}

/// Which instance to choose.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(in crate::api) struct SelectQuery {
    /// How the instance is chosen. Default `weighted`, or `key` if a key is given.
    strategy: Option<Strategy>,
    /// The key, for the strategy `key`.
    key: Option<String>,
    /// Only instances of members with this tag, as `KEY=VALUE`; may be repeated.
    #[param(value_type = Vec<String>)]
    tag: Vec<Pair>,
    /// Only instances with this meta data, as `KEY=VALUE`; may be repeated.
    #[param(value_type = Vec<String>)]
    meta: Vec<Pair>,
    /// Only instances that are at least this well.
    #[param(value_type = Option<HealthName>)]
    health: Option<Health>,
}

/// `KEY=VALUE`.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
struct Pair(String, String);

impl TryFrom<String> for Pair {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.split_once('=') {
            Some((key, value)) if !key.is_empty() => Ok(Self(key.to_owned(), value.to_owned())),
            _ => Err(format!("{text:?} is not KEY=VALUE; give such as role=db")),
        }
    }
}

/// Choose an instance of a service
#[utoipa::path(
    get, path = "/v1/services/{name}/select", operation_id = "select_instance", tag = "services",
    params(
        ("name" = String, Path, description = "The name of the service", pattern = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", example = "db"),
        SelectQuery,
    ),
    responses(
        (status = 200, description = "The chosen instance", body = ChoiceView),
        (status = 404, description = "No member offers the service", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "No instance is left after the filters", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(in crate::api) async fn select(
    State(state): State<AppState>,
    PathText(name): PathText,
    ApiQuery(query): ApiQuery<SelectQuery>,
) -> Result<ApiJson<ChoiceView>, Problem> {
    // A selector remembers the name of its service, so make none for a name that a client made up.
    if !state.cluster.members().members().any(|node| node.services.get(&name).is_some()) {
        return Err(not_offered(&name));
    }
    let mut selector = state.cluster.select(&name);
    for Pair(key, value) in &query.tag {
        selector = selector.tag(key, value);
    }
    for Pair(key, value) in &query.meta {
        selector = selector.meta(key, value);
    }
    if let Some(health) = query.health {
        selector = selector.health(health);
    }
    choose(&selector, query.strategy, query.key.as_deref())
}

fn choose(
    selector: &Selector,
    strategy: Option<Strategy>,
    key: Option<&str>,
) -> Result<ApiJson<ChoiceView>, Problem> {
    let default = if key.is_some() { Strategy::Key } else { Strategy::default() };
    let lease = match (strategy.unwrap_or(default), key) {
        (Strategy::Key, Some(key)) => selector.for_key(key),
        (Strategy::Key, None) => {
            return Err(Problem::invalid("the strategy `key` needs a key; give it as `key=TEXT`"));
        }
        (_, Some(_)) => {
            return Err(Problem::invalid("only the strategy `key` takes a key; leave out one of the two"));
        }
        (Strategy::Weighted, None) => selector.weighted(),
        (Strategy::Random, None) => selector.random(),
        (Strategy::RoundRobin, None) => selector.round_robin(),
        (Strategy::Nearest, None) => selector.nearest(),
    };
    Ok(ApiJson((&lease?).into()))
}

fn not_offered(name: &str) -> Problem {
    let detail =
        format!("no member offers the service {name:?}; `kinfolk services` shows those that are offered");
    Problem::new(Code::NotFound, detail)
}
