//! The four ways to share one connection. Each is a client that callers clone.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use kinfolk_transport::{Peer, Transport};
use s2n_quic::Connection;
use serde::Serialize;
use tokio::sync::Mutex;

use super::raw::{exchange, frame};

/// The deadline of a request through the transport: far longer than any request takes, so that no
/// request fails by it.
const DEADLINE: Duration = Duration::from_secs(30);

/// A way to share one connection among callers; the table in [`pool`](super) describes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Variant {
    /// The mutex is held for the whole exchange.
    MutexHold,
    /// The mutex is held while the stream is opened.
    MutexOpen,
    /// The transport and its pool. A small request uses the connection's kept stream, if it is
    /// free; any other request opens a stream.
    StreamSplit,
    /// A clone of QUIC's own handle: the best that the transport can reach.
    RawHandle,
}

impl Variant {
    /// All variants, in the order of the reports.
    pub const ALL: [Self; 4] = [Self::MutexHold, Self::MutexOpen, Self::StreamSplit, Self::RawHandle];

    /// The name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MutexHold => "mutex_hold",
            Self::MutexOpen => "mutex_open",
            Self::StreamSplit => "stream_split",
            Self::RawHandle => "raw_handle",
        }
    }
}

/// A client of one variant. A clone uses the same connection.
#[derive(Clone)]
pub(super) enum Client {
    MutexHold(Arc<Mutex<Connection>>),
    MutexOpen(Arc<Mutex<Connection>>),
    StreamSplit(Transport, Peer),
    RawHandle(Arc<Connection>),
}

impl Client {
    /// Sends `body`, and waits until the server has sent the same number of bytes back.
    pub(super) async fn request(&self, body: &Bytes) -> Result<()> {
        let answer = match self {
            Self::MutexHold(shared) => {
                // The frame is made before the lock, so that the lock covers only the exchange.
                let frame = frame(body)?;
                let mut connection = shared.lock().await;
                exchange(connection.open_bidirectional_stream().await?, frame).await
            }
            Self::MutexOpen(shared) => {
                let frame = frame(body)?;
                let stream = shared.lock().await.open_bidirectional_stream().await?;
                exchange(stream, frame).await
            }
            Self::StreamSplit(transport, peer) => {
                transport.request(peer, body.clone(), DEADLINE).await.map_err(Into::into)
            }
            Self::RawHandle(connection) => {
                let frame = frame(body)?;
                exchange(connection.handle().open_bidirectional_stream().await?, frame).await
            }
        };
        let answer = answer.context("a request failed; this run has no results")?;
        ensure!(
            answer.len() == body.len(),
            "the server answered {} bytes to a request of {}",
            answer.len(),
            body.len()
        );
        Ok(())
    }
}
