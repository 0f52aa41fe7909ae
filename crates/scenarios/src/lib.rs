//! Tests of the whole stack: the product's own tokio and QUIC code, with real handshakes and real
//! packets, in virtual time over a simulated network. All random choices except keys come from a
//! seed. The same seed gives the same history of events.
//!
//! A [`World`] has a network ([`Net`]) and a CA. Transports run on it, or the members of a
//! [`Fleet`]. The scenarios are in `tests/`, each in a file of its own. The [`storm`] is here,
//! because a program runs it too.
//!
//! [`processes`] runs real agents, in real time, on real networks with faults. [`overload`] limits
//! the CPU of members in one process. [`event_clients`] follows the events of a real agent with
//! many clients.

pub mod event_clients;
mod fleet;
mod history;
pub mod liar;
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
