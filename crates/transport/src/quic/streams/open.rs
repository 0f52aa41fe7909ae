//! Opens a stream to a service of a peer.

use bytes::{Buf as _, Bytes};
use s2n_quic::stream::{ReceiveStream, SendStream};
use tokio::sync::OwnedSemaphorePermit;

use super::super::dialer::Dialer;
use super::super::outcome::Fault;
use super::super::peer::PeerConnection;
use super::{AppStream, Hold};
use crate::frame::FrameError;
use crate::hello::ACCEPTED;
use crate::pool::Lease;

/// A stream that the peer has accepted.
pub(in crate::quic) struct Opening {
    receive: ReceiveStream,
    prefix: Bytes,
    send: SendStream,
    place: OwnedSemaphorePermit,
}

/// Opens a stream on a connection, and waits until the peer accepts it.
///
/// # Cancel safety
/// Dropping the future resets the stream.
pub(in crate::quic) async fn open(conn: &PeerConnection, hello: Bytes) -> Result<Opening, Fault> {
    let place = conn.stream_place()?;
    let (mut receive, mut send) = conn.open_bidirectional().await?.split();
    let sent = send.send(hello).await;
    // A peer that refuses the stream resets its own half with the reason. So read first, and report
    // a failed send only after it.
    let mut prefix = receive.receive().await?.ok_or(FrameError::Truncated { have: 0 })?;
    sent?;
    match prefix.first() {
        Some(&ACCEPTED) => prefix.advance(1),
        found => return Err(FrameError::Kind { found: found.copied().unwrap_or_default() }.into()),
    }
    Ok(Opening { receive, prefix, send, place })
}

impl Opening {
    /// The stream for the application. It keeps its connection in use.
    pub(in crate::quic) fn into_stream(self, lease: Lease<Dialer>) -> AppStream {
        let hold = Hold { conn: lease.clone(), _lease: Some(lease), _place: self.place };
        AppStream::new(self.receive, self.prefix, self.send, hold)
    }
}
