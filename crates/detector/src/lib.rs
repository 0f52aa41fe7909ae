//! Failure detection as pure functions of time: when silence becomes suspicious, how long a
//! suspicion lasts, and how far a member should trust its own view. This crate uses no clock, no
//! runtime and no randomness: the caller passes the current time.
//!
//! - [`PhiAccrualDetector`]: how improbable one peer's silence is, learned from its past.
//! - [`HealthChecker`]: phi for every member of the shared registry, as verdicts, once an episode.
//! - [`PartitionDetector`]: whether the group is partitioned, and whether this member is in the
//!   minority.
//! - [`FlapDamper`]: which members fail and return again and again.
//! - [`LocalHealth`] and [`SuspicionRule`]: Lifeguard's two formulas, which the protocol machine
//!   applies.

mod config;
mod error;
mod evidence;
mod flap;
mod health;
mod lateness;
mod local_health;
mod partition;
mod phi;
mod schedule;
mod suspicion;
mod tail;
mod window;

pub use config::{HealthConfig, PhiConfig, Rhythm, Scope};
pub use error::ConfigError;
pub use evidence::{Evidence, Finding, SuspicionStatus};
pub use flap::{EventDamping, FlapDamper, FlapPolicy};
pub use health::{HealthChecker, HealthVerdict};
pub use lateness::Lateness;
pub use local_health::LocalHealth;
pub use partition::{Counts, PartitionConfig, PartitionDetector, PartitionStatus, is_mass_failure};
pub use phi::PhiAccrualDetector;
pub use suspicion::{Suspicion, SuspicionRule};
