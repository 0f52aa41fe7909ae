//! The `kinfolk` program. It parses the command line and runs the command. A failure ends it with
//! one line on standard error and a documented exit status. Each command is in a file of its
//! name; those that ask a running agent are in `commands/`.

mod agent;
mod api;
mod ca;
mod cli;
mod client;
mod commands;
mod config;
mod demo;
mod exit;
mod identity_files;
mod logs;
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
        Command::Members(args) => commands::members::run(&args),
        Command::Info(args) => commands::info::run(&args),
        Command::Explain(args) => commands::explain::run(&args),
        Command::Rtt(args) => commands::rtt::run(&args),
        Command::Services(args) => commands::services::run(&args),
        Command::Select(args) => commands::select::run(&args),
        Command::Monitor(args) => commands::monitor::run(&args),
        Command::Stats(args) => commands::stats::run(&args),
        Command::Tags(args) => commands::tags::run(&args),
        Command::Event(args) => commands::event::run(&args),
        Command::Report(args) => commands::report::run(&args),
        Command::Reload(args) => commands::reload::run(&args),
        Command::Maintenance(args) => commands::maintenance::run(&args),
        Command::Forget(args) => commands::forget::run(&args),
        Command::Revoke(args) => commands::revoke::run(&args),
        Command::Leave(args) => commands::leave::run(&args),
    }
}
