//! Signed statements. What a member says of itself counts only with its signature. It does not
//! matter which member passes it on.
//!
//! ```text
//!   the member:  statement ── Sign ──> Proof            goes along wherever the statement goes
//!   a receiver:  Unverified<T> ── Verify ──> Verified<T>     or a Refusal, and nothing changes
//! ```
//!
//! This module says which bytes are signed (`bytes.rs`) and what must hold. It computes no
//! signatures: the program that runs the protocol implements [`Sign`] and [`Verify`].

mod accusation;
mod bytes;
mod hash;
mod proof;
mod revocation;
mod verify;

#[cfg(any(test, feature = "simulation"))]
pub mod simulated;
#[cfg(test)]
#[cfg(not(kinfolk_loom))]
mod tests;

pub use accusation::{Accusation, Charge};
pub use bytes::{Attested, Kind, is_same};
pub use hash::{ContentHash, Fingerprint};
pub use proof::{Proof, Signature};
pub use revocation::{Covered, Revocation, Serial};
pub use verify::{Claims, Refusal, Sign, Unverified, Verified, Verify, prove, verify_item};
