//! The ground that every layer of Kinfolk stands on: names, incarnations, states and tags, the precedence law, the
//! registry that holds it, and the events that come out of it.
//!
//! Nothing here knows a runtime, a socket, a clock or the operating system's randomness: time and chance come in from
//! the caller ([`Instant`], [`Rng`]).

mod bus;
mod cause;
mod cluster_id;
mod error;
mod event;
mod incarnation;
mod node;
pub mod precedence;
mod registry;
mod rng;
mod state;
mod status;
mod tags;
mod time;
mod window;

pub use bus::{EventBus, Subscription};
pub use cause::{Cause, Reason};
pub use cluster_id::ClusterId;
pub use error::{NameError, TagsError};
pub use event::ClusterEvent;
pub use incarnation::Incarnation;
pub use node::{NAME_LEN_MAX, NodeAddr, NodeId};
pub use registry::{Change, RegistryCloser, RegistryView, RegistryWriter, SharedNodeRegistry, Snapshot};
pub use rng::Rng;
pub use state::NodeState;
pub use status::NodeStatus;
pub use tags::Tags;
pub use time::Instant;
pub use window::Window;
