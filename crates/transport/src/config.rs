//! The settings of a transport. Each field has a default, except the identity and the listen
//! address.

use std::net::SocketAddr;
use std::time::Duration;

use kinfolk_core::NodeAddr;

use crate::identity::{NodeIdentity, RevokedCertificates};
use crate::pool::PoolConfig;
use crate::quic::PROTOCOLS;
use crate::wall_clock::WallClock;

/// The most streams of each kind that a peer may have open at a time on one connection.
///
/// This number is part of the protocol: each side keeps its own number of open streams below it.
pub const STREAMS_MAX: u32 = 256;

/// The settings of a [`Transport`](crate::Transport).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TransportConfig {
    /// The UDP address to listen on. Port 0 lets the system choose a port. Dials use another port
    /// of the same IP address.
    pub listen: SocketAddr,
    /// The address that this node advertises. None: the listen address. Set it behind NAT, or when
    /// listening on `0.0.0.0`.
    pub advertise: Option<NodeAddr>,
    /// The certificate, the key, and the CA of this node.
    pub identity: NodeIdentity,
    /// The limits of the connection pool.
    pub pool: PoolConfig,
    /// The longest body of a frame in bytes, in both directions. 1 to 4,294,967,295, default
    /// 65,536. Use the same value on every node.
    ///
    /// A node refuses a longer frame before it allocates memory for it, so that a peer cannot
    /// exhaust the memory with one length field.
    pub frame_bytes_max: usize,
    /// How long a peer may take to deliver a frame. Default 5 s. Then the node resets the stream.
    ///
    /// The time starts when the peer opens the stream. On a kept stream it starts with the first
    /// bytes of each request. Without the limit, a peer that stops in the middle of a frame holds a
    /// stream forever.
    pub frame_timeout: Duration,
    /// How long a handshake may take. Default 2 s. A peer that has not authenticated itself can
    /// hold resources for at most this time.
    pub handshake_timeout: Duration,
    /// QUIC silently ends a connection on which no packet arrives for this time. Default 75 s. The
    /// shorter value of the two nodes applies.
    ///
    /// It must exceed the pool's `health_interval`, so that the pool's check of an idle connection
    /// comes before QUIC ends it.
    pub quic_idle_timeout: Duration,
    /// The round-trip time that QUIC assumes before the first measurement. Default 50 ms.
    ///
    /// It decides how soon QUIC repeats a lost handshake packet. A lower value recovers faster, and
    /// sends some packets twice on slower paths.
    pub initial_rtt: Duration,
    /// The most requests and messages in flight on one connection. More of them wait. 1 to 200,
    /// default 200.
    ///
    /// The range ends below [`STREAMS_MAX`], so that this node never reaches the peer's limit: QUIC
    /// can lose a waiter there.
    pub streams_max: usize,
    /// The most requests that wait for their turn on one connection. More of them fail with
    /// `QueueFull`. Default 1,024.
    pub queue_max: usize,
    /// The most application streams that may be open to one peer at a time. The same number again
    /// may be open from the peer. A node refuses more of them. 1 to 128, default 32.
    pub app_streams_max: usize,
    /// The most bytes that one stream, of an application or of a request, may have in flight before
    /// its sender waits. 4,096 to 16,777,216, default 65,536.
    ///
    /// A smaller value delays probes less during a transfer. A larger value is faster on long
    /// paths: a stream moves at most this much in a round trip (1.3 MB/s at 50 ms with the
    /// default). The receiver holds at most four times as much memory for each stream that a
    /// program does not read.
    pub stream_buffer_bytes: u32,
    /// The most application streams that wait until one service accepts them. A node refuses more
    /// of them as `Busy` and counts them. 1 or more, default 16.
    pub stream_backlog: usize,
    /// The most messages from peers that wait for the application. A node refuses more of them as
    /// `Busy` and counts them. 1 or more, default 1,024.
    pub inbox_max: usize,
    /// The most connections that peers may have open to this node. A node refuses more of them
    /// before a handshake costs anything. Default 1,024.
    pub inbound_max: usize,
    /// The same limit for one source IP address, so that one address cannot use up `inbound_max`.
    /// Default 256.
    pub inbound_per_ip_max: usize,
    /// The revocations that are known at the start. Default: none.
    pub revoked: RevokedCertificates,
    /// The clock by which certificates are valid. Only tests change it.
    #[doc(hidden)]
    pub certificate_clock: WallClock,
    /// The versions of the protocol, the preferred one first. Only tests change it.
    pub(crate) protocols: &'static [&'static str],
}

impl TransportConfig {
    /// The default settings for a node with this identity that listens on this address.
    pub fn new(listen: SocketAddr, identity: NodeIdentity) -> Self {
        Self {
            listen,
            advertise: None,
            identity,
            pool: PoolConfig::default(),
            frame_bytes_max: 64 * 1024,
            frame_timeout: Duration::from_secs(5),
            handshake_timeout: Duration::from_secs(2),
            quic_idle_timeout: Duration::from_secs(75),
            initial_rtt: Duration::from_millis(50),
            streams_max: 200,
            queue_max: 1024,
            app_streams_max: 32,
            stream_buffer_bytes: 64 * 1024,
            stream_backlog: 16,
            inbox_max: 1024,
            inbound_max: 1024,
            inbound_per_ip_max: 256,
            revoked: RevokedCertificates::default(),
            certificate_clock: WallClock::system(),
            protocols: PROTOCOLS,
        }
    }
}
