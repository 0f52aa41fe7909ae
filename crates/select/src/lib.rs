//! The choice of a service's instance, as pure functions. The caller gives the instances, the time,
//! and the randomness, and gets a choice with its reason.
//!
//! ```text
//!   instances ──> Pool::builder ──> filter ──> health and ejection ──> zone ──> subset ──> Pool
//!                                                                                           │
//!                    round_robin, random, weighted, least_loaded, nearest, for_key, replicas
//! ```
//!
//! The caller builds a [`Pool`] once for a view of the cluster. Then the pool is only read. A
//! choice of one instance allocates nothing. Equal instances give equal pools on every member. So
//! [`Pool::for_key`], [`Pool::replicas`] and [`Ring`] give the same result on all members with
//! equal views. Equal fingerprints ([`Pool::fingerprint`]) show that pools are equal.
//!
//! [`Ejections`] decides which failing instances the pools leave out for some time.

mod choice;
mod ejection;
mod hash;
mod instance;
mod pool;
mod ring;
mod strategy;

pub use choice::{Choice, Why};
pub use ejection::{EjectionPolicy, Ejections};
pub use instance::Instance;
pub use pool::{Pool, PoolBuilder};
pub use ring::Ring;
