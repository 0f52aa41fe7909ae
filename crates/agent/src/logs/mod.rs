//! The agent's log on standard output: text for people, or one JSON object a line for programs.

mod level;
mod writer;

use std::io::stdout;

use clap::ValueEnum;
use tracing::Subscriber;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry, registry, reload};

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

/// Exports spans to another program.
pub(crate) type Export = Box<dyn Layer<Registry> + Send + Sync>;

/// Changes the levels of the running log.
#[derive(Clone)]
pub(crate) struct Levels(reload::Handle<EnvFilter, Registry>);

/// Levels that the log can use.
pub(crate) struct Filter(EnvFilter);

impl Filter {
    pub(crate) fn new(level: &LogLevel) -> Result<Self, Failure> {
        // The level has a form that the filter refuses. What to do: give a level, or a list such as
        // `info,kinfolk_gossip=debug`.
        EnvFilter::builder().parse(level.as_str()).map(Self).map_err(|error| {
            Failure::new(Status::Config, format_args!("cannot use the log level {level}: {error}"))
        })
    }
}

impl Levels {
    /// The log uses these levels from now on.
    pub(crate) fn set(&self, Filter(filter): Filter) {
        // It fails only if the log has ended, and then no level matters.
        let _ended = self.0.reload(filter);
    }
}

/// Sends the log to standard output from now on, and spans to `export`. Dropping the first result
/// waits for the last lines.
pub(crate) fn start(
    level: &LogLevel,
    format: LogFormat,
    export: Option<Export>,
) -> Result<(Flush, Levels), Failure> {
    let (filter, levels) = reload::Layer::new(Filter::new(level)?.0);
    // The system refused a thread. What to do: raise the limit of processes for this user
    // (`ulimit -u`).
    let (lines, flush) = start_lines(stdout(), format).map_err(|error| {
        Failure::new(Status::Failed, format_args!("cannot start the thread of the log: {error}"))
    })?;
    // A span may be exported that the log does not show. So without an export the filter stands
    // before both, where it costs least.
    let installed = match export {
        None => registry().with(filter).with(layer(lines, format)).try_init(),
        Some(export) => registry().with(layer(lines, format).with_filter(filter).and_then(export)).try_init(),
    };
    // A logger is installed already, which is a defect of Kinfolk. What to do: report it.
    installed
        .map(|()| (flush, Levels(levels)))
        .map_err(|error| Failure::new(Status::Failed, format_args!("cannot install the logger: {error}")))
}

/// Writes each event as a line.
fn layer<S>(lines: Lines, format: LogFormat) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let layer = tracing_subscriber::fmt::layer().with_writer(lines);
    match format {
        LogFormat::Text => layer.with_ansi(Paint::of_stdout().is_on()).boxed(),
        LogFormat::Json => layer.json().flatten_event(true).with_current_span(false).boxed(),
    }
}
