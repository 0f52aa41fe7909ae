//! The inbox: a bounded queue of frames from authenticated peers, each with a responder.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kinfolk_core::NodeId;
use s2n_quic::stream::SendStream;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, timeout};
use tracing::Span;

use super::code::StreamCode;
use super::dialer::Dialer;
use super::hub::{Stage, stopped};
use super::outcome::Fault;
use crate::frame::encode;
use crate::identity::Certificate;
use crate::peer::Target;
use crate::pool::Lease;
use crate::request::{Phase, RequestError};
use crate::stats::Counters;

/// The time limit for an answer: until QUIC accepts it, and then until the peer acknowledges it.
/// QUIC delays an answer only if the peer does not read.
const RESPOND_TIMEOUT: Duration = Duration::from_secs(5);

/// A frame from a peer.
#[derive(Debug)]
pub struct Inbound {
    /// The sender: the name in the certificate of its connection.
    pub from: NodeId,
    /// The certificate of its connection.
    pub certificate: Arc<Certificate>,
    /// The body of the frame.
    pub body: Bytes,
    /// When the frame was complete.
    pub arrived: Instant,
    /// Answers the request. `None` for a message, which has no answer.
    pub responder: Option<Responder>,
}

/// The queue of received frames. It holds at most `inbox_max`. While it is full, the transport
/// rejects further requests as busy, drops further messages, and counts both.
#[derive(Debug)]
pub struct Incoming {
    queue: mpsc::Receiver<Inbound>,
    stage: watch::Receiver<Stage>,
}

impl Incoming {
    pub(super) fn new(queue: mpsc::Receiver<Inbound>, stage: watch::Receiver<Stage>) -> Self {
        Self { queue, stage }
    }

    /// The next frame. `None` once the transport has stopped.
    ///
    /// # Cancel safety
    /// Dropping the future loses no frame.
    pub async fn recv(&mut self) -> Option<Inbound> {
        tokio::select! {
            // The queue first: the frames that are left are delivered before the end.
            biased;
            inbound = self.queue.recv() => inbound,
            () = stopped(&mut self.stage) => None,
        }
    }
}

/// A kept stream after an answer, with the lease that keeps its connection in use.
pub(super) type Answered = (SendStream, Option<Lease<Dialer>>);

/// Answers one request. Dropping it without an answer tells the requester that there is none.
pub struct Responder {
    stream: Option<SendStream>,
    to: Target,
    frame_bytes_max: usize,
    counters: Arc<Counters>,
    /// Keeps the pool from closing the connection as idle before the answer is sent.
    lease: Option<Lease<Dialer>>,
    /// The span of the request on this side. It ends with the responder.
    span: Span,
    /// Takes a kept stream back after the answer, for further requests.
    back: Option<oneshot::Sender<Answered>>,
}

impl Responder {
    pub(super) fn new(
        stream: SendStream,
        to: Target,
        frame_bytes_max: usize,
        counters: Arc<Counters>,
        lease: Option<Lease<Dialer>>,
    ) -> Self {
        Self { stream: Some(stream), to, frame_bytes_max, counters, lease, span: Span::none(), back: None }
    }

    /// Turns this responder into one that returns the stream after the answer.
    pub(super) fn returning(mut self) -> (Self, oneshot::Receiver<Answered>) {
        let (back, answered) = oneshot::channel();
        self.back = Some(back);
        (self, answered)
    }

    /// Sets the span of the request on this side.
    pub(super) fn set_span(&mut self, span: Span) {
        self.span = span;
    }

    /// Sends the answer. Returns when QUIC has accepted it. Only the requester learns whether the
    /// answer arrives.
    ///
    /// # Errors
    /// - [`RequestError::TooLarge`]: `body` is longer than `frame_bytes_max`. The requester learns
    ///   that there is no answer.
    /// - [`RequestError::Timeout`]: the peer did not read for 5 s. The requester learns that there
    ///   is no answer.
    /// - [`RequestError::Closed`]: the connection has ended, or the requester reset the stream.
    ///
    /// # Cancel safety
    /// If the future is dropped, the requester gets the whole answer, or learns that there is none.
    pub async fn respond(mut self, body: Bytes) -> Result<(), RequestError> {
        let frame = encode(None, &body, self.frame_bytes_max)
            .map_err(|cause| RequestError::TooLarge { peer: self.to.clone(), cause })?;
        // The stream stays in `self` until it is finished: if the future is dropped, `drop` resets
        // the stream, and the requester never reads a part of an answer.
        let Some(stream) = self.stream.as_mut() else { return Ok(()) };
        let Ok(sent) = timeout(RESPOND_TIMEOUT, stream.send(frame)).await else {
            let (peer, deadline, phase) = (self.to.clone(), RESPOND_TIMEOUT, Phase::Answer);
            return Err(RequestError::Timeout { peer, deadline, phase });
        };
        let ended = if self.back.is_some() { sent } else { sent.and_then(|()| stream.finish()) };
        ended.map_err(|fault| Fault::from(fault).with_peer(self.to.clone()))?;
        self.counters.frame_sent(body.len());
        match self.back.take() {
            Some(back) => self.return_stream(back),
            None => self.await_acknowledgement(),
        }
        Ok(())
    }

    /// Returns a kept stream to the task that reads its next request.
    fn return_stream(&mut self, back: oneshot::Sender<Answered>) {
        if let Some(stream) = self.stream.take() {
            // It fails only if the reading task has ended. That task ends with its connection.
            let _ended = back.send((stream, self.lease.take()));
        }
    }

    /// Keeps the connection in use until the peer has acknowledged the answer. An earlier close of
    /// the connection would cut the answer off.
    fn await_acknowledgement(&mut self) {
        let (stream, lease) = (self.stream.take(), self.lease.take());
        tokio::spawn(async move {
            if let Some(mut stream) = stream {
                // If the answer does not arrive, the requester's own deadline ends its wait.
                let _arrived = timeout(RESPOND_TIMEOUT, stream.close()).await;
            }
            drop(lease);
        });
    }

    /// Tells the requester that the queue is full.
    pub(super) fn refuse_busy(mut self) {
        if let Some(mut stream) = self.stream.take() {
            // It fails only if the connection has ended, and then the requester knows.
            let _ended = stream.reset(StreamCode::Busy.into());
        }
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        if let Some(mut stream) = self.stream.take() {
            // It fails only if the connection has ended, and then the requester knows.
            let _ended = stream.reset(StreamCode::NoReply.into());
        }
    }
}

impl fmt::Debug for Responder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Responder").field("to", &self.to).finish_non_exhaustive()
    }
}
