//! A liar: a member with a valid certificate that says what other members have not said. It attacks
//! a cluster of 5 and one of 9 honest members. Each lie goes out as gossip, as gossip on a ping, in
//! a join, in a page of an exchange, and in the answers to what the honest members ask the liar.
//!
//! ```text
//!   scene.rs ──┬─ liar       speaks the real wire, and is a member with a statement of its own
//!              ├─ watch.rs   looks at all honest views every 50 ms, until 20 s after an attack
//!              └─ traps      listeners at the forged addresses, which nobody may contact
//! ```
//!
//! Lies about failures have files of their own: claims without proof, accusations that the liar
//! signs, old accusations, what the liar says as a witness, and what it makes honest members say.
//! Until a minute after each of them, no honest member is out of an honest view.

mod accusations;
mod claims;
mod fields;
mod flood;
mod forge;
mod names;
mod old_accusations;
mod replays;
mod rhythm;
mod scene;
mod statements;
mod testimonies;
mod watch;
mod witnesses;

use kinfolk_scenarios::liar;
