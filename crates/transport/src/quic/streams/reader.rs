//! The reading half of an application stream.

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

/// The reading half of an [`AppStream`](super::AppStream). Dropping it before the end asks the peer
/// to stop sending.
#[derive(Debug)]
pub struct StreamReader {
    receive: ReceiveStream,
    /// Bytes that QUIC has delivered and the program has not read yet.
    unread: Bytes,
    ended: bool,
    hold: Arc<Hold>,
}

impl StreamReader {
    pub(super) fn new(receive: ReceiveStream, unread: Bytes, hold: Arc<Hold>) -> Self {
        Self { receive, unread, ended: false, hold }
    }

    /// The peer.
    pub fn peer(&self) -> &NodeId {
        self.hold.conn.peer()
    }

    /// The next bytes, in pieces as they arrive. `None` once the peer has finished its direction.
    ///
    /// # Errors
    /// [`StreamError`].
    ///
    /// # Cancel safety
    /// Dropping the future loses no bytes.
    pub async fn receive(&mut self) -> Result<Option<Bytes>, StreamError> {
        std::future::poll_fn(|cx| self.poll_receive(cx)).await
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, StreamError>> {
        if !self.unread.is_empty() {
            return Poll::Ready(Ok(Some(std::mem::take(&mut self.unread))));
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
            // A piece may be longer than the buffer. The rest stays for the next read.
            let fits = piece.len().min(buf.remaining());
            buf.put_slice(&piece[..fits]);
            piece.advance(fits);
            self.unread = piece;
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for StreamReader {
    fn drop(&mut self) {
        if !self.ended {
            // It fails only if the stream has ended. Then the peer needs no message.
            let _ended = self.receive.stop_sending(StreamCode::GivenUp.into());
        }
    }
}
