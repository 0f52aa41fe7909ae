//! Network coordinates: a member's place in a space in which distances are round trips, so that any
//! two members can estimate the round trip between them without a measurement (Vivaldi, SIGCOMM
//! 2004). This crate uses no clock, no runtime, and no randomness but a seed: the caller passes
//! time, round trips, and the coordinates that peers have stated.
//!
//! ```text
//!   round trip to a peer,            ┌─────────┐  coordinate()   ┌───────────┐   a coordinate
//!   and the coordinate that ────────>│ Locator │────────────────>│ Publisher │──> for the member's
//!   the peer states                  └─────────┘                 └───────────┘   next statement
//!                                     where am I?                 is it worth a statement?
//! ```
//!
//! - [`Locator`]: fits this member's coordinate to its round trips.
//! - [`Publisher`]: decides when the member states a new coordinate. A statement is signed and
//!   reaches all members, so it must be rare.
//!
//! `docs/decisions/0024` says why the two work as they do, and what a peer that states false
//! coordinates can do.

mod fit;
mod locator;
mod peers;
mod point;
mod publisher;
mod trips;

pub use locator::{Locator, LocatorStats};
pub use publisher::Publisher;
