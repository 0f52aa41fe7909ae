//! Cluster membership over QUIC with mutual TLS. Each member knows which members belong to the
//! group, which of them are alive, and their addresses and tags.
//!
//! Each member has a certificate that contains its name. A node needs a certificate of the cluster
//! to connect, and it can only send messages under the name in it. Most applications need only
//! [`Cluster`].
//!
//! # Examples
//! Two members in one process. In production each member has its own files, made by `kinfolk ca`.
//! [`NodeIdentity::from_pem`] reads them.
//! ```
//! use std::time::Duration;
//! use kinfolk::{Cluster, ClusterCa, ClusterConfig, ClusterEvent, ClusterId, NodeId, Tags};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let ca = ClusterCa::create(&ClusterId::new("shop")?)?;
//!     let day = Duration::from_secs(24 * 3600);
//!     let listen = "127.0.0.1:0".parse()?;
//!
//!     let a = Cluster::start(ClusterConfig::new(ca.issue(&NodeId::new("a")?, day)?, listen))?;
//!     let mut events = a.subscribe();
//!
//!     let mut config = ClusterConfig::new(ca.issue(&NodeId::new("b")?, day)?, listen);
//!     config.tags = Tags::new([("role", "db")])?;
//!     let b = Cluster::start(config)?;
//!     b.join(&[a.addr().to_string()]).await?;
//!
//!     while let Some(event) = events.next().await {
//!         if let ClusterEvent::NodeJoined { node } = event {
//!             println!("{} joined with {:?}", node.id, node.tags);
//!             break;
//!         }
//!     }
//!     assert_eq!(a.nodes_with_tag("role", "db")[0].id, *b.id());
//!
//!     b.shutdown().await;
//!     a.shutdown().await;
//!     Ok(())
//! }
//! ```

/// The example of the README compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

mod certificate;
mod cluster;
mod config;
mod contacts;
mod coordinates;
mod description;
mod error;
mod health;
mod join;
#[cfg(feature = "metrics")]
pub mod metrics;
mod partition;
mod record;
mod rejoin;
mod revocations;
mod services;
mod shutdown;
mod state_dir;
mod stats;
mod streams;
mod task;

pub use certificate::CertificateStats;
pub use cluster::Cluster;
pub use config::{ClusterConfig, JoinPolicy, ShutdownLimits};
pub use coordinates::{CoordinateStats, RoundTrip, RoundTripError};
pub use error::{ClusterError, JoinError, OpenError, SeedError, SeedFailure};
pub use join::JoinReport;
pub use services::{
    Check, CheckHandle, CheckOutcome, Lease, Maintenance, SelectError, Selector, ServiceEvent,
    ServiceInstance, ServiceWatch, SnapshotSubscription, Ttl,
};
pub use shutdown::{Phase, PhaseOutcome, PhaseReport, ShutdownReport};
pub use state_dir::StateError;
pub use stats::ClusterStats;

pub use kinfolk_core::signed::{Covered, Serial};
pub use kinfolk_core::{
    About, Cause, ClusterEvent, ClusterId, Condition, Coordinate, Health, Incarnation, NameError, NodeAddr,
    NodeId, NodeState, NodeStatus, OfferError, Reason, RegistryCloser, RegistryView, RegistryWriter, Service,
    ServiceName, Services, SharedNodeRegistry, Snapshot, Subscription, Tags, TagsError, Weight,
};
pub use kinfolk_detector::{
    Evidence, Finding, FlapPolicy, HealthConfig, PartitionStatus, PhiConfig, Rhythm, Scope, SuspicionStatus,
};
pub use kinfolk_gossip::{GossipConfig, GossipError, GossipStats, JoinRefusal, LeaveReport};
pub use kinfolk_select::{Choice, EjectionPolicy, Instance, Pool, Ring, Why};
pub use kinfolk_swim::{ForgetError, Mode, SwimConfig, SwimStats, codec::USER_PAYLOAD_MAX};
pub use kinfolk_transport::{
    AppStream, CertificateInfo, ClusterCa, Ending, IdentityError, Listener, NodeIdentity, PeerName,
    PoolConfig, PoolError, PoolStats, ROTATION_ENDS_WITHIN, Rejection, RequestError, Revoker, ServiceError,
    StreamError, StreamReader, StreamWriter, TransportError, TransportStats, TrustBundle, WallClock,
};
