//! What a transport is started with. Every field has a default but the identity and the address.

use std::net::SocketAddr;
use std::time::Duration;

use kinfolk_core::NodeAddr;

use crate::identity::NodeIdentity;
use crate::pool::PoolConfig;

/// Streams of each kind that a node lets one peer open on one connection. Part of the protocol: each side keeps its own
/// number of open streams below it.
pub const STREAMS_MAX: u32 = 256;

/// The settings of a [`Transport`](crate::Transport).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TransportConfig {
    /// Where to listen (UDP). Port 0 lets the system choose. Dials leave from another port of the same IP address.
    pub listen: SocketAddr,
    /// The address to tell others, if it is not the one listened on (behind NAT, or when listening on `0.0.0.0`).
    pub advertise: Option<NodeAddr>,
    /// Who this node is.
    pub identity: NodeIdentity,
    /// The connection pool's limits.
    pub pool: PoolConfig,
    /// The longest body of a frame in bytes, in both directions. Default 65,536. Longer ones are refused before anything
    /// is allocated for them. The same on every node.
    pub frame_bytes_max: usize,
    /// How long a peer may take to deliver a frame, from the opening of its stream. Default 5 s; then the stream is reset.
    pub frame_timeout: Duration,
    /// How long a handshake may take; an unauthenticated peer can hold nothing for longer. Default 2 s.
    pub handshake_timeout: Duration,
    /// After this time without a packet QUIC ends a connection, silently. More than the pool's
    /// `health_interval`, default 75 s. The shorter one of the two nodes' values holds.
    pub quic_idle_timeout: Duration,
    /// The round trip that is assumed before the first is measured. Default 50 ms. It sets how soon a lost packet of a
    /// handshake is sent again: lower recovers faster, and sends some packets twice on slower paths.
    pub initial_rtt: Duration,
    /// Requests and messages in flight on one connection; further ones wait. 1 to 200, default 200: below
    /// [`STREAMS_MAX`], so that the peer's limit, where waiters can be lost, is never met.
    pub streams_max: usize,
    /// Requests that wait for their turn on one connection; further ones get `QueueFull`. Default 1,024.
    pub queue_max: usize,
    /// Streams of applications that are open to one peer at a time, and as many again from it; further ones are refused.
    /// 1 to 128, default 32.
    pub app_streams_max: usize,
    /// Bytes that one stream, of an application or of a request, may have under way before its sender waits. 4,096 to
    /// 16,777,216, default 65,536. Smaller delays the probes beside a transfer less; larger is faster over long paths: a
    /// stream moves at most this much in a round trip (1.3 MB/s at 50 ms with the default). What a program has not read
    /// takes up to four times as much memory for each stream.
    pub stream_buffer_bytes: u32,
    /// Streams of applications that wait for one service to accept them; further ones are refused as `Busy` and counted.
    /// 1 or more, default 16.
    pub stream_backlog: usize,
    /// Messages from peers that wait for the application; a peer's further ones are refused as `Busy` and counted. 1 or
    /// more, default 1,024.
    pub inbox_max: usize,
    /// Connections that peers may have open to this node, in total; further ones are refused before the handshake's
    /// cost. Default 1,024.
    pub inbound_max: usize,
    /// The same for one source IP address. Default 256.
    pub inbound_per_ip_max: usize,
}

impl TransportConfig {
    /// The defaults, for a node with this identity listening at this address.
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
        }
    }
}
