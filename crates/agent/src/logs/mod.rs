//! Where the agent's log goes: standard output, as text for people or as one JSON object a line for machines.

mod level;
mod writer;

use std::io::stdout;

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

pub(crate) use level::LogLevel;
pub(crate) use writer::{Flush, Lines, start as start_lines};

use crate::exit::{Failure, Status};
use crate::render::Paint;

/// The form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum LogFormat {
    /// One line of text an event
    #[default]
    Text,
    /// One JSON object a line
    Json,
}

/// Sends the log to standard output from now on, until what is returned is dropped.
pub(crate) fn start(level: &LogLevel, format: LogFormat) -> Result<Flush, Failure> {
    let filter = EnvFilter::builder().parse(level.as_str()).map_err(|error| {
        Failure::new(Status::Config, format_args!("the log level {level} cannot be used: {error}"))
    })?;
    let (lines, flush) =
        start_lines(stdout(), format).map_err(|error| Failure::new(Status::Failed, error))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(lines);
    let installed = match format {
        LogFormat::Text => builder.with_ansi(Paint::of_stdout().is_on()).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(false).try_init(),
    };
    installed.map(|()| flush).map_err(|error| Failure::new(Status::Failed, error))
}
