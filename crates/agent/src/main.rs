//! The `kinfolk` program: it reads its command, runs it, and ends with one clear line and a documented status if that did
//! not work. What each command does is in the file of its name.

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
mod members;
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
            if failure.status() != Status::Done {
                // Without a reader of standard error the status alone says it.
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
        Command::Forget(args) => forget::run(&args),
        Command::Leave(args) => leave::run(&args),
    }
}
