//! The `kinfolk` program. It parses the command line and runs the command. A failure ends it with
//! one line on standard error and a documented exit status. Each command is in the file of its
//! name.

mod agent;
mod ca;
mod cli;
mod config;
mod control;
mod demo;
mod exit;
mod forget;
mod leave;
mod logs;
mod maintenance;
mod members;
#[cfg(feature = "otel")]
mod otel;
mod render;
mod span;
mod trust_store;

use std::io::{Write as _, stderr};
use std::process::ExitCode;

use cli::{Cli, Command};
use exit::{Failure, Status};

fn main() -> ExitCode {
    let done = cli::parse().and_then(|parsed| parsed.map_or(Ok(()), run));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // A closed standard output is a failure with the status `Done`: nothing to report.
            if failure.status() != Status::Done {
                // If nobody reads standard error, the exit status alone reports the failure.
                let _unread = writeln!(stderr(), "kinfolk: {failure}");
            }
            failure.status().into()
        }
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    match cli.command {
        Command::Demo(args) => demo::run(&args),
        Command::Ca(args) => ca::run(&args),
        Command::Agent(args) => agent::run(args),
        Command::Members(args) => members::run(&args),
        Command::Maintenance(args) => maintenance::run(&args),
        Command::Forget(args) => forget::run(&args),
        Command::Leave(args) => leave::run(&args),
    }
}
