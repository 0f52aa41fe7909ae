//! What comes in: a bounded queue of frames from authenticated peers, each with the means to answer it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kinfolk_core::NodeId;
use s2n_quic::stream::SendStream;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, timeout};

use super::code::StreamCode;
use super::dialer::Dialer;
use super::hub::{Stage, stopped};
use super::outcome::Fault;
use crate::frame::encode;
use crate::peer::Target;
use crate::pool::Lease;
use crate::request::{Phase, RequestError};
use crate::stats::Counters;

/// How long an answer may take to be handed to QUIC. It takes time only if the peer does not read.
const RESPOND_TIMEOUT: Duration = Duration::from_secs(5);

/// A frame from a peer.
#[derive(Debug)]
pub struct Inbound {
    /// Who sent it: the name in the certificate of its connection.
    pub from: NodeId,
    /// What was sent.
    pub body: Bytes,
    /// When it was complete.
    pub arrived: Instant,
    /// To answer with, if the peer waits for an answer.
    pub responder: Option<Responder>,
}

/// The frames that come in, in a queue of `inbox_max`. While it is full, further ones are refused as busy and counted.
#[derive(Debug)]
pub struct Incoming {
    queue: mpsc::Receiver<Inbound>,
    stage: watch::Receiver<Stage>,
}

impl Incoming {
    pub(super) fn new(queue: mpsc::Receiver<Inbound>, stage: watch::Receiver<Stage>) -> Self {
        Self { queue, stage }
    }

    /// The next frame. None once the transport has stopped.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn recv(&mut self) -> Option<Inbound> {
        tokio::select! {
            biased;
            inbound = self.queue.recv() => inbound,
            () = stopped(&mut self.stage) => None,
        }
    }
}

/// A kept stream after an answer, and what keeps its connection in use.
pub(super) type Answered = (SendStream, Option<Lease<Dialer>>);

/// The means to answer one request. Dropping it unused tells the requester that there is no answer.
pub struct Responder {
    stream: Option<SendStream>,
    to: Target,
    frame_bytes_max: usize,
    counters: Arc<Counters>,
    /// Keeps the connection from being idle while the answer is outstanding.
    lease: Option<Lease<Dialer>>,
    /// Where the stream goes when it is kept for further requests.
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
        Self { stream: Some(stream), to, frame_bytes_max, counters, lease, back: None }
    }

    /// The same for a stream that comes back once the answer is sent.
    pub(super) fn returning(mut self) -> (Self, oneshot::Receiver<Answered>) {
        let (back, answered) = oneshot::channel();
        self.back = Some(back);
        (self, answered)
    }

    /// Sends the answer. Returns when QUIC has taken it; whether it arrives, the requester knows.
    ///
    /// # Errors
    /// [`RequestError::TooLarge`] if `body` is over the limit; then, and on [`RequestError::Timeout`] (the peer has not
    /// read for 5 s), the requester is told that there is no answer. [`RequestError::Closed`] if the connection or the
    /// requester has gone.
    ///
    /// # Cancel safety
    /// If the future is dropped, the requester gets all of the answer or is told that there is none.
    pub async fn respond(mut self, body: Bytes) -> Result<(), RequestError> {
        let frame = encode(None, &body, self.frame_bytes_max)
            .map_err(|cause| RequestError::TooLarge { peer: self.to.clone(), cause })?;
        // The stream stays in its place until it is finished, so that a cancelled answer is reset and not cut short.
        let Some(stream) = self.stream.as_mut() else { return Ok(()) };
        let Ok(sent) = timeout(RESPOND_TIMEOUT, stream.send(frame)).await else {
            let (peer, deadline, phase) = (self.to.clone(), RESPOND_TIMEOUT, Phase::Answer);
            return Err(RequestError::Timeout { peer, deadline, phase });
        };
        let ended = if self.back.is_some() { sent } else { sent.and_then(|()| stream.finish()) };
        ended.map_err(|fault| Fault::from(fault).about(self.to.clone()))?;
        self.counters.frame_sent(body.len());
        match self.back.take() {
            Some(back) => self.give_back(back),
            None => self.let_it_arrive(),
        }
        Ok(())
    }

    /// The stream goes on with further requests.
    fn give_back(&mut self, back: oneshot::Sender<Answered>) {
        if let Some(stream) = self.stream.take() {
            // Whoever reads the stream ends with its connection only.
            let _ended = back.send((stream, self.lease.take()));
        }
    }

    /// Keeps the connection in use until the peer has acknowledged the answer: closing it sooner would cut it off.
    fn let_it_arrive(&mut self) {
        let (stream, lease) = (self.stream.take(), self.lease.take());
        tokio::spawn(async move {
            if let Some(mut stream) = stream {
                // If it does not arrive, the requester's own deadline ends the wait.
                let _arrived = timeout(RESPOND_TIMEOUT, stream.close()).await;
            }
            drop(lease);
        });
    }

    /// Tells the requester that the queue is full.
    pub(super) fn refuse_busy(mut self) {
        if let Some(mut stream) = self.stream.take() {
            // As in `drop`.
            let _ended = stream.reset(StreamCode::Busy.into());
        }
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        if let Some(mut stream) = self.stream.take() {
            // It fails only if the connection has ended, and then the requester knows already.
            let _ended = stream.reset(StreamCode::NoReply.into());
        }
    }
}

impl fmt::Debug for Responder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Responder").field("to", &self.to).finish_non_exhaustive()
    }
}
