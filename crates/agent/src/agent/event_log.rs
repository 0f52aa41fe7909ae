//! `--event-log`: every event of the cluster as one JSON object a line, for programs. Each line has the time, who saw it, and
//! the event as the library serialises it; the first line of an instance is of the kind `started`.

mod file;

use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use kinfolk::{NodeAddr, NodeId};
use serde::Serialize;

use crate::exit::{Failure, Status};
use crate::logs::{Flush, Lines, LogFormat, start_lines};
use file::{AppendFile, Control};

/// The file, to which a thread of its own appends: a slow disk never stalls the member, it costs lines.
pub(super) struct EventLog {
    lines: Lines,
    seen_by: NodeId,
    control: Arc<Control>,
    /// Waits for the last lines when the log is dropped.
    _flush: Flush,
}

/// Has the file opened again, and knows what was lost.
pub(super) struct Rotation {
    lines: Lines,
    control: Arc<Control>,
}

impl Rotation {
    /// Opens the file again at its path, after the lines that wait.
    pub(super) fn reopen(&self) {
        self.control.reopen();
        self.lines.push(Vec::new());
    }

    /// How many events could not be written.
    pub(super) fn lost(&self) -> u64 {
        self.control.lost()
    }
}

/// One line.
#[derive(Serialize)]
struct Record<'a, E> {
    /// When this agent learned of it, in milliseconds since 1970.
    unix_ms: u64,
    /// This agent.
    seen_by: &'a NodeId,
    #[serde(flatten)]
    event: E,
}

/// The line with which an instance begins.
#[derive(Serialize)]
#[serde(tag = "kind", rename = "started")]
struct Started {
    addr: NodeAddr,
}

impl EventLog {
    /// Opens the file, or makes it, and appends that this member has started.
    pub(super) fn open(path: &Path, seen_by: NodeId, addr: NodeAddr) -> Result<Self, Failure> {
        let refused = |error: std::io::Error| {
            let advice = "give a path in a folder that you may write to with --event-log";
            let path = path.display();
            Failure::new(
                Status::Config,
                format_args!("the event log {path} cannot be written: {error}; {advice}"),
            )
        };
        let control = Arc::new(Control::default());
        let file = AppendFile::open(path, Arc::clone(&control)).map_err(refused)?;
        let (lines, flush) = start_lines(file, LogFormat::Json).map_err(refused)?;
        let log = Self { lines, seen_by, control, _flush: flush };
        log.write(Started { addr });
        Ok(log)
    }

    /// The handle with which the file is opened again.
    pub(super) fn rotation(&self) -> Rotation {
        Rotation { lines: self.lines.clone(), control: Arc::clone(&self.control) }
    }

    /// Appends an event. It never waits.
    pub(super) fn write(&self, event: impl Serialize) {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let unix_ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        match serde_json::to_vec(&Record { unix_ms, seen_by: &self.seen_by, event }) {
            Ok(mut line) => {
                line.push(b'\n');
                self.lines.push(line);
            }
            Err(error) => tracing::warn!(%error, "cannot write an event to the event log"),
        }
    }
}
