//! The peer's side of a connection: accepts the streams that the peer opens, reads one frame from each, and puts it into
//! the inbox. One task a connection, and below it one for each stream that is being read: at most twice `STREAMS_MAX`.

use std::sync::Arc;

use s2n_quic::connection::StreamAcceptor;
use s2n_quic::stream::{PeerStream, ReceiveStream, SendStream};
use tokio::sync::mpsc::error::TrySendError;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::code::StreamCode;
use super::hub::{Hub, stopped};
use super::inbound::{Inbound, Responder};
use super::outcome::Fault;
use super::peer::{PeerConnection, read_frame};
use crate::frame::{FrameError, FrameReader, StreamKind};
use crate::peer::Target;
use crate::pool::Side;
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

/// Reads one stream and hands its frame on.
async fn take(hub: Arc<Hub>, conn: PeerConnection, stream: PeerStream) {
    let lease = hub.pool().and_then(|pool| pool.enter(conn.id(), &conn));
    let (kind, mut receive, mut send) = match stream {
        PeerStream::Bidirectional(stream) => {
            let (receive, send) = stream.split();
            (StreamKind::Request, receive, Some(send))
        }
        PeerStream::Receive(receive) => (StreamKind::OneWay, receive, None),
    };
    let read = timeout(hub.config.frame_timeout, read(&mut receive, kind, hub.config.frame_bytes_max)).await;
    let body = match read {
        Ok(Ok(body)) => body,
        Ok(Err(Fault::Frame(FrameError::TooLarge { .. }))) => {
            return reject(&hub, &mut receive, send.as_mut(), StreamCode::TooLarge);
        }
        Ok(Err(Fault::Frame(_))) => return reject(&hub, &mut receive, send.as_mut(), StreamCode::Unreadable),
        // The peer has given the request up, or the connection has ended: there is nobody to tell.
        Ok(Err(_)) => return,
        Err(_) => return reject(&hub, &mut receive, send.as_mut(), StreamCode::TooSlow),
    };
    hub.counters.frame_received(body.len());
    let responder = send.map(|send| {
        let addr = conn.source().unwrap_or(hub.config.listen).into();
        let to = Target { id: Some(conn.peer().clone()), addr };
        Responder::new(send, to, hub.config.frame_bytes_max, Arc::clone(&hub.counters), lease)
    });
    let inbound = Inbound { from: conn.peer().clone(), body, responder };
    if let Err(TrySendError::Full(inbound)) = hub.inbox.try_send(inbound) {
        add(&hub.counters.inbox_full, 1);
        if let Some(responder) = inbound.responder {
            responder.refuse_busy();
        }
    }
}

/// Reads the kind and the frame.
async fn read(stream: &mut ReceiveStream, expected: StreamKind, max: usize) -> Result<bytes::Bytes, Fault> {
    let mut first = stream.receive().await?.ok_or(FrameError::Truncated { have: 0 })?;
    // An empty piece cannot begin a stream: QUIC delivers data or the end.
    let kind = first.first().copied().ok_or(FrameError::Truncated { have: 0 })?;
    if StreamKind::try_from(kind)? != expected {
        return Err(FrameError::Kind { found: kind }.into());
    }
    let rest = first.split_off(1);
    read_frame(stream, FrameReader::new(max), &rest).await
}

/// Tells the peer that its frame is not taken, and why.
fn reject(hub: &Hub, receive: &mut ReceiveStream, send: Option<&mut SendStream>, code: StreamCode) {
    add(&hub.counters.bad_streams, 1);
    // Both fail only if the stream has ended already; then there is nothing left to say.
    let _ended = receive.stop_sending(code.into());
    if let Some(send) = send {
        let _ended = send.reset(code.into());
    }
}
