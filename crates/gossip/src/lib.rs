//! Runs the pure [`kinfolk_swim::Machine`] over the transport. One task owns the machine, an outbox
//! sends messages without blocking it, and a handle serves the application.
//!
//! The path of a ping:
//!
//! ```text
//! timer -> machine picks a target -> Output::Send -> driver.rs -> outbox.rs
//!   -> Carrier (the transport's pool) -> one stream, one frame
//!   -> the peer's transport -> its inbound.rs -> its machine
//!   -> ack on the same stream -> outbox.rs -> Input::Reply
//! ```

mod carrier;
mod clock;
mod config;
mod driver;
mod error;
mod inbound;
mod outbox;
mod protocol;
mod stats;
mod verification;

pub use carrier::{Carrier, NoAnswer};
pub use clock::Clock;
pub use config::GossipConfig;
pub use error::{GossipError, JoinRefusal};
pub use inbound::{Answerer, Arrival, Arrivals};
pub use protocol::{LeaveReport, OnForgotten, OnRevoked, Parts, Reserve, SwimProtocol};
pub use stats::{GossipQueues, GossipStats};
pub use verification::{Certificates, Verifier};
