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
use super::outcome::Fault;
use super::peer::{PeerConnection, read_frame};
use super::streams::{Seat, wanted};
use crate::frame::{FrameError, FrameReader, StreamKind};
use crate::peer::Target;
use crate::pool::{Lane, Lease, Side};
use crate::request::Ending;
use crate::stats::add;

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
    let read = timeout_at(until, kind(&mut opened.receive)).await;
    let Some((kind, begun)) = opened.judge(read) else { return };
    // A program's stream on the wrong connection could hold up requests, so it is as wrong as an unknown kind.
    match (kind, opened.conn.lane(), opened.send.is_some()) {
        (StreamKind::Application, Lane::StreamsIn, true) => opened.application(begun).await,
        (StreamKind::Request, Lane::Requests, true) | (StreamKind::OneWay, Lane::Requests, false) => {
            opened.frame(begun).await;
        }
        _ => opened.reject(StreamCode::Unreadable),
    }
}

/// Reads the kind of a stream; gives what else came in the same piece.
async fn kind(stream: &mut ReceiveStream) -> Result<(StreamKind, Bytes), Fault> {
    let mut first = stream.receive().await?.ok_or(FrameError::Truncated { have: 0 })?;
    // An empty piece cannot begin a stream: QUIC delivers data or the end.
    let kind = first.first().copied().ok_or(FrameError::Truncated { have: 0 })?;
    let kind = StreamKind::try_from(kind)?;
    Ok((kind, first.split_off(1)))
}

impl Opened {
    /// Reads the stream's one frame and hands it on.
    async fn frame(mut self, begun: Bytes) {
        let max = self.hub.config.frame_bytes_max;
        let reader = FrameReader::new(max);
        let read = timeout_at(self.until, read_frame(&mut self.receive, reader, &begun)).await;
        let Some(body) = self.judge(read) else { return };
        let hub = self.hub;
        hub.counters.frame_received(body.len());
        let lease = self.lease;
        let responder = self.send.map(|send| {
            let addr = self.conn.source().unwrap_or(hub.config.listen).into();
            let to = Target { id: Some(self.conn.peer().clone()), addr };
            Responder::new(send, to, max, Arc::clone(&hub.counters), lease)
        });
        let (from, arrived) = (self.conn.peer().clone(), Instant::now());
        let inbound = Inbound { from, body, arrived, responder };
        if let Err(TrySendError::Full(inbound)) = hub.inbox.try_send(inbound) {
            add(&hub.counters.inbox_full, 1);
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
