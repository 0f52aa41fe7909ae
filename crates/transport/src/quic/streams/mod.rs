//! Streams of applications: bytes in both directions between a program here and one there, over connections of the pool.
//! What the bytes mean is not known here. Opening and accepting are in `open.rs`, `accept.rs` and `services.rs`.

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

pub(super) use accept::{Seat, wanted};
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

/// A stream of bytes in both directions, between a program here and one on a peer.
///
/// Back-pressure: a writer waits while the peer's program does not read, once what is under way fills the stream's window.
/// Dropping the stream before [`finish`](Self::finish) cuts it off, which the other end is told; so that the end of the
/// bytes is never mistaken for a break.
#[derive(Debug)]
pub struct AppStream {
    reader: StreamReader,
    writer: StreamWriter,
}

impl AppStream {
    fn new(receive: ReceiveStream, begun: Bytes, send: SendStream, hold: Hold) -> Self {
        let hold = Arc::new(hold);
        let reader = StreamReader::new(receive, begun, Arc::clone(&hold));
        Self { reader, writer: StreamWriter::new(send, hold) }
    }

    /// Who is at the other end: the name in the certificate of the stream's connection.
    pub fn peer(&self) -> &NodeId {
        self.reader.peer()
    }

    /// The next bytes, as they come; none when the other end has finished.
    ///
    /// # Errors
    /// [`StreamError`].
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn receive(&mut self) -> Result<Option<Bytes>, StreamError> {
        self.reader.receive().await
    }

    /// Sends bytes: returns when they have found room in the stream's buffer.
    ///
    /// # Errors
    /// [`StreamError`].
    ///
    /// # Cancel safety
    /// If the future is dropped, all of `data` is sent or none of it.
    pub async fn send(&mut self, data: Bytes) -> Result<(), StreamError> {
        self.writer.send(data).await
    }

    /// Says that nothing more will be sent. The other direction stays open.
    ///
    /// # Errors
    /// [`StreamError`].
    pub fn finish(&mut self) -> Result<(), StreamError> {
        self.writer.finish()
    }

    /// Finishes, and waits until the peer's transport has all that was sent.
    ///
    /// # Errors
    /// [`StreamError`].
    ///
    /// # Cancel safety
    /// It has finished; call it again to wait.
    pub async fn close(&mut self) -> Result<(), StreamError> {
        self.writer.close().await
    }

    /// Both halves, to be used by different tasks.
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

/// What a stream keeps for as long as it lives: its connection, in use and so neither idle nor evicted, and its place
/// among the streams of the peer.
struct Hold {
    conn: PeerConnection,
    /// None if the connection is not one of the pool's.
    _lease: Option<Lease<Dialer>>,
    _place: OwnedSemaphorePermit,
}

impl Hold {
    /// QUIC's error in the words of this stream's user.
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
