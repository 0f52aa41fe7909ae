//! QUIC without the transport: the same TLS and frames over plain s2n-quic connections. The pool is
//! compared with these connections, and the mutexes contain them.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use bytes::Bytes;
use kinfolk_transport::{
    Beginning, FrameReader, NodeIdentity, PeerName, STREAMS_MAX, StreamKind, Traffic, encode_frame,
};
use s2n_quic::client::Connect;
use s2n_quic::provider::limits::Limits;
use s2n_quic::provider::tls::s2n_tls;
use s2n_quic::stream::BidirectionalStream;
use s2n_quic::{Client, Connection};

/// The longest body in bytes: the transport's default.
const FRAME_BYTES_MAX: usize = 64 * 1024;

/// An endpoint that dials, with its own socket.
pub(super) struct RawClient {
    client: Client,
    server: SocketAddr,
    server_name: String,
}

impl RawClient {
    /// An endpoint for `identity` that dials `server_name` at `server`.
    pub(super) fn new(identity: &NodeIdentity, server: SocketAddr, server_name: &PeerName) -> Result<Self> {
        let tls = s2n_tls::Client::builder().with_empty_trust_store().and_then(|tls| {
            tls.with_certificate(identity.ca_pem())?
                .with_client_identity(identity.cert_pem(), identity.key_pem())?
                .with_application_protocols(["kinfolk/1"])?
                .build()
        });
        let tls = tls.map_err(|fault| anyhow!("the TLS library refused the identity: {fault}"))?;
        let client = Client::builder()
            .with_tls(tls)?
            .with_io(SocketAddr::new(server.ip(), 0))?
            .with_limits(limits()?)?
            .start()
            .map_err(|fault| anyhow!("cannot start the endpoint: {fault}"))?;
        Ok(Self { client, server, server_name: server_name.to_string() })
    }

    /// A new connection. Its handshake is complete on this side; the server's first answer confirms
    /// it.
    pub(super) async fn connect(&self) -> Result<Connection> {
        let connect = Connect::new(self.server).with_server_name(self.server_name.as_str());
        self.client.connect(connect).await.context("the server refused the connection")
    }
}

/// The frame of a request.
pub(super) fn frame(body: &Bytes) -> Result<Bytes> {
    let begin = Beginning { kind: StreamKind::Request, traffic: Traffic::Other };
    Ok(encode_frame(Some(begin), body, FRAME_BYTES_MAX)?)
}

/// Sends a frame and reads the frame that answers it, as the transport does.
pub(super) async fn exchange(stream: BidirectionalStream, frame: Bytes) -> Result<Bytes> {
    let (mut receive, mut send) = stream.split();
    send.send(frame).await?;
    send.finish()?;
    let mut reader = FrameReader::new(FRAME_BYTES_MAX);
    let mut answer = None;
    while let Some(piece) = receive.receive().await? {
        ensure!(answer.is_none(), "the server sent more than one frame");
        answer = reader.push(&piece)?;
    }
    answer.context("the stream ended without an answer")
}

/// The transport's defaults for time-outs and numbers of streams, so that the variants share these.
fn limits() -> Result<Limits> {
    let streams = u64::from(STREAMS_MAX);
    Ok(Limits::new()
        .with_max_idle_timeout(Duration::from_secs(75))?
        .with_max_handshake_duration(Duration::from_secs(2))?
        .with_initial_round_trip_time(Duration::from_millis(50))?
        .with_max_open_local_bidirectional_streams(streams)?
        .with_max_open_local_unidirectional_streams(streams)?
        .with_max_open_remote_bidirectional_streams(streams)?
        .with_max_open_remote_unidirectional_streams(streams)?)
}
