//! The half of a stream that bytes come out of.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use kinfolk_core::NodeId;
use s2n_quic::stream::ReceiveStream;
use tokio::io::{AsyncRead, ReadBuf};

use super::super::code::StreamCode;
use super::Hold;
use crate::stream_error::StreamError;

/// The half of an [`AppStream`](super::AppStream) that bytes come out of. Dropping it before the end tells the other end
/// to send no more.
#[derive(Debug)]
pub struct StreamReader {
    receive: ReceiveStream,
    /// Bytes that have been taken from QUIC and not been read yet.
    begun: Bytes,
    ended: bool,
    hold: Arc<Hold>,
}

impl StreamReader {
    pub(super) fn new(receive: ReceiveStream, begun: Bytes, hold: Arc<Hold>) -> Self {
        Self { receive, begun, ended: false, hold }
    }

    /// Who is at the other end.
    pub fn peer(&self) -> &NodeId {
        self.hold.conn.peer()
    }

    /// The next bytes, as they come; none when the other end has finished.
    ///
    /// # Errors
    /// [`StreamError`].
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn receive(&mut self) -> Result<Option<Bytes>, StreamError> {
        std::future::poll_fn(|cx| self.poll_receive(cx)).await
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, StreamError>> {
        if !self.begun.is_empty() {
            return Poll::Ready(Ok(Some(std::mem::take(&mut self.begun))));
        }
        if self.ended {
            return Poll::Ready(Ok(None));
        }
        let outcome = ready!(self.receive.poll_receive(cx));
        let piece = outcome.map_err(|error| self.hold.fault(error))?;
        self.ended = piece.is_none();
        Poll::Ready(Ok(piece))
    }
}

impl AsyncRead for StreamReader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        if let Some(mut piece) = ready!(self.poll_receive(cx))? {
            let fits = piece.len().min(buf.remaining());
            buf.put_slice(&piece[..fits]);
            piece.advance(fits);
            self.begun = piece;
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for StreamReader {
    fn drop(&mut self) {
        if !self.ended {
            // It fails only if the stream has ended meanwhile; then there is nobody to tell.
            let _ended = self.receive.stop_sending(StreamCode::GivenUp.into());
        }
    }
}
