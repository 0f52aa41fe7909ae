//! Serves the streams that the peer opens on a connection. Requests and messages go to the inbox,
//! and application streams go to their service.
//!
//! Each connection has one task, and below it one task for each open stream of the peer: at most
//! twice `STREAMS_MAX`, because the limit holds for each of the two kinds of QUIC streams.

use std::sync::Arc;

use bytes::Bytes;
use s2n_quic::connection::StreamAcceptor;
use s2n_quic::stream::{PeerStream, ReceiveStream, SendStream};
use tokio::sync::mpsc::error::TrySendError;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tracing::debug_span;
use tracing::field::Empty;

use super::code::{CloseCode, StreamCode};
use super::dialer::Dialer;
use super::expiry;
use super::hub::{Hub, stopped};
use super::inbound::{Inbound, Responder};
use super::kept::next_frame;
use super::outcome::Fault;
use super::peer::{PeerConnection, read_frame};
use super::streams::{StreamPermits, read_service};
use crate::frame::{Beginning, FrameError, FrameReader, StreamKind};
use crate::peer::Target;
use crate::pool::{Lane, Lease, Side};
use crate::request::Ending;
use crate::stats::add;
use crate::traffic::Traffic;

/// Serves a connection until it ends or the transport stops.
pub(super) async fn run(hub: Arc<Hub>, conn: PeerConnection, mut streams: StreamAcceptor, side: Side) {
    let mut stage = hub.watch_stage();
    // Dropping the set aborts its tasks, so that no task of a connection outlives this function.
    let mut readers = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = stopped(&mut stage) => break,
            Some(_read) = readers.join_next() => continue,
            accepted = streams.accept() => accepted,
        };
        let Ok(Some(stream)) = accepted else { break };
        readers.spawn(read_stream(Arc::clone(&hub), conn.clone(), stream));
    }
    let refused = match conn.ending() {
        Some(Ending::Refused { reason }) => Some(reason),
        // Otherwise it was renewed in time, and these were streams of before.
        Some(Ending::CertificateExpired) if expiry::own_has_expired(&hub) => {
            Some(CloseCode::Expired.text().to_owned())
        }
        _ => None,
    };
    if let Some(reason) = refused {
        let text = format_args!("{reason} (the dialler asked for {})", conn.server_name()).to_string();
        hub.refusals.name_refused_by_peer(side, conn.source(), &text);
    }
    hub.ended(conn.id());
}

/// A stream that the peer has opened, with the state for reading it.
struct InboundStream {
    hub: Arc<Hub>,
    conn: PeerConnection,
    /// Keeps the pool from closing the connection as idle. `None` outside the pool.
    lease: Option<Lease<Dialer>>,
    receive: ReceiveStream,
    /// `None` for a unidirectional stream.
    send: Option<SendStream>,
    /// The deadline of the current read.
    until: Instant,
}

/// Reads the kind of a stream and serves it.
async fn read_stream(hub: Arc<Hub>, conn: PeerConnection, stream: PeerStream) {
    let lease = hub.pool().and_then(|pool| pool.enter(conn.id()));
    let (receive, send) = match stream {
        PeerStream::Bidirectional(stream) => {
            let (receive, send) = stream.split();
            (receive, Some(send))
        }
        PeerStream::Receive(receive) => (receive, None),
    };
    let until = Instant::now() + hub.config.frame_timeout;
    let mut inbound = InboundStream { hub, conn, lease, receive, send, until };
    let read = timeout_at(until, beginning(&mut inbound.receive)).await;
    let Some((Beginning { kind, traffic }, prefix)) = inbound.checked(read) else { return };
    // Requests and application streams have different lanes: an application stream that is not read
    // would delay requests on the same connection (`docs/decisions/0005`).
    match (kind, inbound.conn.lane(), inbound.send.is_some()) {
        (StreamKind::Application, Lane::StreamsIn, true) => inbound.serve_application(prefix).await,
        (StreamKind::Kept, Lane::Requests, true) => inbound.serve_kept(traffic, prefix).await,
        (StreamKind::Request, Lane::Requests, true) | (StreamKind::OneWay, Lane::Requests, false) => {
            inbound.serve_frame(traffic, prefix).await;
        }
        _ => inbound.reject(StreamCode::Unreadable),
    }
}

/// Reads the first byte of a stream. Also returns the rest of the same piece.
async fn beginning(stream: &mut ReceiveStream) -> Result<(Beginning, Bytes), Fault> {
    let first = stream.receive().await?.ok_or(FrameError::Truncated { have: 0 })?;
    Ok(split_beginning(first)?)
}

/// Splits a piece into its first byte and the rest.
fn split_beginning(mut piece: Bytes) -> Result<(Beginning, Bytes), FrameError> {
    // QUIC delivers data or the end, never an empty piece. Still, refuse one instead of a panic.
    let first = piece.first().copied().ok_or(FrameError::Truncated { have: 0 })?;
    Ok((Beginning::try_from(first)?, piece.split_off(1)))
}

impl InboundStream {
    /// Reads the only frame of the stream and puts it into the inbox.
    async fn serve_frame(mut self, traffic: Traffic, prefix: Bytes) {
        let reader = FrameReader::new(self.hub.config.frame_bytes_max);
        let read = timeout_at(self.until, read_frame(&mut self.receive, reader, &prefix)).await;
        let Some(body) = self.checked(read) else { return };
        let (send, lease) = (self.send.take(), self.lease.take());
        let responder = send.map(|send| self.responder(send, lease));
        self.enqueue((traffic, 0), body, responder);
    }

