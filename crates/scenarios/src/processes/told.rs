//! What one agent told: its event log, read as it grows.

use std::fs::File;
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::Value;

/// What happened, as far as the checks ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// The agent began a life.
    Started,
    NodeJoined,
    NodeFailed,
    NodeLeft,
    EventsDropped,
    /// From now on the subject's comings and goings are not told each time.
    NodeFlapping,
    /// They are told again.
    NodeSettled,
    #[serde(other)]
    Other,
}

/// One line.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Told {
    pub(super) unix_ms: u64,
    pub(super) kind: Kind,
    /// Whom it is about; empty if it is about nobody.
    pub(super) subject: String,
    /// The subject's incarnation; 0 if the line has none.
    pub(super) incarnation: u64,
    /// The line as it stands there.
    pub(super) line: String,
}

/// An agent's event log.
#[derive(Debug)]
pub(super) struct EventLog {
    path: PathBuf,
    read: u64,
    told: Vec<Told>,
}

impl EventLog {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, read: 0, told: Vec::new() }
    }

    pub(super) fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// All that was told so far.
    pub(super) fn told(&mut self) -> Result<&[Told]> {
        self.read_on().with_context(|| format!("the event log {} cannot be read", self.path.display()))?;
        Ok(&self.told)
    }

    /// All that had been told when it was last read.
    pub(super) fn told_before(&self) -> &[Told] {
        &self.told
    }

    fn read_on(&mut self) -> Result<()> {
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        file.seek(SeekFrom::Start(self.read))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        // A line that is still being written is left for the next time.
        let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        for line in String::from_utf8_lossy(&bytes[..whole]).lines() {
            self.told.push(parse(line).with_context(|| format!("in the line {line:?}"))?);
        }
        self.read += whole as u64;
        Ok(())
    }
}

fn parse(line: &str) -> Result<Told> {
    let value: Value = serde_json::from_str(line)?;
    let node = &value["node"];
    let subject = node["id"].as_str().or_else(|| value["id"].as_str()).unwrap_or_default();
    Ok(Told {
        unix_ms: value["unix_ms"].as_u64().context("it has no time")?,
        kind: Kind::deserialize(&value["kind"]).context("it has no kind")?,
        subject: subject.to_owned(),
        incarnation: node["incarnation"].as_u64().unwrap_or_default(),
        line: line.to_owned(),
    })
}

/// The time in the unit of the logs: milliseconds since 1970.
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
    fn a_line_says_when_what_and_about_whom() {
        let told = parse(FAILED).unwrap();
        let expected = (7, Kind::NodeFailed, "b", 3);
        assert_eq!((told.unix_ms, told.kind, told.subject.as_str(), told.incarnation), expected);
        assert_eq!(parse(r#"{"unix_ms":7,"kind":"broadcast"}"#).unwrap().kind, Kind::Other);
        assert!(parse(r#"{"kind":"node_failed"}"#).is_err());
    }

    #[test]
    fn a_line_that_is_not_yet_whole_is_read_when_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut log = EventLog::new(path.clone());
        assert!(log.told().unwrap().is_empty(), "no file, no events");
        let mut file = File::create(path).unwrap();
        write!(file, "{FAILED}\n{}", &FAILED[..20]).unwrap();
        assert_eq!(log.told().unwrap().len(), 1);
        writeln!(file, "{}", &FAILED[20..]).unwrap();
        assert_eq!(log.told().unwrap().len(), 2);
    }
}
