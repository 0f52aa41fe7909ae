//! The command line: the commands and how it is told that one is wrong. The arguments of each are in its own file.

mod agent;
mod ca;
mod demo;
mod forget;
mod leave;
mod members;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory as _, Parser, Subcommand};

pub(crate) use agent::AgentArgs;
pub(crate) use ca::{CaArgs, CaCommand, InitArgs, IssueArgs};
pub(crate) use demo::DemoArgs;
pub(crate) use forget::ForgetArgs;
pub(crate) use leave::LeaveArgs;
pub(crate) use members::MembersArgs;

use crate::exit::{Failure, STATUS_TABLE, Status};

/// A group of machines that agree on who belongs to it and who is alive, over QUIC with mutual TLS.
#[derive(Debug, Parser)]
#[command(name = "kinfolk", version, propagate_version = true, after_help = STATUS_TABLE)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Tell the whole story in one process: members find each other, one crashes, one leaves, one returns
    Demo(DemoArgs),
    /// Make a cluster's authority and the certificates of its nodes
    Ca(CaArgs),
    /// Run a member beside your programs
    Agent(Box<AgentArgs>),
    /// Show the members as the agent on this machine sees them
    Members(MembersArgs),
    /// Remove a failed or left member from the views of all members
    Forget(ForgetArgs),
    /// Have the agent on this machine leave its cluster for good
    Leave(LeaveArgs),
}

/// Reads the command line; `None` if it asked for help or the version, which has then been printed.
pub(crate) fn parse() -> Result<Option<Cli>, Failure> {
    match Cli::try_parse() {
        Ok(cli) => Ok(Some(cli)),
        Err(error) => match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
                error.print().map(|()| None).map_err(|error| Failure::output(&error))
            }
            _ => Err(Failure::new(status(&error), format_args!("{}{}", variable(&error), one_line(&error)))),
        },
    }
}

/// A wrong log level ends with the same status wherever it is given: it is a setting that cannot be
/// used.
fn status(error: &clap::Error) -> Status {
    match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(argument)) if argument.starts_with("--log-level") => Status::Config,
        _ => Status::Usage,
    }
}

/// Which variable of the environment a wrong value comes from, if it is not from the command line:
/// clap names the flag alone.
fn variable(error: &clap::Error) -> String {
    let Some(ContextValue::String(argument)) = error.get(ContextKind::InvalidArg) else {
        return String::new();
    };
    let flag = argument.split(' ').next().unwrap_or_default();
    let given = |argument: String| argument.split('=').next() == Some(flag);
    if std::env::args().any(given) {
        return String::new();
    }
    let command = Cli::command();
    let mut arguments = command.get_subcommands().flat_map(clap::Command::get_arguments);
    let named =
        arguments.find(|argument| argument.get_long().is_some_and(|long| format!("--{long}") == flag));
    let variable = named.and_then(clap::Arg::get_env).filter(|name| std::env::var_os(name).is_some());
    variable.map(|name| format!("{}: ", name.to_string_lossy())).unwrap_or_default()
}

/// A wrong command line in one line: what clap says before it goes on to usage and tips, and where to read on.
fn one_line(error: &clap::Error) -> String {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
        || error.kind() == ErrorKind::MissingSubcommand
    {
        return "a command is missing: `kinfolk demo` is the one to begin with; `kinfolk --help` shows all"
            .to_owned();
    }
    let text = error.to_string();
    let said = text.split("\n\n").next().unwrap_or_default().trim_start_matches("error: ");
    let said: Vec<&str> = said.lines().map(str::trim).collect();
    let tip =
        match error.get(ContextKind::SuggestedArg).or_else(|| error.get(ContextKind::SuggestedSubcommand)) {
            Some(suggested) => format!(" (did you mean {suggested}?)"),
            None => String::new(),
        };
    format!("{}{tip}; `--help` shows what can be given", said.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(args: &[&str]) -> String {
        let args = std::iter::once(&"kinfolk").chain(args);
        one_line(&Cli::try_parse_from(args).unwrap_err())
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_wrong_command_line_is_told_in_one_line() {
        let lines = [
            told(&["demo", "--node", "5"]),
            told(&["demo", "--nodes", "2"]),
            told(&["demo", "--nodes", "many"]),
            told(&["ca", "issue", "dir"]),
            told(&["ca"]),
            told(&["dmo"]),
            told(&[]),
        ];
        assert!(lines.iter().all(|line| !line.contains('\n')), "{lines:#?}");
        assert!(lines[0].contains("'--node'") && lines[0].contains("did you mean"), "{}", lines[0]);
        assert!(lines[1].contains("3..=64"), "{}", lines[1]);
        assert!(lines[3].contains("<NODE>"), "{}", lines[3]);
    }
}
