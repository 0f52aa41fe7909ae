//! Choosing an instance of a service, as pure functions: the caller gives the instances, the time,
//! and the randomness, and gets a choice with its reason.
//!
//! ```text
//!   instances ──> Pool::builder ──> filter ──> health and ejection ──> zone ──> subset ──> Pool
//!                                                                                           │
//!                    round_robin, random, weighted, least_loaded, nearest, for_key, replicas
//! ```
//!
//! A [`Pool`] is built once for a view of the cluster and is then only read. A choice of one
//! instance allocates nothing. Equal instances give equal pools on every member, so that
//! [`Pool::for_key`], [`Pool::replicas`] and [`Ring`] agree on all members whose views agree;
//! [`Pool::fingerprint`] tells whether they do.
//!
//! [`Ejections`] takes instances that fail out of the pools, for a time.

mod choice;
mod ejection;
mod hash;
mod instance;
mod pool;
mod ring;
mod strategy;

pub use choice::{Choice, Why};
pub use ejection::{EjectionPolicy, Ejections};
pub use instance::{Health, Instance, Weight};
pub use pool::{Pool, PoolBuilder};
pub use ring::Ring;
