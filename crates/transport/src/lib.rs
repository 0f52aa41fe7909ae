//! QUIC with mutual TLS between the members of a cluster: the identity of a node ([`NodeIdentity`],
//! [`ClusterCa`]), the exchange of messages ([`Transport`]), and the pool of connections
//! ([`ConnectionPool`]).
//!
//! The sender of a message is the name in the certificate of its connection, and nothing else. This
//! crate does not interpret messages: a body is opaque bytes. A failed request is evidence
//! ([`Evidence`]), not a verdict.
//!
//! # Examples
//! Two nodes in one process. The second one answers the first one.
//! ```
//! use std::time::Duration;
//! use kinfolk_core::{ClusterId, NodeId};
//! use kinfolk_transport::{ClusterCa, Peer, Transport, TransportConfig};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let ca = ClusterCa::create(&ClusterId::new("demo")?)?;
//! let node = |name| ca.issue(&NodeId::new(name).expect("a label"), Duration::from_secs(3600));
//! let listen = "127.0.0.1:0".parse()?;
//! let (a, _) = Transport::bind(TransportConfig::new(listen, node("a")?))?;
//! let (b, mut incoming) = Transport::bind(TransportConfig::new(listen, node("b")?))?;
//!
//! tokio::spawn(async move {
//!     while let Some(request) = incoming.recv().await {
//!         if let Some(responder) = request.responder {
//!             let _cancelled = responder.respond(format!("hello, {}", request.from).into()).await;
//!         }
//!     }
//! });
//! let peer = Peer::new(b.id().clone(), b.local_addr());
//! let answer = a.request(&peer, "hello".into(), Duration::from_secs(5)).await?;
//! assert_eq!(&answer[..], b"hello, a");
//! a.close(Duration::from_secs(2)).await;
//! # b.close(Duration::from_secs(2)).await;
//! # Ok(())
//! # }
//! # tokio::runtime::Runtime::new().unwrap().block_on(example()).unwrap();
//! ```

#![cfg_attr(
    kinfolk_loom,
    expect(dead_code, reason = "a loom build holds only the pool, without the code that uses it")
)]

#[cfg(not(kinfolk_loom))]
mod config;
#[cfg(not(kinfolk_loom))]
mod error;
mod frame;
mod hello;
#[cfg(not(kinfolk_loom))]
mod identity;
#[cfg(not(kinfolk_loom))]
mod path;
mod peer;
mod pool;
#[cfg(not(kinfolk_loom))]
mod port_check;
#[cfg(not(kinfolk_loom))]
mod quic;
#[cfg(not(kinfolk_loom))]
mod request;
#[cfg(all(feature = "simulation", not(kinfolk_loom)))]
#[doc(hidden)]
pub mod simulation;
#[cfg(not(kinfolk_loom))]
mod stats;
#[cfg(not(kinfolk_loom))]
mod stream_error;
mod traffic;
#[cfg(not(kinfolk_loom))]
mod wall_clock;

#[cfg(not(kinfolk_loom))]
pub use config::{STREAMS_MAX, TransportConfig};
#[cfg(not(kinfolk_loom))]
pub use error::TransportError;
pub use frame::{
    Beginning, FRAME_VERSION, FrameError, FrameReader, HEADER_BYTES, StreamKind, encode as encode_frame,
};
pub use hello::SERVICE_BYTES_MAX;
#[cfg(not(kinfolk_loom))]
pub use identity::{
    Authorities, Certificate, CertificateInfo, ClusterCa, IdentityError, NodeIdentity, NodeSigner, PeerName,
    RevokedCertificates, Revoker, TrustBundle, revocation_pem,
};
pub use peer::{Peer, Target};
pub use pool::{
    CloseReason, ConnId, Connect, Connection, ConnectionPool, ConnectionState, ConnectionStats, DialError,
    DialTimes, Lane, Lease, Need, PoolConfig, PoolError, PoolStats,
};
#[cfg(not(kinfolk_loom))]
pub use quic::{
    AppStream, Dialer, Inbound, Incoming, Listener, PeerConnection, ROTATION_ENDS_WITHIN, Responder,
    StreamReader, StreamWriter, Transport,
};
#[cfg(not(kinfolk_loom))]
pub use request::{Ending, Evidence, Phase, Rejection, RequestError, RequestOptions};
#[cfg(not(kinfolk_loom))]
pub use stats::TransportStats;
#[cfg(not(kinfolk_loom))]
pub use stream_error::{ServiceError, StreamError};
pub use traffic::Traffic;
#[cfg(not(kinfolk_loom))]
pub use traffic::{ReceivedFor, SentFor, Volume};
#[cfg(not(kinfolk_loom))]
pub use wall_clock::WallClock;
