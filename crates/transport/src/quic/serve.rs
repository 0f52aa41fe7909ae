//! The peer's side of a connection: accepts the streams that the peer opens. From most it reads one frame and puts it into
//! the inbox; those of applications go to their service. One task a connection, and below it one for each stream that is
//! being read: at most twice `STREAMS_MAX`.

use std::sync::Arc;

use bytes::Bytes;
use s2n_quic::connection::StreamAcceptor;
use s2n_quic::stream::{PeerStream, ReceiveStream, SendStream};
use tokio::sync::mpsc::error::TrySendError;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::code::StreamCode;
use super::dialer::Dialer;
use super::hub::{Hub, stopped};
use super::inbound::{Inbound, Responder};
use super::kept::next_frame;
use super::outcome::Fault;
use super::peer::{PeerConnection, read_frame};
use super::streams::{Seat, wanted};
use crate::frame::{Beginning, FrameError, FrameReader, StreamKind};
use crate::peer::Target;
use crate::pool::{Lane, Lease, Side};
use crate::request::Ending;
use crate::stats::add;
use crate::traffic::Traffic;

/// Serves a connection until it ends or the transport stops.
pub(super) async fn run(hub: Arc<Hub>, conn: PeerConnection, mut streams: StreamAcceptor, side: Side) {
    let mut stage = hub.watch_stage();
    // Dropping the set ends its tasks, so that nothing of a connection outlives this function.
    let mut readers = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = stopped(&mut stage) => break,
            Some(_read) = readers.join_next() => continue,
            accepted = streams.accept() => accepted,
        };
        let Ok(Some(stream)) = accepted else { break };
        readers.spawn(take(Arc::clone(&hub), conn.clone(), stream));
    }
    if let Some(Ending::Refused { reason }) = conn.ending() {
        let text = format_args!("{reason} (asked for: {})", conn.asked_for()).to_string();
        hub.refusals.name_refused_there(side, conn.source(), &text);
    }
    hub.ended(conn.id());
}

/// A stream that the peer has opened, and what its reading needs.
struct Opened {
    hub: Arc<Hub>,
    conn: PeerConnection,
    /// Keeps the connection from being idle. None if it is not one of the pool's.
    lease: Option<Lease<Dialer>>,
    receive: ReceiveStream,
    /// None if it has one direction only.
    send: Option<SendStream>,
    /// When it is too late for what is being read.
    until: Instant,
}

/// Reads what a stream is for and sees to it.
async fn take(hub: Arc<Hub>, conn: PeerConnection, stream: PeerStream) {
    let lease = hub.pool().and_then(|pool| pool.enter(conn.id()));
    let (receive, send) = match stream {
        PeerStream::Bidirectional(stream) => {
            let (receive, send) = stream.split();
            (receive, Some(send))
        }
        PeerStream::Receive(receive) => (receive, None),
    };
    let until = Instant::now() + hub.config.frame_timeout;
    let mut opened = Opened { hub, conn, lease, receive, send, until };
    let read = timeout_at(until, beginning(&mut opened.receive)).await;
    let Some((Beginning { kind, traffic }, begun)) = opened.judge(read) else { return };
    // A program's stream on the wrong connection could hold up requests, so it is as wrong as an unknown kind.
    match (kind, opened.conn.lane(), opened.send.is_some()) {
        (StreamKind::Application, Lane::StreamsIn, true) => opened.application(begun).await,
        (StreamKind::Kept, Lane::Requests, true) => opened.kept(traffic, begun).await,
        (StreamKind::Request, Lane::Requests, true) | (StreamKind::OneWay, Lane::Requests, false) => {
            opened.frame(traffic, begun).await;
        }
        _ => opened.reject(StreamCode::Unreadable),
    }
}

/// Reads how a stream begins; gives what else came in the same piece.
async fn beginning(stream: &mut ReceiveStream) -> Result<(Beginning, Bytes), Fault> {
    let first = stream.receive().await?.ok_or(FrameError::Truncated { have: 0 })?;
    Ok(cut(first)?)
}

/// The first byte of a piece, and the rest.
fn cut(mut piece: Bytes) -> Result<(Beginning, Bytes), FrameError> {
    // An empty piece cannot begin anything: QUIC delivers data or the end.
    let first = piece.first().copied().ok_or(FrameError::Truncated { have: 0 })?;
    Ok((Beginning::try_from(first)?, piece.split_off(1)))
}

impl Opened {
    /// Reads the stream's one frame and hands it on.
    async fn frame(mut self, traffic: Traffic, begun: Bytes) {
        let reader = FrameReader::new(self.hub.config.frame_bytes_max);
        let read = timeout_at(self.until, read_frame(&mut self.receive, reader, &begun)).await;
        let Some(body) = self.judge(read) else { return };
        let (send, lease) = (self.send.take(), self.lease.take());
        let responder = send.map(|send| self.responder(send, lease));
        self.hand_on(traffic, body, responder);
    }

