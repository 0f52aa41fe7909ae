//! A liar: a member with a valid certificate that says what other members have not said. It attacks
//! a cluster of 5 and one of 9 honest members. Each lie goes out as gossip, as gossip on a ping, in
//! a join, in a page of an exchange, and in the answers to what the honest members ask the liar.
//!
//! ```text
//!   scene.rs ──┬─ liar.rs    speaks the real wire, and is a member with a statement of its own
//!              ├─ watch.rs   looks at all honest views every 50 ms, until 20 s after an attack
//!              └─ traps      listeners at the forged addresses, which nobody may contact
//! ```
//!
//! What members believe of each other without a signature, that a member is suspect or failed, is
//! not tested here.

mod fields;
mod flood;
mod forge;
mod liar;
mod names;
mod replays;
mod scene;
mod statements;
mod watch;
