//! The cluster as one agent sees it, from its API, and the differences between
//! several views.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::time::timeout;

/// The time limit of one response. After it the agent counts as silent for this request.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// The part of a member's entry on which all agents must agree.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Member {
    name: String,
    addr: Value,
    state: String,
    incarnation: u64,
    tags: Value,
}

impl Member {
    /// The address that it listens on.
    pub(super) fn addr(&self) -> String {
        self.addr.as_str().unwrap_or_default().to_owned()
    }
}

/// The members by name, without those that failed or left.
pub(super) type View = BTreeMap<String, Member>;

#[derive(Deserialize)]
struct Answer {
    members: Vec<Member>,
}

/// Sends an HTTP request to the agent at this socket. Returns the body of its response.
///
/// With HTTP 1.0 the body is all that comes until the agent closes the connection.
async fn exchange(socket: &Path, request: &str, body: &str) -> Result<String> {
    let exchange = async {
        let mut stream = UnixStream::connect(socket).await?;
        let length = body.len();
        let head =
            format!("{request} HTTP/1.0\r\ncontent-type: application/json\r\ncontent-length: {length}");
        stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).await?;
        let mut response = String::new();
        stream.read_to_string(&mut response).await?;
        Ok::<_, std::io::Error>(response)
    };
    let response = timeout(ANSWER_LIMIT, exchange).await.context("it does not respond")??;
    let (head, body) = response.split_once("\r\n\r\n").context("it does not respond with HTTP")?;
    let status = head.split(' ').nth(1).unwrap_or_default();
    anyhow::ensure!(status == "200", "it responds {response:?}");
    Ok(body.to_owned())
}

/// Makes the agent at this socket announce a maintenance.
pub(super) async fn announce_maintenance(socket: &Path, length: Duration) -> Result<()> {
    let seconds = length.as_secs();
    let request = format!(r#"{{"seconds":{seconds},"note":"chaos"}}"#);
    exchange(socket, "PUT /v1/maintenance", &request).await.map(|_| ())
}

/// Requests the view of the agent at this socket.
pub(super) async fn ask(socket: &Path) -> Result<View> {
    let line = exchange(socket, "GET /v1/members", "").await?;
    // A type of its own, with the few fields that count: the check uses no code of the agent.
    let answer: Answer = serde_json::from_str(&line).with_context(|| format!("it responds {line:?}"))?;
    let members = answer.members.into_iter().filter(|member| matches!(&*member.state, "alive" | "suspect"));
    Ok(members.map(|member| (member.name.clone(), member)).collect())
}

/// The first difference between these views. `None` if they are equal and hold exactly `expected`,
/// all alive.
pub(super) fn difference(views: &[(String, View)], expected: &[String]) -> Option<String> {
    let (first_name, first) = views.first()?;
    for (by, view) in views {
        if let Some(missing) = expected.iter().find(|name| !view.contains_key(*name)) {
            return Some(format!("{by} does not see {missing}"));
        }
        for (name, member) in view {
            if !expected.contains(name) {
                return Some(format!("{by} sees {name}, which does not run"));
            }
            if member.state != "alive" {
                return Some(format!("{by} sees {name} as {}", member.state));
            }
            if first.get(name) != Some(member) {
                return Some(format!("{first_name} and {by} have different entries for {name}"));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(members: &[(&str, &str, u64)]) -> View {
        let member = |&(name, state, incarnation): &(&str, &str, u64)| {
            let member = Member {
                name: name.to_owned(),
                addr: "10.0.0.1:1".into(),
                state: state.to_owned(),
                incarnation,
                tags: Value::Null,
            };
            (name.to_owned(), member)
        };
        members.iter().map(member).collect()
    }

    fn compare(a: &[(&str, &str, u64)], b: &[(&str, &str, u64)]) -> Option<String> {
        difference(&[("a".to_owned(), view(a)), ("b".to_owned(), view(b))], &["a".to_owned(), "b".to_owned()])
    }

    #[test]
    fn equal_views_have_no_difference() {
        let both = [("a", "alive", 1), ("b", "alive", 2)];
        assert_eq!(compare(&both, &both), None);
    }

    #[test]
    fn each_kind_of_difference_is_found() {
        let both = [("a", "alive", 1), ("b", "alive", 2)];
        let difference = |other: &[(&str, &str, u64)]| compare(&both, other).unwrap();
        assert_eq!(difference(&both[..1]), "b does not see b");
        assert_eq!(difference(&[both[0], ("b", "suspect", 2)]), "b sees b as suspect");
        assert_eq!(difference(&[both[0], ("b", "alive", 3)]), "a and b have different entries for b");
        assert_eq!(difference(&[both[0], both[1], ("c", "alive", 1)]), "b sees c, which does not run");
    }
}