    /// Reads one request after another, each when the one before has been answered, until the peer ends the stream.
    async fn kept(mut self, traffic: Traffic, begun: Bytes) {
        let (mut traffic, mut begun) = (traffic, begun);
        loop {
            let reader = FrameReader::new(self.hub.config.frame_bytes_max);
            let read = timeout_at(self.until, next_frame(&mut self.receive, reader, &begun)).await;
            let Some(body) = self.judge(read) else { return };
            let Some(send) = self.send.take() else { return };
            let lease = self.lease.take();
            let (responder, answered) = self.responder(send, lease).returning();
            self.hand_on(traffic, body, Some(responder));
            // Without an answer the stream has been reset.
            let Ok((send, lease)) = answered.await else { return };
            (self.send, self.lease) = (Some(send), lease);
            let Some(piece) = self.next_piece().await else { return };
            self.until = Instant::now() + self.hub.config.frame_timeout;
            self.lease = self.hub.pool().and_then(|pool| pool.enter(self.conn.id()));
            match cut(piece) {
                Ok((next, rest)) if next.kind == StreamKind::Kept => (traffic, begun) = (next.traffic, rest),
                _ => return self.reject(StreamCode::Unreadable),
            }
        }
    }

    /// Waits for the next request on a kept stream. The connection stays in use until the peer has acknowledged the last answer.
    async fn next_piece(&mut self) -> Option<Bytes> {
        let conn = self.conn.clone();
        let place = conn.rest_place();
        let Self { send: Some(send), receive, lease, hub, .. } = self else { return None };
        if place.is_none() {
            add(&hub.counters.bad_streams, 1);
            // The answer still arrives. Both fail only if the stream has ended already.
            let _ended = send.finish();
            let _ended = receive.stop_sending(StreamCode::Unreadable.into());
            return None;
        }
        loop {
            tokio::select! {
                biased;
                piece = receive.receive() => return piece.ok().flatten(),
                arrived = send.flush(), if lease.is_some() => {
                    *lease = None;
                    arrived.ok()?;
                }
            }
        }
    }

    /// What a request is answered with.
    fn responder(&self, send: SendStream, lease: Option<Lease<Dialer>>) -> Responder {
        let addr = self.conn.source().unwrap_or(self.hub.config.listen).into();
        let to = Target { id: Some(self.conn.peer().clone()), addr };
        Responder::new(send, to, self.hub.config.frame_bytes_max, Arc::clone(&self.hub.counters), lease)
    }

    /// Puts a frame into the inbox.
    fn hand_on(&self, traffic: Traffic, body: Bytes, responder: Option<Responder>) {
        self.conn.used_for(traffic);
        let counters = &self.hub.counters;
        counters.frame_received(body.len());
        let (from, arrived) = (self.conn.peer().clone(), Instant::now());
        let inbound = Inbound { from, body, arrived, responder };
        if let Err(TrySendError::Full(inbound)) = self.hub.inbox.try_send(inbound) {
            add(&counters.inbox_full, 1);
            if let Some(responder) = inbound.responder {
                responder.refuse_busy();
            }
        }
    }

    /// Hands the stream to the service that it is for.
    async fn application(mut self, begun: Bytes) {
        let read = timeout_at(self.until, wanted(&mut self.receive, begun)).await;
        let Some((service, begun)) = self.judge(read) else { return };
        match Seat::find(&self.hub, &self.conn, &service) {
            Ok(seat) => {
                let send = self.send.expect("an application's stream has two directions");
                seat.take(&self.hub, self.lease, self.receive, send, begun).await;
            }
            Err(code) => {
                add(&self.hub.counters.streams_refused, 1);
                self.reset(code);
            }
        }
    }

    /// What was read, if it was, in time; otherwise the peer is told why not.
    fn judge<T>(&mut self, read: Result<Result<T, Fault>, tokio::time::error::Elapsed>) -> Option<T> {
        match read {
            Ok(Ok(read)) => return Some(read),
            Ok(Err(Fault::Frame(FrameError::TooLarge { .. }))) => self.reject(StreamCode::TooLarge),
            Ok(Err(Fault::Frame(_))) => self.reject(StreamCode::Unreadable),
            // The peer has given the stream up, or the connection has ended: there is nobody to tell.
            Ok(Err(_)) => {}
            Err(_) => self.reject(StreamCode::TooSlow),
        }
        None
    }

    /// Tells the peer that what it sent is not taken, and why.
    fn reject(&mut self, code: StreamCode) {
        add(&self.hub.counters.bad_streams, 1);
        self.reset(code);
    }

    fn reset(&mut self, code: StreamCode) {
        // Both fail only if the stream has ended already; then there is nothing left to say.
        let _ended = self.receive.stop_sending(code.into());
        if let Some(send) = &mut self.send {
            let _ended = send.reset(code.into());
        }
    }
}
