//! One open connection to one peer. Any number of callers use it at the same time.
//!
//! No lock is held while a caller sends or waits: each caller clones QUIC's handle, and each stream
//! is an object of its own.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use kinfolk_core::NodeId;
use kinfolk_core::signed::Fingerprint;
use s2n_quic::connection::Handle;
use s2n_quic::stream::{BidirectionalStream, ReceiveStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use tokio::time::Instant;
use tracing::Span;

use super::code::CloseCode;
use super::context::{Facts, Status};
use super::kept::KeptStream;
use super::outcome::{Fault, ending};
use super::trace;
use crate::config::TransportConfig;
use crate::frame::{Beginning, FrameError, FrameReader, StreamKind, encode};
use crate::identity::Certificate;
use crate::pool::{CloseReason, ConnId, Connection, Lane};
use crate::request::Ending;
use crate::traffic::{Traffic, Use};

/// A peer may keep this many streams that it does not use. It needs one. Two, because this node may
/// not have seen the end of the previous one yet.
const KEPT_BY_PEER_MAX: usize = 2;

/// A request or a message to send.
pub(super) struct Request<'a> {
    pub(super) body: &'a Bytes,
    pub(super) traffic: Traffic,
    /// Whether the peer answers at once.
    pub(super) prompt: bool,
    /// The longest body that this node sends, or accepts as the answer, in bytes.
    pub(super) frame_bytes_max: usize,
}

impl Request<'_> {
    fn frame(&self, kind: StreamKind) -> Result<Bytes, FrameError> {
        encode(Some(Beginning { kind, traffic: self.traffic }), self.body, self.frame_bytes_max)
    }
}

/// An open, authenticated connection to a peer. Cloning is cheap and gives the same connection.
#[derive(Clone)]
pub struct PeerConnection(Arc<Inner>);

struct Inner {
    id: ConnId,
    certificate: Arc<Certificate>,
    lane: Lane,
    handle: Handle,
    facts: Arc<Facts>,
    /// One permit for each request or message in flight. The number is below the peer's stream
    /// limit: at that limit s2n-quic wakes callers that have stopped waiting, instead of those that
    /// still wait.
    streams: Semaphore,
    /// Callers that wait for a permit of `streams`.
    queued: AtomicUsize,
    queue_max: usize,
    /// One permit for each application stream that this node opened.
    app_streams: Arc<Semaphore>,
    /// One permit for each application stream that the peer opened.
    inbound_app_streams: Arc<Semaphore>,
    app_streams_max: usize,
    kept: KeptStream,
    /// Streams that the peer keeps for its requests and does not use now.
    kept_by_peer: AtomicUsize,
}

impl PeerConnection {
    pub(super) fn new(
        id: ConnId,
        certificate: Arc<Certificate>,
        lane: Lane,
        handle: Handle,
        facts: Arc<Facts>,
        config: &TransportConfig,
    ) -> Self {
        Self(Arc::new(Inner {
            id,
            certificate,
            lane,
            handle,
            facts,
            streams: Semaphore::new(config.streams_max),
            queued: AtomicUsize::new(0),
            queue_max: config.queue_max,
            app_streams: Arc::new(Semaphore::new(config.app_streams_max)),
            inbound_app_streams: Arc::new(Semaphore::new(config.app_streams_max)),
            app_streams_max: config.app_streams_max,
            kept: KeptStream::default(),
            kept_by_peer: AtomicUsize::new(0),
        }))
    }

    /// The number that the pool gave the connection.
    pub fn id(&self) -> ConnId {
        self.0.id
    }

    /// The node that the peer's certificate names.
    pub fn peer(&self) -> &NodeId {
        self.0.certificate.node()
    }

    /// The certificate of the peer.
    pub fn certificate(&self) -> &Arc<Certificate> {
        &self.0.certificate
    }

    /// The lane: what the connection is for.
    pub fn lane(&self) -> Lane {
        self.0.lane
    }

    /// The address that the peer's packets come from. It does not identify the peer.
    pub fn source(&self) -> Option<SocketAddr> {
        self.0.facts.source()
    }

