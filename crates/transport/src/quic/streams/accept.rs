//! Accepts a stream that a peer opened to a service of this node, or refuses it with the reason.

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
use crate::hello::{ACCEPTED, SERVICE_BYTES_MAX, decode};
use crate::pool::Lease;
use crate::stats::add;

/// Reads the name of the service. `prefix` holds the bytes after the stream's kind. Also returns
/// the bytes that belong to the application already.
pub(in crate::quic) async fn read_service(
    receive: &mut ReceiveStream,
    prefix: Bytes,
) -> Result<(String, Bytes), Fault> {
    let mut held = BytesMut::from(prefix);
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

/// The permits that a new stream needs: one among its peer's streams, and one in its service's
/// backlog.
pub(in crate::quic) struct StreamPermits {
    conn: PeerConnection,
    place: OwnedSemaphorePermit,
    backlog: OwnedPermit<AppStream>,
}

impl StreamPermits {
    /// Acquires the permits for a new stream.
    ///
    /// # Errors
    /// The code for the peer: the service is unknown, its backlog is full, or the peer has too many
    /// streams.
    pub(in crate::quic) fn acquire(
        hub: &Hub,
        conn: &PeerConnection,
        service: &str,
    ) -> Result<Self, StreamCode> {
        let backlog = hub.services.backlog(service).ok_or(StreamCode::UnknownService)?;
        let place = conn.inbound_stream_place().ok_or(StreamCode::TooManyStreams)?;
        let backlog = backlog.try_reserve_owned().map_err(|fault| match fault {
            TrySendError::Full(_) => StreamCode::Busy,
            TrySendError::Closed(_) => StreamCode::UnknownService,
        })?;
        Ok(Self { conn: conn.clone(), place, backlog })
    }

    /// Tells the peer that the stream is accepted, and gives it to the service. `prefix` holds the
    /// application's bytes that were already read.
    pub(in crate::quic) async fn accept(
        self,
        hub: &Hub,
        lease: Option<Lease<Dialer>>,
        receive: ReceiveStream,
        mut send: SendStream,
        prefix: Bytes,
    ) {
        // It fails only if the opener reset the stream or its connection ended. The service gets
        // that error when it uses the stream.
        let _closed = send.send(Bytes::from_static(&[ACCEPTED])).await;
        add(&hub.counters.streams_accepted, 1);
        let hold = Hold { conn: self.conn, _lease: lease, _place: self.place };
        self.backlog.send(AppStream::new(receive, prefix, send, hold));
    }
}
