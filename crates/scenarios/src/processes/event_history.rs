//! The events that one agent reported: its event log, read while it grows.

use std::fs::File;
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::Value;

/// The kinds of events that the checks need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// The agent started an instance.
    Started,
    NodeJoined,
    NodeSuspected,
    NodeFailed,
    NodeLeft,
    EventsDropped,
    /// From now on the agent withholds the events of the subject.
    NodeFlapping,
    MemberDistrusted,
    /// The agent reports the events of the subject again.
    NodeSettled,
    #[serde(other)]
    Other,
}

/// One event of an agent's event log.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct LoggedEvent {
    pub(super) unix_ms: u64,
    pub(super) kind: Kind,
    /// The member that it is about. Empty for other events.
    pub(super) subject: String,
    /// The subject's incarnation; 0 if the line has none.
    pub(super) incarnation: u64,
    /// The whole line.
    pub(super) line: String,
}

/// The event log of an agent, and the part of it that has been read.
#[derive(Debug)]
pub(super) struct EventHistory {
    path: PathBuf,
    read: u64,
    events: Vec<LoggedEvent>,
}

impl EventHistory {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, read: 0, events: Vec::new() }
    }

    pub(super) fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// All events so far. Reads the lines that are new.
    pub(super) fn events(&mut self) -> Result<&[LoggedEvent]> {
        self.read_on().with_context(|| format!("cannot read the event log {}", self.path.display()))?;
        Ok(&self.events)
    }

    /// The events that have been read so far. Does not read the file.
    pub(super) fn events_read(&self) -> &[LoggedEvent] {
        &self.events
    }

    fn read_on(&mut self) -> Result<()> {
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            // The agent creates the file when it starts.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        // Read only what is new: waits read the log 50 times a second.
        file.seek(SeekFrom::Start(self.read))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        // The agent may be writing the last line. The next call reads it.
        let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        for line in String::from_utf8_lossy(&bytes[..whole]).lines() {
            self.events.push(parse(line).with_context(|| format!("in the line {line:?}"))?);
        }
        self.read += whole as u64;
        Ok(())
    }
}

fn parse(line: &str) -> Result<LoggedEvent> {
    let value: Value = serde_json::from_str(line)?;
    let node = &value["node"];
    let subject = node["id"].as_str().or_else(|| value["id"].as_str()).unwrap_or_default();
    Ok(LoggedEvent {
        unix_ms: value["unix_ms"].as_u64().context("it has no `unix_ms`")?,
        kind: Kind::deserialize(&value["kind"]).context("it has no `kind`")?,
        subject: subject.to_owned(),
        incarnation: node["incarnation"].as_u64().unwrap_or_default(),
        line: line.to_owned(),
    })
}

/// The current time in milliseconds since 1970, the unit of the logs.
pub(super) fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    const FAILED: &str =
        r#"{"unix_ms":7,"seen_by":"a","kind":"node_failed","node":{"id":"b","incarnation":3}}"#;

    #[test]
    fn line_is_parsed_into_time_kind_and_subject() {
        let event = parse(FAILED).unwrap();
        let expected = (7, Kind::NodeFailed, "b", 3);
        assert_eq!((event.unix_ms, event.kind, event.subject.as_str(), event.incarnation), expected);
        assert_eq!(parse(r#"{"unix_ms":7,"kind":"broadcast"}"#).unwrap().kind, Kind::Other);
        assert!(parse(r#"{"kind":"node_failed"}"#).is_err());
    }

    #[test]
    fn partial_line_is_read_when_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut log = EventHistory::new(path.clone());
        assert!(log.events().unwrap().is_empty(), "no file, no events");
        let mut file = File::create(path).unwrap();
        write!(file, "{FAILED}\n{}", &FAILED[..20]).unwrap();
        assert_eq!(log.events().unwrap().len(), 1);
        writeln!(file, "{}", &FAILED[20..]).unwrap();
        assert_eq!(log.events().unwrap().len(), 2);
    }
}
