//! Taking up a stream that a peer has opened to a service here, or refusing it with the reason.

use bytes::{Bytes, BytesMut};
use s2n_quic::stream::{ReceiveStream, SendStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::OwnedPermit;
use tokio::sync::mpsc::error::TrySendError;

use super::super::code::StreamCode;
use super::super::dialer::Dialer;
use super::super::hub::Hub;
use super::super::outcome::Fault;
use super::super::peer::PeerConnection;
use super::{AppStream, Hold};
use crate::frame::FrameError;
use crate::hello::{SERVICE_BYTES_MAX, TAKEN, decode};
use crate::pool::Lease;
use crate::stats::add;

/// Reads which service is wanted. `begun` is what came after the stream's kind; what belongs to the application already
/// is given back.
pub(in crate::quic) async fn wanted(
    receive: &mut ReceiveStream,
    begun: Bytes,
) -> Result<(String, Bytes), Fault> {
    let mut held = BytesMut::from(begun);
    loop {
        if let Some((service, end)) = decode(&held)? {
            let service = service.to_owned();
            return Ok((service, held.split_off(end).freeze()));
        }
        assert!(held.len() < 2 + SERVICE_BYTES_MAX, "a longer beginning has been decoded or refused");
        let piece = receive.receive().await?.ok_or(FrameError::Truncated { have: held.len() })?;
        held.extend_from_slice(&piece);
    }
}

/// A stream's place among those of its peer, and in the backlog of its service.
pub(in crate::quic) struct Seat {
    conn: PeerConnection,
    place: OwnedSemaphorePermit,
    backlog: OwnedPermit<AppStream>,
}

impl Seat {
    /// Finds a place for one more stream.
    ///
    /// # Errors
    /// What to tell the peer: the service is unknown, its backlog is full, or the peer has too many streams here.
    pub(in crate::quic) fn find(hub: &Hub, conn: &PeerConnection, service: &str) -> Result<Self, StreamCode> {
        let backlog = hub.services.backlog(service).ok_or(StreamCode::UnknownService)?;
        let place = conn.inbound_stream_place().ok_or(StreamCode::TooManyStreams)?;
        let backlog = backlog.try_reserve_owned().map_err(|fault| match fault {
            TrySendError::Full(_) => StreamCode::Busy,
            TrySendError::Closed(_) => StreamCode::UnknownService,
        })?;
        Ok(Self { conn: conn.clone(), place, backlog })
    }

    /// Tells the peer that the stream is taken, and hands it to the service. `begun` is what came of it already.
    pub(in crate::quic) async fn take(
        self,
        hub: &Hub,
        lease: Option<Lease<Dialer>>,
        receive: ReceiveStream,
        mut send: SendStream,
        begun: Bytes,
    ) {
        // It fails only if the opener has gone, and then the service sees that too.
        let _gone = send.send(Bytes::from_static(&[TAKEN])).await;
        add(&hub.counters.streams_accepted, 1);
        let hold = Hold { conn: self.conn, _lease: lease, _place: self.place };
        self.backlog.send(AppStream::new(receive, begun, send, hold));
    }
}
