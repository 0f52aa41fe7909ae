//! One open connection to one member: any number of callers use it at the same time, each on a stream of its own. No lock
//! is held while anything is sent or awaited: QUIC's handle is cloned, and a stream is an object by itself.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use kinfolk_core::NodeId;
use s2n_quic::connection::Handle;
use s2n_quic::stream::{BidirectionalStream, ReceiveStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use tokio::time::Instant;

use super::code::CloseCode;
use super::context::{Facts, Status};
use super::kept::Kept;
use super::outcome::{Fault, ending};
use crate::config::TransportConfig;
use crate::frame::{Beginning, FrameError, FrameReader, StreamKind, encode};
use crate::pool::{CloseReason, ConnId, Connection, Lane};
use crate::request::Ending;
use crate::traffic::{Traffic, Use};

/// How many streams a peer may keep that it does not use. It needs one; another may not be known to have ended yet.
const KEPT_BY_PEER_MAX: usize = 2;

/// A request or a message as it is to be sent.
pub(super) struct Request<'a> {
    pub(super) body: &'a Bytes,
    pub(super) traffic: Traffic,
    /// The longest body that may be sent, or come back.
    pub(super) frame_bytes_max: usize,
}

impl Request<'_> {
    fn frame(&self, kind: StreamKind) -> Result<Bytes, FrameError> {
        encode(Some(Beginning { kind, traffic: self.traffic }), self.body, self.frame_bytes_max)
    }
}

/// An open, authenticated connection. Cloning is cheap and gives the same connection.
#[derive(Clone)]
pub struct PeerConnection(Arc<Inner>);

struct Inner {
    id: ConnId,
    peer: NodeId,
    lane: Lane,
    handle: Handle,
    facts: Arc<Facts>,
    /// One permit for each stream that we have open. Our own, and below the peer's limit: at the peer's limit QUIC wakes
    /// waiters that have gone away in place of those that still wait.
    streams: Semaphore,
    queued: AtomicUsize,
    queue_max: usize,
    /// One permit for each application's stream that we opened, and one for each that the peer opened.
    app_streams: Arc<Semaphore>,
    inbound_app_streams: Arc<Semaphore>,
    app_streams_max: usize,
    kept: Kept,
    /// Streams that the peer keeps for its requests, and on which none is under way.
    kept_by_peer: AtomicUsize,
}

impl PeerConnection {
    pub(super) fn new(
        id: ConnId,
        peer: NodeId,
        lane: Lane,
        handle: Handle,
        facts: Arc<Facts>,
        config: &TransportConfig,
    ) -> Self {
        Self(Arc::new(Inner {
            id,
            peer,
            lane,
            handle,
            facts,
            streams: Semaphore::new(config.streams_max),
            queued: AtomicUsize::new(0),
            queue_max: config.queue_max,
            app_streams: Arc::new(Semaphore::new(config.app_streams_max)),
            inbound_app_streams: Arc::new(Semaphore::new(config.app_streams_max)),
            app_streams_max: config.app_streams_max,
            kept: Kept::default(),
            kept_by_peer: AtomicUsize::new(0),
        }))
    }

    /// The pool's number for it.
    pub fn id(&self) -> ConnId {
        self.0.id
    }

    /// The member that its certificate names.
    pub fn peer(&self) -> &NodeId {
        &self.0.peer
    }

    /// What it is for.
    pub fn lane(&self) -> Lane {
        self.0.lane
    }

    /// Where its packets come from. It identifies nobody.
    pub fn source(&self) -> Option<SocketAddr> {
        self.0.facts.source()
    }

    /// How it ended, if it has.
    pub(super) fn ending(&self) -> Option<Ending> {
        match self.0.facts.status() {
            Status::Closed(error) => Some(ending(error)),
            Status::Handshaking | Status::Confirmed => None,
        }
    }

    /// The name that the dialler asked for.
    pub(super) fn asked_for(&self) -> String {
        let name = self.0.handle.server_name().ok().flatten();
        name.map_or_else(|| "no name".to_owned(), |name| name.to_string())
    }

    /// A turn to open a stream. Waits while `streams_max` are open, in order of arrival.
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

