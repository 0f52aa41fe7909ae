//! Which members a request asks for.

use kinfolk::{Health, NodeState, NodeStatus, ServiceName};
use serde::Deserialize;
use utoipa::IntoParams;

use super::views::{HealthName, StateName};

/// The filters of `/v1/members`. A member must pass each that is given. A filter that is repeated
/// is passed with any of its values; `tag` must hold for each.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct MembersQuery {
    /// Only nodes in this state; may be repeated.
    #[serde(default)]
    #[param(value_type = Vec<StateName>)]
    state: Vec<NodeState>,
    /// Only nodes with this health; may be repeated.
    #[serde(default)]
    #[param(value_type = Vec<HealthName>)]
    health: Vec<Health>,
    /// Only nodes with this tag, as `KEY=VALUE`, or `KEY` for any value; may be repeated.
    #[serde(default)]
    tag: Vec<String>,
    /// Only nodes that offer this service.
    #[param(value_type = Option<String>, pattern = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
    service: Option<ServiceName>,
    /// Only nodes whose name contains this text.
    name: Option<String>,
}

/// The same, ready to use.
#[derive(Debug, Clone, Default)]
pub(super) struct MemberFilter {
    states: Vec<NodeState>,
    healths: Vec<Health>,
    tags: Vec<(String, Option<String>)>,
    service: Option<ServiceName>,
    name: Option<String>,
}

impl From<MembersQuery> for MemberFilter {
    fn from(query: MembersQuery) -> Self {
        let tag = |text: String| match text.split_once('=') {
            Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
            None => (text, None),
        };
        Self {
            states: query.state,
            healths: query.health,
            tags: query.tag.into_iter().map(tag).collect(),
            service: query.service,
            name: query.name,
        }
    }
}

impl MemberFilter {
    /// Whether the node passes.
    pub(super) fn admits(&self, node: &NodeStatus) -> bool {
        let has_tag = |(key, value): &(String, Option<String>)| {
            node.tags.get(key).is_some_and(|found| value.as_deref().is_none_or(|value| value == found))
        };
        (self.states.is_empty() || self.states.contains(&node.state))
            && (self.healths.is_empty() || self.healths.contains(&node.condition.health()))
            && self.tags.iter().all(has_tag)
            && self.service.as_ref().is_none_or(|service| node.services.get(service.as_str()).is_some())
            && self.name.as_ref().is_none_or(|part| node.id.as_str().contains(part.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use kinfolk::{About, Condition, Incarnation, NodeAddr, Service, Services, Tags};

    use super::*;

    fn node() -> NodeStatus {
        let about = About {
            tags: Tags::new([("role", "db"), ("zone", "1")]).unwrap(),
            services: Services::none().with("sql".parse().unwrap(), Service::new(5432)).unwrap(),
            condition: Condition::warning("slow"),
            ..About::default()
        };
        let addr = NodeAddr::new(([10, 0, 0, 1], 1).into());
        NodeStatus::described("web-1".parse().unwrap(), addr, Incarnation::new(1), about)
    }

    fn admits(query: &str) -> bool {
        let query: MembersQuery = serde_html_form::from_str(query).unwrap();
        MemberFilter::from(query).admits(&node())
    }

    #[test]
    fn node_must_pass_every_filter() {
        for query in [
            "",
            "state=alive",
            "state=failed&state=alive",
            "health=warning&health=critical",
            "tag=role%3Ddb&tag=zone",
            "service=sql&name=eb-",
        ] {
            assert!(admits(query), "{query}");
        }
        for query in [
            "state=failed",
            "health=passing",
            "tag=role",
            "tag=role%3Dweb",
            "tag=zone&tag=x",
            "service=web",
            "name=x",
        ] {
            assert_eq!(admits(query), query == "tag=role", "{query}");
        }
    }

    #[test]
    fn unknown_filter_or_value_is_refused() {
        for query in ["states=alive", "state=dead", "service=No%20name"] {
            assert!(serde_html_form::from_str::<MembersQuery>(query).is_err(), "{query}");
        }
    }
}
