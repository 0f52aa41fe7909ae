//! `kinfolk forget NAME`: has the agent on this machine remove a failed or left member from the views of all.

use std::io::Write as _;

use crate::cli::ForgetArgs;
use crate::control::{self, Answer, ForgottenView, Question};
use crate::exit::{Failure, Status};

pub(crate) fn run(args: &ForgetArgs) -> Result<(), Failure> {
    let question = Question::Forget { node: args.node.clone() };
    let Answer::Forgotten(ForgottenView { name, addr, state }) =
        control::ask_now(args.socket.as_deref(), &question)?
    else {
        return Err(Failure::new(Status::Socket, "the agent answered another question than the one asked"));
    };
    let text = format!(
        "{name} at {addr} ({}) is forgotten here; the other members hear of it by gossip\n",
        state.as_str()
    );
    std::io::stdout().write_all(text.as_bytes()).map_err(|error| Failure::output(&error))
}
