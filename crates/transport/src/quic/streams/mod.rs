//! Application streams: bytes in both directions between a program on this node and one on a peer,
//! over connections of the pool.
//!
//! The transport does not interpret the bytes. `open.rs`, `accept.rs` and `services.rs` open and
//! accept the streams.

mod accept;
mod open;
mod reader;
mod services;
mod writer;

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use kinfolk_core::NodeId;
use s2n_quic::stream::{self, ReceiveStream, SendStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;

pub(super) use accept::{StreamPermits, read_service};
pub(super) use open::open;
pub use reader::StreamReader;
pub use services::Listener;
pub(super) use services::Services;
pub use writer::StreamWriter;

use super::dialer::Dialer;
use super::outcome::ending;
use super::peer::PeerConnection;
use crate::pool::Lease;
use crate::stream_error::StreamError;

/// A stream of bytes in both directions, between a program on this node and one on a peer.
///
/// Back-pressure: a writer waits if the peer's program does not read and the stream's window is
/// full.
///
/// Dropping the stream before [`finish`](Self::finish) resets it, and the peer's program gets an
/// error. So that program never takes an interrupted stream for a complete one.
#[derive(Debug)]
pub struct AppStream {
    reader: StreamReader,
    writer: StreamWriter,
}

impl AppStream {
    fn new(receive: ReceiveStream, prefix: Bytes, send: SendStream, hold: Hold) -> Self {
        let hold = Arc::new(hold);
        let reader = StreamReader::new(receive, prefix, Arc::clone(&hold));
        Self { reader, writer: StreamWriter::new(send, hold) }
    }

    /// The peer: the name in the certificate of the stream's connection.
    pub fn peer(&self) -> &NodeId {
        self.reader.peer()
    }

    /// The next bytes, in pieces as they arrive. `None` once the peer has finished its direction.
    ///
    /// # Errors
    /// [`StreamError`].
    ///
    /// # Cancel safety
    /// Dropping the future loses no bytes.
    pub async fn receive(&mut self) -> Result<Option<Bytes>, StreamError> {
        self.reader.receive().await
    }

    /// Sends bytes. Returns when they are in the stream's buffer.
    ///
    /// # Errors
    /// [`StreamError`].
    ///
    /// # Cancel safety
    /// If the future is dropped, either all of `data` is sent, or none of it.
    pub async fn send(&mut self, data: Bytes) -> Result<(), StreamError> {
        self.writer.send(data).await
    }

    /// Ends this node's direction: nothing more can be sent. The other direction stays open.
    ///
    /// # Errors
    /// [`StreamError`].
    pub fn finish(&mut self) -> Result<(), StreamError> {
        self.writer.finish()
    }

    /// Finishes, and waits until the peer's transport has acknowledged all bytes.
    ///
    /// # Errors
    /// [`StreamError`].
    ///
    /// # Cancel safety
    /// The stream stays finished. Call it again to wait again.
    pub async fn close(&mut self) -> Result<(), StreamError> {
        self.writer.close().await
    }

    /// Splits the stream into its two halves, for use by different tasks.
    pub fn split(self) -> (StreamReader, StreamWriter) {
        (self.reader, self.writer)
    }
}

impl AsyncRead for AppStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.reader).poll_read(cx, buf)
    }
}

impl AsyncWrite for AppStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.writer).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writer).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writer).poll_shutdown(cx)
    }
}

/// What a stream holds until both halves are dropped: its connection, and its permit among the
/// peer's streams. The lease keeps the pool from closing or evicting the connection.
struct Hold {
    conn: PeerConnection,
    /// `None` if the connection is outside the pool.
    _lease: Option<Lease<Dialer>>,
    _place: OwnedSemaphorePermit,
}

impl Hold {
    /// Converts QUIC's error for the user of this stream.
    fn fault(&self, error: stream::Error) -> StreamError {
        let peer = self.conn.peer().clone();
        match error {
            stream::Error::ConnectionError { error, .. } => {
                StreamError::Closed { peer, cause: ending(error) }
            }
            stream::Error::SendAfterFinish { .. } => StreamError::Finished { peer },
            _ => StreamError::GivenUp { peer },
        }
    }
}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hold").field("conn", &self.conn).finish_non_exhaustive()
    }
}
