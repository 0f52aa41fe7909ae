//! The protocol between the agent and the other commands over a Unix socket: one line of JSON is
//! the request, one line is the response.

mod client;
mod server;
mod socket;
mod view;

use std::path::PathBuf;

use kinfolk::NodeId;
use serde::{Deserialize, Serialize};

pub(crate) use client::send_request;
pub(crate) use server::serve;
pub(crate) use socket::ControlSocket;
pub(crate) use view::{
    ForgottenView, LeftView, MaintenanceView, MemberView, MembersView, PartitionView, ServiceView,
    SuspicionView,
};

/// The message when the agent sends the response to another request.
pub(crate) const WRONG_RESPONSE: &str =
    "the agent sent the response to another request; use the kinfolk program of the agent's version";

/// A request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Request {
    /// Get the group as the agent sees it.
    Members,
    /// Leave permanently, and stop.
    Leave,
    /// Remove a failed or left member from the views of all members.
    Forget {
        /// The name of that member.
        node: NodeId,
    },
    /// Announce a planned absence of this member.
    Maintenance {
        /// For how many seconds, at least 1 and at most 24 hours.
        seconds: u32,
        /// Why; may be empty.
        note: String,
    },
    /// End the planned absence of this member.
    EndMaintenance,
}

/// A response.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub(crate) enum Response {
    /// The response to [`Request::Members`].
    Members(MembersView),
    /// The response to [`Request::Leave`]: the leave has been sent to the other members.
    Left(LeftView),
    /// The response to [`Request::Forget`]: it is removed here, and gossip removes it elsewhere.
    Forgotten(ForgottenView),
    /// The response to [`Request::Maintenance`]: it has begun.
    Maintenance(MaintenanceView),
    /// The response to [`Request::EndMaintenance`].
    MaintenanceEnded {
        /// The member.
        name: NodeId,
        /// Whether it was in maintenance.
        was: bool,
    },
    /// The agent does not do what the request asks.
    Refused {
        /// Why, and what to do.
        why: String,
    },
}

/// The path of the socket without a setting: in the user's runtime folder, or in `/run`, where the
/// system's services have theirs.
pub(crate) fn default_path() -> PathBuf {
    let folder = std::env::var_os("XDG_RUNTIME_DIR").filter(|folder| !folder.is_empty());
    folder.map_or_else(|| PathBuf::from("/run"), PathBuf::from).join("kinfolk.sock")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_is_one_json_object_and_unknown_one_is_refused() {
        assert_eq!(serde_json::to_string(&Request::Members).unwrap(), r#"{"ask":"members"}"#);
        let refused = serde_json::from_str::<Request>(r#"{"ask":"shutdown"}"#).unwrap_err().to_string();
        assert!(refused.contains("expected one of `members`, `leave`, `forget`"), "{refused}");
    }
}
