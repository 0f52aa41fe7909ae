//! Runs the pure [`kinfolk_swim::Machine`] over the transport: one task that owns the machine, an outbox that never
//! makes it wait, and a handle for the application.
//!
//! A ping's way: timer → the machine picks a target → [`Output::Send`](kinfolk_swim::Output::Send) → `driver.rs` hands it to
//! `outbox.rs` → the [`Carrier`] (the transport's pool) → one stream, one frame → the peer's transport → its `inbound.rs`
//! → its machine → the ack on the same stream → `outbox.rs` → [`Input::Reply`](kinfolk_swim::Input::Reply).

mod carrier;
mod clock;
mod config;
mod driver;
mod error;
mod inbound;
mod outbox;
mod protocol;
mod stats;

pub use carrier::{Carrier, NoAnswer};
pub use clock::Clock;
pub use config::GossipConfig;
pub use error::{GossipError, JoinRefusal};
pub use inbound::{Answerer, Arrival, Arrivals};
pub use protocol::{LeaveReport, OnForgotten, Parts, Reserve, SwimProtocol};
pub use stats::GossipStats;
