//! `kinfolk forget NAME`: makes the agent on this machine remove a failed or left member from the
//! views of all members.

use std::io::Write as _;

use crate::cli::ForgetArgs;
use crate::control::{self, ForgottenView, Request, Response};
use crate::exit::{Failure, Status};

pub(crate) fn run(args: &ForgetArgs) -> Result<(), Failure> {
    let request = Request::Forget { node: args.node.clone() };
    let Response::Forgotten(ForgottenView { name, addr, state }) =
        control::send_request(args.socket.as_deref(), &request)?
    else {
        // The agent and this command are of different versions. What to do: run the command of the
        // same version as the agent.
        return Err(Failure::new(Status::Socket, control::WRONG_RESPONSE));
    };
    let text = format!(
        "{name} at {addr} ({}) is removed here; the other members remove it within seconds, by gossip\n",
        state.as_str()
    );
    std::io::stdout().write_all(text.as_bytes()).map_err(|error| Failure::output(&error))
}
