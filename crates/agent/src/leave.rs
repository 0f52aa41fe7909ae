//! `kinfolk leave`: has the agent on this machine leave its cluster for good, and stop.

use std::io::Write as _;

use crate::cli::LeaveArgs;
use crate::control::{self, Answer, LeftView, Question};
use crate::exit::{Failure, Status};

pub(crate) fn run(args: &LeaveArgs) -> Result<(), Failure> {
    let Answer::Left(LeftView { told, confirmed }) =
        control::ask_now(args.socket.as_deref(), &Question::Leave)?
    else {
        return Err(Failure::new(Status::Socket, "the agent answered another question than the one asked"));
    };
    let text = format!(
        "the agent has left for good and stops; {confirmed} of the {told} members that it told directly confirmed it\n"
    );
    std::io::stdout().write_all(text.as_bytes()).map_err(|error| Failure::output(&error))
}
