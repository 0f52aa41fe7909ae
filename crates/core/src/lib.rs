//! The types that every layer of Kinfolk uses: names, incarnations, states and tags; the precedence
//! rule; the registry that applies it; and the events that result.
//!
//! This crate uses no runtime, no socket, no clock and no randomness of the operating system. The
//! caller passes time and randomness in ([`Instant`], [`Rng`]), so that a test or a simulator can
//! replay a run exactly.

mod bus;
mod cause;
mod cluster_id;
mod coordinate;
mod error;
mod event;
mod extensions;
mod fill;
mod incarnation;
mod node;
pub mod precedence;
mod registry;
mod rng;
mod service;
pub mod signed;
mod state;
mod status;
mod tags;
mod time;
mod window;

pub use bus::{EventBus, Subscription};
pub use cause::{Cause, Reason};
pub use cluster_id::ClusterId;
pub use coordinate::Coordinate;
pub use error::{CoordinateError, NameError, OfferError, TagsError};
pub use event::ClusterEvent;
pub use extensions::Extensions;
pub use fill::Fill;
pub use incarnation::Incarnation;
pub use node::{NAME_LEN_MAX, NodeAddr, NodeId};
pub use registry::{Change, RegistryCloser, RegistryView, RegistryWriter, SharedNodeRegistry, Snapshot};
pub use rng::Rng;
pub use service::{Condition, Health, Note, Service, ServiceName, Services, Weight};
pub use state::NodeState;
pub use status::{About, NodeStatus};
pub use tags::Tags;
pub use time::Instant;
pub use window::Window;
