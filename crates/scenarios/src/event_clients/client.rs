//! One client of the event stream.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;

/// A client that is connected and has read nothing yet.
pub(super) struct Client {
    stream: UnixStream,
}

/// What a client was told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// Events of this run that it has read.
    pub(super) events: usize,
    /// Events that the agent counted as lost for it.
    pub(super) lost: usize,
    /// Snapshots.
    pub(super) snapshots: usize,
}

impl Told {
    pub(super) fn add(&mut self, other: Self) {
        self.events += other.events;
        self.lost += other.lost;
        self.snapshots += other.snapshots;
    }

    /// Whether each of these events was read or counted. A lost event may also be of another kind.
    pub(super) fn accounts_for(&self, events: usize) -> bool {
        self.events + self.lost >= events
    }
}

impl Client {
    /// Connects, and asks for the events.
    pub(super) async fn connect(socket: &Path) -> Result<Self> {
        let mut stream = UnixStream::connect(socket).await.context("a client cannot connect")?;
        stream.write_all(b"GET /v1/events HTTP/1.0\r\n\r\n").await?;
        Ok(Self { stream })
    }

    /// Reads until the event `last`, or until a snapshot that comes after it.
    pub(super) async fn read_to_last(self) -> Result<Told> {
        let mut lines = BufReader::new(self.stream).lines();
        let (mut told, mut name) = (Told::default(), String::new());
        while let Some(line) = lines.next_line().await? {
            match line.split_once(": ") {
                Some(("event", value)) => value.clone_into(&mut name),
                Some(("data", value)) => {
                    let data: Value =
                        serde_json::from_str(value).with_context(|| format!("it got {value:?}"))?;
                    match name.as_str() {
                        "snapshot" => {
                            told.snapshots += 1;
                            // The events before it are over when it comes after a loss.
                            if told.lost > 0 {
                                return Ok(told);
                            }
                        }
                        "lost" => {
                            let count = data["count"].as_u64().context("the count is missing")?;
                            told.lost += usize::try_from(count)?;
                        }
                        "user_event" => {
                            told.events += 1;
                            if data["name"] == "last" {
                                return Ok(told);
                            }
                        }
                        _ => {}
                    }
                }
                _ => {}
            }
        }
        bail!("the stream of a client ended after {told:?}")
    }
}