    /// How the connection ended. `None` while it is open.
    pub(super) fn ending(&self) -> Option<Ending> {
        match self.0.facts.status() {
            Status::Closed(error) => Some(ending(error)),
            Status::Handshaking | Status::Confirmed => None,
        }
    }

    /// The server name that the dialler sent, for log lines.
    pub(super) fn server_name(&self) -> String {
        let name = self.0.handle.server_name().ok().flatten();
        name.map_or_else(|| "no name".to_owned(), |name| name.to_string())
    }

    /// A permit to send one request or message. Waits in order of arrival while `streams_max` are
    /// in flight.
    pub(super) async fn turn(&self) -> Result<SemaphorePermit<'_>, Fault> {
        if let Ok(permit) = self.0.streams.try_acquire() {
            return Ok(permit);
        }
        let max = self.0.queue_max;
        let place = Place::take(&self.0.queued, max).map_err(|waiting| Fault::QueueFull { waiting, max })?;
        let permit = self.0.streams.acquire().await.expect("the semaphore is never closed");
        drop(place);
        Ok(permit)
    }

    /// Sends a request and reads the answer. The permit proves that it is this caller's turn.
    pub(super) async fn exchange(
        &self,
        request: &Request<'_>,
        _turn: &SemaphorePermit<'_>,
    ) -> Result<Bytes, Fault> {
        let asked = Instant::now();
        let answer = self.ask(request).await?;
        if request.prompt {
            self.0.facts.answered_after(asked.elapsed());
        }
        Ok(answer)
    }

    async fn ask(&self, request: &Request<'_>) -> Result<Bytes, Fault> {
        self.0.facts.used_for(request.traffic.into());
        let mut handle = self.0.handle.clone();
        let reply_bytes_max = request.frame_bytes_max;
        if let Some(guard) = self.0.kept.try_take(request.body.len()) {
            let (frame, key) = (request.frame(StreamKind::Kept)?, self.0.facts.trace_key());
            let reply = guard.exchange(&mut handle, key, frame, reply_bytes_max).await?;
            self.received_for(request.traffic);
            return Ok(reply);
        }
        let frame = request.frame(StreamKind::Request)?;
        let (mut receive, mut send) = handle.open_bidirectional_stream().await?.split();
        self.record_trace(&Span::current(), send.id(), 0);
        let sent = match send.send(frame).await {
            Ok(()) => send.finish(),
            Err(error) => Err(error),
        };
        // A peer that rejects the request resets its own half with the reason. So read the answer
        // first, and report a failed send only after it.
        let reply = read_frame(&mut receive, FrameReader::new(reply_bytes_max), &Bytes::new()).await?;
        sent?;
        self.received_for(request.traffic);
        Ok(reply)
    }

    /// Sends a message. Returns when the peer's transport has acknowledged all of it.
    pub(super) async fn send(&self, message: &Request<'_>, _turn: &SemaphorePermit<'_>) -> Result<(), Fault> {
        self.0.facts.used_for(message.traffic.into());
        let frame = message.frame(StreamKind::OneWay)?;
        let mut handle = self.0.handle.clone();
        let mut send = handle.open_send_stream().await?;
        send.send(frame).await?;
        send.close().await?;
        Ok(())
    }

    /// A permit for another application stream from this node.
    pub(super) fn stream_place(&self) -> Result<OwnedSemaphorePermit, Fault> {
        let place = Arc::clone(&self.0.app_streams).try_acquire_owned();
        place.map_err(|_| Fault::TooManyStreams { max: self.0.app_streams_max })
    }

    /// A permit for another application stream from the peer. `None` at `app_streams_max`.
    pub(super) fn inbound_stream_place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0.inbound_app_streams).try_acquire_owned().ok()
    }

    /// A request of the peer, or an answer of it, is complete. Counts what arrived for its traffic,
    /// and what this node sends next too: its answer to a request.
    pub(super) fn received_for(&self, traffic: Traffic) {
        self.0.facts.received_for(traffic.into());
    }

    /// The peer has opened an application stream. Counts all bytes in both directions for it.
    pub(super) fn accepts_application(&self) {
        self.0.facts.received_for(Use::Application);
    }

    /// Records the id that both ends give to request `number` of a stream.
    pub(super) fn record_trace(&self, span: &Span, stream: u64, number: u64) {
        trace::record(span, self.0.facts.trace_key(), stream, number);
    }

    /// A place for another stream that the peer keeps and does not use now. `None` at the limit.
    pub(super) fn kept_place(&self) -> Option<Place<'_>> {
        Place::take(&self.0.kept_by_peer, KEPT_BY_PEER_MAX).ok()
    }

    /// Opens an application stream. The caller holds its permit.
    pub(super) async fn open_bidirectional(&self) -> Result<BidirectionalStream, Fault> {
        self.0.facts.used_for(Use::Application);
        Ok(self.0.handle.clone().open_bidirectional_stream().await?)
    }

    /// The number of streams that the peer keeps and does not use.
    #[cfg(test)]
    pub(super) fn kept_by_peer(&self) -> usize {
        self.0.kept_by_peer.load(Relaxed)
    }

    /// Whether this node has a kept stream that no request uses.
    #[cfg(test)]
    pub(super) fn keeps_a_stream(&self) -> bool {
        self.0.kept.is_free()
    }

    /// Whether no caller has a stream of this connection, or waits for one.
    #[cfg(any(test, feature = "simulation"))]
    pub(super) fn is_idle(&self, config: &TransportConfig) -> bool {
        self.0.streams.available_permits() == config.streams_max
            && self.0.queued.load(Relaxed) == 0
            && self.0.app_streams.available_permits() == config.app_streams_max
            && self.0.inbound_app_streams.available_permits() == config.app_streams_max
    }

    /// The shortest time from a request to its answer since the last call; `None` without one.
    pub(super) fn take_round_trip(&self) -> Option<Duration> {
        self.0.facts.take_shortest()
    }

    /// Closes the connection with this code, without waiting.
    pub(super) fn close_with(&self, code: CloseCode) {
        self.0.handle.close(code.into());
    }
}

