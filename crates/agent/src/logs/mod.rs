//! The agent's log on standard output: text for people, or one JSON object a line for programs.

mod level;
mod writer;

use std::io::stdout;

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

pub(crate) use level::LogLevel;
pub(crate) use writer::{Flush, Lines, start as start_lines};

use crate::exit::{Failure, Status};
use crate::render::Paint;

/// The format of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum LogFormat {
    /// One line of text for each event
    #[default]
    Text,
    /// One JSON object a line
    Json,
}

/// Sends the log to standard output from now on. Dropping the result waits for the last lines.
pub(crate) fn start(level: &LogLevel, format: LogFormat) -> Result<Flush, Failure> {
    // The level has a form that the filter refuses. What to do: give a level, or a list such as
    // `info,kinfolk_gossip=debug`.
    let filter = EnvFilter::builder().parse(level.as_str()).map_err(|error| {
        Failure::new(Status::Config, format_args!("cannot use the log level {level}: {error}"))
    })?;
    // The system refused a thread. What to do: raise the limit of processes for this user
    // (`ulimit -u`).
    let (lines, flush) = start_lines(stdout(), format).map_err(|error| {
        Failure::new(Status::Failed, format_args!("cannot start the thread of the log: {error}"))
    })?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(lines);
    let installed = match format {
        LogFormat::Text => builder.with_ansi(Paint::of_stdout().is_on()).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(false).try_init(),
    };
    // A logger is installed already, which is a defect of Kinfolk. What to do: report it.
    installed
        .map(|()| flush)
        .map_err(|error| Failure::new(Status::Failed, format_args!("cannot install the logger: {error}")))
}
