//! Whole-stack tests: the product's own tokio and QUIC code, with real handshakes and real packets, in virtual time over a
//! simulated network. Everything but the keys comes from a seed, and the same seed gives the same history of events.
//!
//! A [`World`] has a network ([`Net`]) and a cluster's authority; on it run transports, or members of a [`Fleet`]. The
//! scenarios are in `tests/`, each in a file of its own; the [`storm`] is here, as a program runs it too.
//!
//! [`processes`] is the other half: real agents, in real time, on real networks with faults. [`overload`] takes the CPU from
//! members in one process.

mod fleet;
mod history;
mod link;
mod net;
pub mod overload;
pub mod processes;
mod quota;
mod socket;
pub mod storm;
mod wait;
mod world;

pub use fleet::Fleet;
pub use history::{Entry, History};
pub use link::Link;
pub use net::{Fate, Net, NetStats};
pub use wait::until;
pub use world::{PORT, World, run};
