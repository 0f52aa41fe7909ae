//! The kept stream: one stream of a connection that carries small requests one after another.
//!
//! A request goes over it once the previous request has its answer. A request that would have to
//! wait gets its own stream.
//!
//! The reason: s2n-quic sends one more packet for each stream of a peer that ends
//! (`RemoteInitiated::transmission_interest` in s2n-quic-transport's
//! `stream/controller/remote_initiated.rs`). Without that packet a probe every few seconds costs a
//! quarter less.

use bytes::Bytes;
use parking_lot::Mutex;
use s2n_quic::connection::Handle;
use s2n_quic::stream::{ReceiveStream, SendStream};
use tracing::Span;

use super::code::StreamCode;
use super::outcome::Fault;
use super::trace::{self, TraceKey};
use crate::frame::{FrameError, FrameReader};

/// The longest body of a request on the kept stream, in bytes. A longer request takes several
/// packets, and would delay the next request.
const BODY_BYTES_MAX: usize = 1_100;

/// The longest answer, in bytes, after which the stream is kept. QUIC would keep a buffer of the
/// size of a longer answer.
const ANSWER_BYTES_MAX: usize = 4 << 10;

/// The kept stream of a connection, if one is open.
#[derive(Default)]
pub(super) struct KeptStream(Mutex<State>);

#[derive(Default)]
enum State {
    #[default]
    Empty,
    /// One request uses the stream, or opens it.
    InUse,
    Free(Box<Halves>),
}

struct Halves {
    receive: ReceiveStream,
    send: SendStream,
    /// The number of requests that were sent on the stream.
    asked: u64,
}

impl KeptStream {
    /// Whether the stream is open and no request uses it.
    #[cfg(test)]
    pub(super) fn is_free(&self) -> bool {
        matches!(*self.0.lock(), State::Free(_))
    }

    /// Takes the stream for a body of that length. `None` if another request uses the stream, or if
    /// the body is too long.
    pub(super) fn try_take(&self, body_bytes: usize) -> Option<KeptGuard<'_>> {
        if body_bytes > BODY_BYTES_MAX {
            return None;
        }
        let mut state = self.0.lock();
        let halves = match std::mem::replace(&mut *state, State::InUse) {
            State::InUse => return None,
            State::Empty => None,
            State::Free(halves) => Some(halves),
        };
        Some(KeptGuard { owner: Some(self), halves })
    }
}

/// The right to use the kept stream for one request. Dropping it before the answer resets the
/// stream: a late answer must not reach the next request.
pub(super) struct KeptGuard<'a> {
    /// `None` once the stream is returned.
    owner: Option<&'a KeptStream>,
    /// `None` before the stream is opened.
    halves: Option<Box<Halves>>,
}

impl KeptGuard<'_> {
    /// Sends a frame and reads the frame that answers it. Records the trace id of the request in
    /// the present span.
    pub(super) async fn exchange(
        mut self,
        handle: &mut Handle,
        trace_key: Option<&TraceKey>,
        frame: Bytes,
        reply_bytes_max: usize,
    ) -> Result<Bytes, Fault> {
        if self.halves.is_some() {
            match self.ask(trace_key, frame.clone(), reply_bytes_max).await {
                // The peer ended the stream after its last answer, so it has not read this request.
                // It is safe to send the request again on a new stream.
                Err(Fault::Frame(FrameError::Truncated { have: 0 })) => self.halves = None,
                asked => return asked,
            }
        }
        let (receive, send) = handle.open_bidirectional_stream().await?.split();
        self.halves = Some(Halves { receive, send, asked: 0 }.into());
        self.ask(trace_key, frame, reply_bytes_max).await
    }

    /// Sends a frame on the open stream and reads the answer.
    async fn ask(
        &mut self,
        trace_key: Option<&TraceKey>,
        frame: Bytes,
        reply_bytes_max: usize,
    ) -> Result<Bytes, Fault> {
        let halves = self.halves.as_deref_mut().expect("the caller has opened the stream");
        let Halves { receive, send, asked } = halves;
        trace::record(&Span::current(), trace_key, send.id(), *asked);
        *asked += 1;
        // A peer that rejects the request resets its own half with the reason. So read the answer
        // first, and report a failed send only after it.
        let sent = send.send(frame).await;
        let reply = next_frame(receive, FrameReader::new(reply_bytes_max), &Bytes::new()).await?;
        sent?;
        self.answered(reply.len());
        Ok(reply)
    }

    /// Returns the stream after an answer, or ends it if the answer was long.
    fn answered(&mut self, reply_bytes: usize) {
        let (Some(owner), Some(mut halves)) = (self.owner.take(), self.halves.take()) else { return };
        *owner.0.lock() = if reply_bytes <= ANSWER_BYTES_MAX {
            State::Free(halves)
        } else {
            // It fails only if the stream has ended.
            let _ended = halves.send.finish();
            State::Empty
        };
    }
}

impl Drop for KeptGuard<'_> {
    fn drop(&mut self) {
        let Some(owner) = self.owner.take() else { return };
        *owner.0.lock() = State::Empty;
        if let Some(mut halves) = self.halves.take() {
            // Both fail only if the stream has ended.
            let _ended = halves.send.reset(StreamCode::GivenUp.into());
            let _ended = halves.receive.stop_sending(StreamCode::GivenUp.into());
        }
    }
}

/// Reads one frame from a stream that goes on after it. `prefix` holds the bytes already read.
pub(super) async fn next_frame(
    stream: &mut ReceiveStream,
    mut reader: FrameReader,
    prefix: &Bytes,
) -> Result<Bytes, Fault> {
    if let Some(body) = reader.push(prefix)? {
        return Ok(body);
    }
    while let Some(piece) = stream.receive().await? {
        if let Some(body) = reader.push(&piece)? {
            return Ok(body);
        }
    }
    Err(reader.ended().into())
}
