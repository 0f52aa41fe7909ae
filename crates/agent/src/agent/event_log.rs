//! `--event-log`: every event of the cluster as one JSON object a line, for programs.
//!
//! Each line has the time, the name of this agent, and the event as the library serialises it. The
//! first line of an instance has the kind `started`.

mod file;

use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use kinfolk::{NodeAddr, NodeId};
use serde::Serialize;

use crate::exit::{Failure, Status};
use crate::logs::{Flush, Lines, LogFormat, start_lines};
use file::{AppendFile, Control};

/// The event log. A thread of its own appends to the file, so a slow disk never stalls the member:
/// it costs lines instead.
pub(super) struct EventLog {
    lines: Lines,
    seen_by: NodeId,
    control: Arc<Control>,
    /// Dropping it waits for the last lines, for at most 1 s.
    _flush: Flush,
}

/// Opens the file again after it was moved away, and counts the lines that were lost.
pub(super) struct Rotation {
    lines: Lines,
    control: Arc<Control>,
}

impl Rotation {
    /// Opens the file again at its path, after the lines that wait in the queue.
    pub(super) fn reopen(&self) {
        self.control.reopen();
        // The thread sleeps until an item comes. An empty line wakes it without writing anything.
        self.lines.push(Vec::new());
    }

    /// The number of events that could not be written.
    pub(super) fn lost(&self) -> u64 {
        self.control.lost()
    }
}

/// One line of the file.
#[derive(Serialize)]
struct Record<'a, E> {
    /// The time at which this agent learned of the event, in milliseconds since 1970.
    unix_ms: u64,
    /// The name of this agent. Logs of several agents can be merged by it.
    seen_by: &'a NodeId,
    #[serde(flatten)]
    event: E,
}

/// The first line of an instance.
#[derive(Serialize)]
#[serde(tag = "kind", rename = "started")]
struct Started {
    addr: NodeAddr,
}

impl EventLog {
    /// Opens or creates the file, and appends the line that says that this member has started.
    pub(super) fn open(path: &Path, seen_by: NodeId, addr: NodeAddr) -> Result<Self, Failure> {
        // The file cannot be opened, or its thread cannot be started. What to do: give --event-log
        // a path in an existing folder that the agent may write to.
        let refused = |error: std::io::Error| {
            let advice = "give --event-log a path in a folder that you may write to";
            let path = path.display();
            Failure::new(Status::Config, format_args!("cannot write the event log {path}: {error}; {advice}"))
        };
        let control = Arc::new(Control::default());
        let file = AppendFile::open(path, Arc::clone(&control)).map_err(refused)?;
        let (lines, flush) = start_lines(file, LogFormat::Json).map_err(refused)?;
        let log = Self { lines, seen_by, control, _flush: flush };
        log.write(Started { addr });
        Ok(log)
    }

    /// A handle that opens the file again.
    pub(super) fn rotation(&self) -> Rotation {
        Rotation { lines: self.lines.clone(), control: Arc::clone(&self.control) }
    }

    /// Appends an event. It never waits: a full queue loses the line and counts it.
    pub(super) fn write(&self, event: impl Serialize) {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let unix_ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        match serde_json::to_vec(&Record { unix_ms, seen_by: &self.seen_by, event }) {
            // One write takes a whole line: the thread appends or loses lines, never parts of them.
            Ok(mut line) => {
                line.push(b'\n');
                self.lines.push(line);
            }
            // The event does not serialise to JSON, which is a defect of Kinfolk. The line is
            // missing from the file. What to do: report it with the text of the error.
            Err(error) => {
                tracing::warn!(%error, "cannot serialise an event; the event log lacks this event");
            }
        }
    }
}