/// Reads one frame and the end of the stream after it. `prefix` holds the bytes already read.
pub(super) async fn read_frame(
    stream: &mut ReceiveStream,
    mut reader: FrameReader,
    prefix: &Bytes,
) -> Result<Bytes, Fault> {
    let mut body = reader.push(prefix)?;
    while let Some(piece) = stream.receive().await? {
        if body.is_some() {
            return Err(FrameError::Trailing { extra: piece.len() }.into());
        }
        body = reader.push(&piece)?;
    }
    body.ok_or_else(|| reader.ended().into())
}

impl Connection for PeerConnection {
    fn is_open(&self) -> bool {
        !self.0.facts.is_closed()
    }

    fn rtt(&self) -> Option<Duration> {
        self.0.facts.rtt()
    }

    fn fingerprint(&self) -> Option<Fingerprint> {
        Some(self.0.certificate.fingerprint())
    }

    fn unacknowledged_for(&self, asked: Instant) -> Duration {
        self.0.facts.unacknowledged_for(asked)
    }

    fn check(&self) -> bool {
        // A PING frame. Its acknowledgement proves that the peer's process runs. Without one, QUIC
        // ends the connection at the idle time-out. A restarted peer sends a stateless reset.
        self.is_open() && self.0.handle.clone().ping().is_ok()
    }

    fn close(&self, reason: CloseReason) {
        self.close_with(reason.into());
    }
}

impl fmt::Debug for PeerConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerConnection")
            .field("id", &self.0.id)
            .field("peer", self.peer())
            .finish_non_exhaustive()
    }
}

/// One of a limited number of places. Dropping it frees the place.
pub(super) struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    /// Takes a place. Fails with the number of taken places if all of them are taken.
    fn take(count: &'a AtomicUsize, max: usize) -> Result<Self, usize> {
        // Relaxed: the counter guards no other data, so the order among other accesses does not
        // matter.
        let taken = count.fetch_update(Relaxed, Relaxed, |taken| (taken < max).then_some(taken + 1));
        taken.map(|_| Self(count))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}
