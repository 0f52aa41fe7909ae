//! `kinfolk leave`: makes the agent on this machine leave its cluster permanently, and stop.

use std::io::Write as _;

use crate::cli::LeaveArgs;
use crate::control::{self, LeftView, Request, Response};
use crate::exit::{Failure, Status};

pub(crate) fn run(args: &LeaveArgs) -> Result<(), Failure> {
    let Response::Left(LeftView { notified, confirmed }) =
        control::send_request(args.socket.as_deref(), &Request::Leave)?
    else {
        // The agent and this command are of different versions. What to do: run the command of the
        // same version as the agent.
        return Err(Failure::new(Status::Socket, control::WRONG_RESPONSE));
    };
    let text = format!(
        "the agent left permanently and stops; it notified {notified} members directly, and {confirmed} of them confirmed it\n"
    );
    std::io::stdout().write_all(text.as_bytes()).map_err(|error| Failure::output(&error))
}
