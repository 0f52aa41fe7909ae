//! Opening a stream to a service of a peer.

use bytes::{Buf as _, Bytes};
use s2n_quic::stream::{ReceiveStream, SendStream};
use tokio::sync::OwnedSemaphorePermit;

use super::super::dialer::Dialer;
use super::super::outcome::Fault;
use super::super::peer::PeerConnection;
use super::{AppStream, Hold};
use crate::frame::FrameError;
use crate::hello::TAKEN;
use crate::pool::Lease;

/// A stream that the peer has taken.
pub(in crate::quic) struct Opening {
    receive: ReceiveStream,
    begun: Bytes,
    send: SendStream,
    place: OwnedSemaphorePermit,
}

/// Opens a stream on a connection and waits for the peer's word that it is taken.
///
/// Dropping the future gives the stream up.
pub(in crate::quic) async fn open(conn: &PeerConnection, hello: Bytes) -> Result<Opening, Fault> {
    let place = conn.stream_place()?;
    let (mut receive, mut send) = conn.open_bidirectional().await?.split();
    let sent = send.send(hello).await;
    // A peer that refuses the stream stops reading it and resets its own half; the reason stands there.
    let mut begun = receive.receive().await?.ok_or(FrameError::Truncated { have: 0 })?;
    sent?;
    match begun.first() {
        Some(&TAKEN) => begun.advance(1),
        found => return Err(FrameError::Kind { found: found.copied().unwrap_or_default() }.into()),
    }
    Ok(Opening { receive, begun, send, place })
}

impl Opening {
    /// The stream, which keeps its connection in use.
    pub(in crate::quic) fn into_stream(self, lease: Lease<Dialer>) -> AppStream {
        let hold = Hold { conn: lease.clone(), _lease: Some(lease), _place: self.place };
        AppStream::new(self.receive, self.begun, self.send, hold)
    }
}
