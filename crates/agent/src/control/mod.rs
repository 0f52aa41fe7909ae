//! What the agent and the commands beside it say to each other over a Unix socket: one line of JSON asks, one answers.

mod client;
mod server;
mod socket;
mod view;

use std::path::PathBuf;

use kinfolk::NodeId;
use serde::{Deserialize, Serialize};

pub(crate) use client::ask_now;
pub(crate) use server::serve;
pub(crate) use socket::ControlSocket;
pub(crate) use view::{ForgottenView, LeftView, MemberView, MembersView, PartitionView, SuspicionView};

/// What can be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Question {
    /// The group as the agent sees it.
    Members,
    /// To leave for good, and stop.
    Leave,
    /// To remove a failed or left member from the views of all.
    Forget {
        /// Its name.
        node: NodeId,
    },
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub(crate) enum Answer {
    /// To [`Question::Members`].
    Members(MembersView),
    /// To [`Question::Leave`]: the others have been told.
    Left(LeftView),
    /// To [`Question::Forget`]: it is gone here, and the others hear of it.
    Forgotten(ForgottenView),
    /// The question cannot be answered.
    Refused {
        /// Why, and what to do.
        why: String,
    },
}

/// Where the socket is if nobody says otherwise: in the user's runtime folder, or where the system's services have theirs.
pub(crate) fn default_path() -> PathBuf {
    let folder = std::env::var_os("XDG_RUNTIME_DIR").filter(|folder| !folder.is_empty());
    folder.map_or_else(|| PathBuf::from("/run"), PathBuf::from).join("kinfolk.sock")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_one_word_of_json_and_an_unknown_one_is_refused() {
        assert_eq!(serde_json::to_string(&Question::Members).unwrap(), r#"{"ask":"members"}"#);
        let refused = serde_json::from_str::<Question>(r#"{"ask":"shutdown"}"#).unwrap_err().to_string();
        assert!(refused.contains("expected one of `members`, `leave`, `forget`"), "{refused}");
    }
}