    /// Reads requests until the peer ends the stream: each one after the answer to the previous
    /// one.
    async fn serve_kept(mut self, traffic: Traffic, prefix: Bytes) {
        let (mut traffic, mut prefix) = (traffic, prefix);
        for number in 0.. {
            let reader = FrameReader::new(self.hub.config.frame_bytes_max);
            let read = timeout_at(self.until, next_frame(&mut self.receive, reader, &prefix)).await;
            let Some(body) = self.checked(read) else { return };
            let Some(send) = self.send.take() else { return };
            let lease = self.lease.take();
            let (responder, answered) = self.responder(send, lease).returning();
            self.enqueue((traffic, number), body, Some(responder));
            // An error means that the application gave no answer. The responder has reset the
            // stream.
            let Ok((send, lease)) = answered.await else { return };
            (self.send, self.lease) = (Some(send), lease);
            let Some(piece) = self.next_piece().await else { return };
            // `frame_timeout` starts with the request's first byte: a kept stream may rest for
            // long.
            self.until = Instant::now() + self.hub.config.frame_timeout;
            self.lease = self.hub.pool().and_then(|pool| pool.enter(self.conn.id()));
            match split_beginning(piece) {
                Ok((next, rest)) if next.kind == StreamKind::Kept => (traffic, prefix) = (next.traffic, rest),
                _ => return self.reject(StreamCode::Unreadable),
            }
        }
    }

    /// Waits for the next request on a kept stream.
    ///
    /// The connection stays in use until the peer has acknowledged the last answer. An earlier
    /// close would cut the answer off.
    async fn next_piece(&mut self) -> Option<Bytes> {
        let conn = self.conn.clone();
        let place = conn.kept_place();
        let Self { send: Some(send), receive, lease, hub, .. } = self else { return None };
        if place.is_none() {
            add(&hub.counters.bad_streams, 1);
            // End the stream after its answer, so that the answer still arrives. Both calls fail
            // only if the stream has ended.
            let _ended = send.finish();
            let _ended = receive.stop_sending(StreamCode::Unreadable.into());
            return None;
        }
        loop {
            tokio::select! {
                biased;
                // First: the acknowledgement comes with the next request at the latest. So a
                // connection that drains closes between two requests of a peer that always has one.
                // The peer sends the second one again, over another connection.
                arrived = send.flush(), if lease.is_some() => {
                    *lease = None;
                    arrived.ok()?;
                }
                piece = receive.receive() => return piece.ok().flatten(),
            }
        }
    }

    /// The responder for a request on this stream.
    fn responder(&self, send: SendStream, lease: Option<Lease<Dialer>>) -> Responder {
        let addr = self.conn.source().unwrap_or(self.hub.config.listen).into();
        let to = Target { id: Some(self.conn.peer().clone()), addr };
        Responder::new(send, to, self.hub.config.frame_bytes_max, Arc::clone(&self.hub.counters), lease)
    }

    /// Puts a frame into the inbox: request `number` of this stream, or a message. Rejects a
    /// request as busy if the inbox is full.
    fn enqueue(&self, (traffic, number): (Traffic, u64), body: Bytes, mut responder: Option<Responder>) {
        if let Some(responder) = &mut responder {
            let span = debug_span!(parent: None, "serve", peer = %self.conn.peer(), ?traffic, trace = Empty);
            self.conn.record_trace(&span, self.receive.id(), number);
            responder.set_span(span);
        }
        self.conn.received_for(traffic);
        let counters = &self.hub.counters;
        counters.frame_received(body.len());
        let (from, certificate) = (self.conn.peer().clone(), Arc::clone(self.conn.certificate()));
        let inbound = Inbound { from, certificate, body, arrived: Instant::now(), responder };
        if let Err(TrySendError::Full(inbound)) = self.hub.inbox.try_send(inbound) {
            add(&counters.inbox_full, 1);
            if let Some(responder) = inbound.responder {
                responder.refuse_busy();
            }
        }
    }

    /// Gives the stream to its service, or rejects it with the reason.
    async fn serve_application(mut self, prefix: Bytes) {
        let read = timeout_at(self.until, read_service(&mut self.receive, prefix)).await;
        let Some((service, prefix)) = self.checked(read) else { return };
        self.conn.accepts_application();
        match StreamPermits::acquire(&self.hub, &self.conn, &service) {
            Ok(permits) => {
                let send = self.send.expect("an application's stream has two directions");
                permits.accept(&self.hub, self.lease, self.receive, send, prefix).await;
            }
            Err(code) => {
                add(&self.hub.counters.streams_refused, 1);
                self.reset(code);
            }
        }
    }

    /// The value of a read. `None` if the read failed or came too late; then the peer gets the
    /// reason.
    fn checked<T>(&mut self, read: Result<Result<T, Fault>, tokio::time::error::Elapsed>) -> Option<T> {
        match read {
            Ok(Ok(read)) => return Some(read),
            Ok(Err(Fault::Frame(FrameError::TooLarge { .. }))) => self.reject(StreamCode::TooLarge),
            Ok(Err(Fault::Frame(_))) => self.reject(StreamCode::Unreadable),
            // The peer has reset the stream, or the connection has ended. A reset would not arrive.
            Ok(Err(_)) => {}
            Err(_) => self.reject(StreamCode::TooSlow),
        }
        None
    }

    /// Counts a bad stream and resets it with the reason.
    fn reject(&mut self, code: StreamCode) {
        add(&self.hub.counters.bad_streams, 1);
        self.reset(code);
    }

    /// Stops both directions of the stream with this code.
    fn reset(&mut self, code: StreamCode) {
        // Both fail only if the stream has ended. Then the peer needs no reason.
        let _ended = self.receive.stop_sending(code.into());
        if let Some(send) = &mut self.send {
            let _ended = send.reset(code.into());
        }
    }
}