    /// Sends a request and reads the frame that answers it. The permit shows that it is this caller's turn.
    pub(super) async fn exchange(
        &self,
        request: &Request<'_>,
        _turn: &SemaphorePermit<'_>,
    ) -> Result<Bytes, Fault> {
        self.0.facts.used_for(request.traffic.into());
        let mut handle = self.0.handle.clone();
        let reply_bytes_max = request.frame_bytes_max;
        if let Some(loan) = self.0.kept.lend(request.body.len()) {
            return loan.exchange(&mut handle, request.frame(StreamKind::Kept)?, reply_bytes_max).await;
        }
        let frame = request.frame(StreamKind::Request)?;
        let (mut receive, mut send) = handle.open_bidirectional_stream().await?.split();
        let sent = match send.send(frame).await {
            Ok(()) => send.finish(),
            Err(error) => Err(error),
        };
        // A peer that rejects the request stops reading it and resets its own half; the reason stands there.
        let reply = read_frame(&mut receive, FrameReader::new(reply_bytes_max), &Bytes::new()).await?;
        sent?;
        Ok(reply)
    }

    /// Sends a frame that has no answer. Returns when the peer's transport has all of it.
    pub(super) async fn send(&self, message: &Request<'_>, _turn: &SemaphorePermit<'_>) -> Result<(), Fault> {
        self.0.facts.used_for(message.traffic.into());
        let frame = message.frame(StreamKind::OneWay)?;
        let mut handle = self.0.handle.clone();
        let mut send = handle.open_send_stream().await?;
        send.send(frame).await?;
        send.close().await?;
        Ok(())
    }

    /// A place for one more application's stream that is opened from here.
    pub(super) fn stream_place(&self) -> Result<OwnedSemaphorePermit, Fault> {
        let place = Arc::clone(&self.0.app_streams).try_acquire_owned();
        place.map_err(|_| Fault::TooManyStreams { max: self.0.app_streams_max })
    }

    /// A place for one more application's stream that the peer opened.
    pub(super) fn inbound_stream_place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0.inbound_app_streams).try_acquire_owned().ok()
    }

    /// The peer has sent something for that.
    pub(super) fn used_for(&self, traffic: Traffic) {
        self.0.facts.used_for(traffic.into());
    }

    /// A place for one more stream that the peer keeps and does not use now; none if it has enough of them.
    pub(super) fn rest_place(&self) -> Option<Place<'_>> {
        Place::take(&self.0.kept_by_peer, KEPT_BY_PEER_MAX).ok()
    }

    /// A stream for an application, whose place has been taken.
    pub(super) async fn open_bidirectional(&self) -> Result<BidirectionalStream, Fault> {
        self.0.facts.used_for(Use::Application);
        Ok(self.0.handle.clone().open_bidirectional_stream().await?)
    }

    /// How many streams the peer keeps that it does not use.
    #[cfg(test)]
    pub(super) fn kept_by_peer(&self) -> usize {
        self.0.kept_by_peer.load(Relaxed)
    }

    /// Whether it keeps a stream for small requests that is free.
    #[cfg(test)]
    pub(super) fn keeps_a_stream(&self) -> bool {
        self.0.kept.is_free()
    }

    /// Whether nobody has a stream of it, or waits for one.
    #[cfg(any(test, feature = "simulation"))]
    pub(super) fn is_at_rest(&self, config: &TransportConfig) -> bool {
        self.0.streams.available_permits() == config.streams_max
            && self.0.queued.load(Relaxed) == 0
            && self.0.app_streams.available_permits() == config.app_streams_max
            && self.0.inbound_app_streams.available_permits() == config.app_streams_max
    }

    pub(super) fn close_with(&self, code: CloseCode) {
        self.0.handle.close(code.into());
    }
}

/// Reads one frame and the end of the stream after it. `begun` is what has been read of it already.
pub(super) async fn read_frame(
    stream: &mut ReceiveStream,
    mut reader: FrameReader,
    begun: &Bytes,
) -> Result<Bytes, Fault> {
    let mut body = reader.push(begun)?;
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

    fn mute_since(&self, asked: Instant) -> Duration {
        self.0.facts.mute_since(asked)
    }

    fn check(&self) -> bool {
        // A PING frame: its acknowledgement shows life, its absence ends the connection at the idle time-out, and a
        // peer that has restarted answers it with a stateless reset.
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
            .field("peer", &self.0.peer)
            .finish_non_exhaustive()
    }
}

/// A place among so many, given back when dropped.
pub(super) struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    /// Fails with how many are taken, which is all of them.
    fn take(count: &'a AtomicUsize, max: usize) -> Result<Self, usize> {
        // Only a count is exchanged here, no data, so that the order among other accesses is of no concern.
        let taken = count.fetch_update(Relaxed, Relaxed, |taken| (taken < max).then_some(taken + 1));
        taken.map(|_| Self(count))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}
