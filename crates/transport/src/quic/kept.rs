//! The stream that a connection keeps for small requests. They go over it one after another, each when the one before it has been
//! answered; a request that would have to wait gets a stream of its own.
//!
//! QUIC sends one more packet for each stream of a peer that ends (`RemoteInitiated::transmission_interest` in s2n-quic-transport's
//! `stream/controller/remote_initiated.rs`). A probe each few seconds is a quarter cheaper without that.

use bytes::Bytes;
use parking_lot::Mutex;
use s2n_quic::connection::Handle;
use s2n_quic::stream::{ReceiveStream, SendStream};

use super::code::StreamCode;
use super::outcome::Fault;
use crate::frame::{FrameError, FrameReader};

/// The longest frame that goes over it. A longer one takes several packets, and would hold up the next one.
const FRAME_BYTES_MAX: usize = 1_100;

/// After a longer answer the stream is not kept: QUIC would hold a buffer for as much.
const ANSWER_BYTES_MAX: usize = 4 << 10;

/// The stream, if there is one.
#[derive(Default)]
pub(super) struct Kept(Mutex<Place>);

#[derive(Default)]
enum Place {
    #[default]
    Empty,
    Lent,
    Free(Box<Halves>),
}

struct Halves {
    receive: ReceiveStream,
    send: SendStream,
}

impl Kept {
    /// Whether it is there, and nobody uses it.
    #[cfg(test)]
    pub(super) fn is_free(&self) -> bool {
        matches!(*self.0.lock(), Place::Free(_))
    }

    /// The stream for a frame of that length; none if another request has it, or if the frame is too long.
    pub(super) fn lend(&self, frame_bytes: usize) -> Option<Loan<'_>> {
        if frame_bytes > FRAME_BYTES_MAX {
            return None;
        }
        let mut place = self.0.lock();
        let halves = match std::mem::replace(&mut *place, Place::Lent) {
            Place::Lent => return None,
            Place::Empty => None,
            Place::Free(halves) => Some(halves),
        };
        Some(Loan { lender: Some(self), halves })
    }
}

/// The right to use the stream for one request. If it is dropped before the answer, the stream is given up.
pub(super) struct Loan<'a> {
    /// None once the stream is given back.
    lender: Option<&'a Kept>,
    /// None before the stream is opened.
    halves: Option<Box<Halves>>,
}

impl Loan<'_> {
    /// Sends a frame and reads the frame that answers it.
    pub(super) async fn exchange(
        mut self,
        handle: &mut Handle,
        frame: Bytes,
        reply_bytes_max: usize,
    ) -> Result<Bytes, Fault> {
        if self.halves.is_some() {
            match self.ask(frame.clone(), reply_bytes_max).await {
                // The peer ended the stream after its last answer: it has not seen this request.
                Err(Fault::Frame(FrameError::Truncated { have: 0 })) => self.halves = None,
                asked => return asked,
            }
        }
        let (receive, send) = handle.open_bidirectional_stream().await?.split();
        self.halves = Some(Halves { receive, send }.into());
        self.ask(frame, reply_bytes_max).await
    }

    /// Asks on the stream that is there.
    async fn ask(&mut self, frame: Bytes, reply_bytes_max: usize) -> Result<Bytes, Fault> {
        let Halves { receive, send } = self.halves.as_deref_mut().expect("the caller has seen to it");
        // A peer that rejects the request resets its own half; the reason stands there.
        let sent = send.send(frame).await;
        let reply = next_frame(receive, FrameReader::new(reply_bytes_max), &Bytes::new()).await?;
        sent?;
        self.answered(reply.len());
        Ok(reply)
    }

    fn answered(&mut self, reply_bytes: usize) {
        let (Some(lender), Some(mut halves)) = (self.lender.take(), self.halves.take()) else { return };
        *lender.0.lock() = if reply_bytes <= ANSWER_BYTES_MAX {
            Place::Free(halves)
        } else {
            // It fails only if the stream has ended already.
            let _ended = halves.send.finish();
            Place::Empty
        };
    }
}

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        let Some(lender) = self.lender.take() else { return };
        *lender.0.lock() = Place::Empty;
        if let Some(mut halves) = self.halves.take() {
            // Both fail only if the stream has ended already.
            let _ended = halves.send.reset(StreamCode::GivenUp.into());
            let _ended = halves.receive.stop_sending(StreamCode::GivenUp.into());
        }
    }
}

/// Reads one frame of a stream that goes on after it. `begun` is what has been read of it already.
pub(super) async fn next_frame(
    stream: &mut ReceiveStream,
    mut reader: FrameReader,
    begun: &Bytes,
) -> Result<Bytes, Fault> {
    if let Some(body) = reader.push(begun)? {
        return Ok(body);
    }
    while let Some(piece) = stream.receive().await? {
        if let Some(body) = reader.push(&piece)? {
            return Ok(body);
        }
    }
    Err(reader.ended().into())
}
