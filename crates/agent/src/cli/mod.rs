//! The command line: the commands, and the one-line messages for a wrong command line. Each command
//! has its arguments in a file of its own.

mod agent;
mod ca;
mod change;
mod connect;
mod demo;
mod forget;
mod inspect;
mod leave;
mod maintenance;
mod members;
mod output;
mod revoke;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory as _, Parser, Subcommand};

pub(crate) use agent::AgentArgs;
pub(crate) use ca::{CaArgs, CaCommand, InitArgs, IssueArgs, RevokeArgs, ShowArgs};
pub(crate) use change::{EventArgs, ListTagsArgs, ReloadArgs, ReportArgs, TagsArgs, TagsCommand};
pub(crate) use connect::ConnectArgs;
pub(crate) use demo::DemoArgs;
pub(crate) use forget::ForgetArgs;
pub(crate) use inspect::{MonitorArgs, NodeArgs, RttArgs, SelectArgs, ServicesArgs, StatsArgs, StrategyArg};
pub(crate) use leave::LeaveArgs;
pub(crate) use maintenance::{Action as MaintenanceAction, MaintenanceArgs};
pub(crate) use members::{MembersArgs, SortBy};
pub(crate) use output::Output;
pub(crate) use revoke::RevokeFileArgs;

use crate::exit::{Failure, STATUS_TABLE, Status};

/// Keeps a group of machines in agreement on its members and their health, over QUIC with mutual
/// TLS.
#[derive(Debug, Parser)]
#[command(name = "kinfolk", version, propagate_version = true, after_help = STATUS_TABLE)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

// Most variants have no docs on purpose: clap would show those in place of the longer docs of the
// argument structs.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Demo(DemoArgs),
    Ca(CaArgs),
    Agent(Box<AgentArgs>),
    Members(MembersArgs),
    /// Shows one member with all that an agent knows of it.
    ///
    /// Its state, health, address, tags, and services, and what the agent measures of it.
    Info(NodeArgs),
    /// Explains why a member has its state.
    ///
    /// It shows the latest findings of the agent about the member, with their evidence: who accused
    /// it, why, and why a verdict waits.
    Explain(NodeArgs),
    Rtt(RttArgs),
    Services(ServicesArgs),
    Select(SelectArgs),
    Monitor(MonitorArgs),
    Stats(StatsArgs),
    Tags(TagsArgs),
    Event(EventArgs),
    Report(ReportArgs),
    Maintenance(MaintenanceArgs),
    Forget(ForgetArgs),
    Revoke(RevokeFileArgs),
    Reload(ReloadArgs),
    Leave(LeaveArgs),
}

/// Reads the command line. `None` if it asked for help or the version, which is then printed.
pub(crate) fn parse() -> Result<Option<Cli>, Failure> {
    match Cli::try_parse() {
        Ok(cli) => Ok(Some(cli)),
        Err(error) => match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
                error.print().map(|()| None).map_err(|error| Failure::output(&error))
            }
            // The command line does not parse. What to do: read `kinfolk COMMAND --help`; the
            // message names the argument, and the environment variable if the value came from one.
            _ => Err(Failure::new(status(&error), format_args!("{}{}", variable(&error), one_line(&error)))),
        },
    }
}

/// The exit status for a command line error.
///
/// A wrong log level ends with the same status wherever it is given, here or in the file: it is a
/// setting that cannot be used.
fn status(error: &clap::Error) -> Status {
    match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(argument)) if argument.starts_with("--log-level") => Status::Config,
        _ => Status::Usage,
    }
}

/// The environment variable that a wrong value comes from, as a prefix of the message. It is empty
/// if the value is from the command line. clap itself names only the flag.
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

/// The error as one line: clap's own first paragraph without usage and tips, then where to read on.
fn one_line(error: &clap::Error) -> String {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
        || error.kind() == ErrorKind::MissingSubcommand
    {
        return "a command is missing; begin with `kinfolk demo`; `kinfolk --help` shows all commands"
            .to_owned();
    }
    let text = error.to_string();
    // clap's message goes on with usage and tips after an empty line.
    let text = text.split("\n\n").next().unwrap_or_default().trim_start_matches("error: ");
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let tip =
        match error.get(ContextKind::SuggestedArg).or_else(|| error.get(ContextKind::SuggestedSubcommand)) {
            Some(suggested) => format!(" (did you mean {suggested}?)"),
            None => String::new(),
        };
    format!("{}{tip}; `--help` shows the arguments", lines.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(args: &[&str]) -> String {
        let args = std::iter::once(&"kinfolk").chain(args);
        one_line(&Cli::try_parse_from(args).unwrap_err())
    }

    #[test]
    fn command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn wrong_command_line_gives_one_line() {
        let lines = [
            message(&["demo", "--node", "5"]),
            message(&["demo", "--nodes", "2"]),
            message(&["demo", "--nodes", "many"]),
            message(&["ca", "issue", "dir"]),
            message(&["ca"]),
            message(&["dmo"]),
            message(&[]),
        ];
        assert!(lines.iter().all(|line| !line.contains('\n')), "{lines:#?}");
        assert!(lines[0].contains("'--node'") && lines[0].contains("did you mean"), "{}", lines[0]);
        assert!(lines[1].contains("3..=64"), "{}", lines[1]);
        assert!(lines[3].contains("<NODE>"), "{}", lines[3]);
    }

    /// clap takes the text of a variant before that of its struct, which would hide the latter.
    #[test]
    fn help_holds_the_docs_of_the_argument_structs() {
        for (name, part) in [
            ("demo", "Each step ends when all members know the result"),
            ("ca", "keep it away from the nodes"),
            ("forget", "refuses to forget"),
            ("leave", "waits for a seed (--join)"),
            ("members", "through its control socket"),
            ("maintenance", "no member declares this one failed"),
            ("info", "what the agent measures of it"),
            ("explain", "why a verdict waits"),
            ("rtt", "the line says which"),
            ("services", "by their health"),
            ("select", "while enough others are there"),
            ("monitor", "how many events it has missed"),
            ("stats", "the API itself"),
            ("tags", "A change lasts until the agent starts again"),
            ("event", "Members that join later do not receive it"),
            ("report", "or the service becomes critical"),
            ("reload", "change only with a restart"),
        ] {
            let help = Cli::command().find_subcommand_mut(name).unwrap().render_long_help().to_string();
            let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(words.contains(part), "{name}: {words}");
        }
    }
}
