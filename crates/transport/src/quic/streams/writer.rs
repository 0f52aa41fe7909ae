//! The writing half of an application stream.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use kinfolk_core::NodeId;
use s2n_quic::stream::SendStream;
use tokio::io::AsyncWrite;
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::super::code::StreamCode;
use super::Hold;
use crate::stream_error::StreamError;

/// How long a finished and dropped stream keeps its connection in use, so that its last bytes still
/// arrive.
const LINGER: Duration = Duration::from_secs(5);

/// The writing half of an [`AppStream`](super::AppStream). Dropping it before
/// [`finish`](Self::finish) resets the stream, and the peer's program gets an error.
#[derive(Debug)]
pub struct StreamWriter {
    /// `None` only during `drop`.
    send: Option<SendStream>,
    state: State,
    hold: Arc<Hold>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Finished,
    /// The peer's transport has acknowledged all bytes, or the stream has failed.
    Done,
}

impl StreamWriter {
    pub(super) fn new(send: SendStream, hold: Arc<Hold>) -> Self {
        Self { send: Some(send), state: State::Open, hold }
    }

    /// The peer.
    pub fn peer(&self) -> &NodeId {
        self.hold.conn.peer()
    }

    /// Sends bytes. Returns when they are in the stream's buffer.
    ///
    /// # Errors
    /// [`StreamError`].
    ///
    /// # Cancel safety
    /// If the future is dropped, either all of `data` is sent, or none of it.
    pub async fn send(&mut self, data: Bytes) -> Result<(), StreamError> {
        self.check_open()?;
        let sent = self.stream().send(data).await;
        sent.map_err(|error| self.broken(error))
    }

    /// Ends this node's direction: nothing more can be sent. [`close`](Self::close) also waits
    /// until the bytes have arrived. Calling it again does no harm.
    ///
    /// # Errors
    /// [`StreamError`].
    pub fn finish(&mut self) -> Result<(), StreamError> {
        if self.state == State::Open {
            self.stream().finish().map_err(|error| self.broken(error))?;
            self.state = State::Finished;
        }
        Ok(())
    }

    /// Finishes, and waits until the peer's transport has acknowledged all bytes. The program there
    /// may not have read them yet.
    ///
    /// # Errors
    /// [`StreamError`].
    ///
    /// # Cancel safety
    /// The stream stays finished. Call it again to wait again.
    pub async fn close(&mut self) -> Result<(), StreamError> {
        std::future::poll_fn(|cx| self.poll_close(cx)).await
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamError>> {
        self.finish()?;
        if self.state == State::Finished {
            ready!(self.stream().poll_close(cx)).map_err(|error| self.broken(error))?;
            self.state = State::Done;
        }
        Poll::Ready(Ok(()))
    }

    fn check_open(&self) -> Result<(), StreamError> {
        if self.state == State::Open {
            return Ok(());
        }
        Err(StreamError::Finished { peer: self.peer().clone() })
    }

    fn broken(&mut self, error: s2n_quic::stream::Error) -> StreamError {
        self.state = State::Done;
        self.hold.fault(error)
    }

    fn stream(&mut self) -> &mut SendStream {
        self.send.as_mut().expect("only drop takes the stream")
    }
}

impl AsyncWrite for StreamWriter {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.check_open()?;
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let room = ready!(self.stream().poll_send_ready(cx)).map_err(|error| self.broken(error))?;
        let taken = buf.len().min(room);
        let piece = Bytes::copy_from_slice(&buf[..taken]);
        self.stream().send_data(piece).map_err(|error| self.broken(error))?;
        Poll::Ready(Ok(taken))
    }

    /// Returns at once: QUIC sends written bytes without a flush.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// As [`close`](StreamWriter::close).
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_close(cx).map_err(io::Error::from)
    }
}

impl Drop for StreamWriter {
    fn drop(&mut self) {
        let Some(mut stream) = self.send.take() else { return };
        match self.state {
            State::Done => {}
            State::Open => {
                // It fails only if the stream has ended. Then the peer needs no message.
                let _ended = stream.reset(StreamCode::GivenUp.into());
            }
            State::Finished => {
                // Without a runtime no task can wait, and the connection is ending too.
                let Ok(runtime) = Handle::try_current() else { return };
                let hold = Arc::clone(&self.hold);
                runtime.spawn(async move {
                    let _arrived = timeout(LINGER, stream.close()).await;
                    drop(hold);
                });
            }
        }
    }
}
