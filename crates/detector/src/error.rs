//! What can be wrong with a configuration of this crate. All of it is the caller's input; nothing has been built yet
//! when one is returned.

use std::time::Duration;

use thiserror::Error;

use crate::config::{HealthConfig, PhiConfig};
use crate::suspicion::SuspicionRule;

/// A setting that is out of its range.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// [`PhiConfig::threshold`] is out of range.
    #[error("phi threshold {found}: give {min} to {max}", min = PhiConfig::THRESHOLD_MIN, max = PhiConfig::THRESHOLD_MAX)]
    Threshold {
        /// The value given.
        found: f64,
    },
    /// [`PhiConfig::window`] is out of range.
    #[error("phi window of {found} intervals: give 1 to {max}", max = PhiConfig::WINDOW_MAX)]
    Window {
        /// The value given.
        found: usize,
    },
    /// [`PhiConfig::min_samples`] is 0 or more than the window holds.
    #[error("{found} samples at least, in a phi window of {window}: give 1 to {window}, or a larger window")]
    MinSamples {
        /// The value given.
        found: usize,
        /// The window that has to hold them.
        window: usize,
    },
    /// A duration is out of its range.
    #[error("{name} of {found:?}: give {min:?} to {max:?}")]
    Duration {
        /// The name of the field.
        name: &'static str,
        /// The value given.
        found: Duration,
        /// The shortest that is taken.
        min: Duration,
        /// The longest that is taken.
        max: Duration,
    },
    /// [`HealthConfig::peers_max`] is out of range.
    #[error("{found} watched peers at the most: give 1 to {max}", max = HealthConfig::PEERS_MAX)]
    PeersMax {
        /// The value given.
        found: usize,
    },
    /// [`FlapPolicy::returns`](crate::FlapPolicy::returns) is out of range.
    #[error("flapping after {found} returns: give 2 or more")]
    FlapReturns {
        /// The value given.
        found: u32,
    },
    /// [`SuspicionRule::alpha`] is out of range.
    #[error("suspicion alpha {found}: give a number above 0")]
    SuspicionAlpha {
        /// The value given.
        found: f64,
    },
    /// [`SuspicionRule::beta`] is out of range.
    #[error("suspicion beta {found}: give 1 (a fixed time, as in SWIM) or more")]
    SuspicionBeta {
        /// The value given.
        found: f64,
    },
    /// [`SuspicionRule::confirmations`] is out of range.
    #[error("{found} suspicion confirmations: give 0 to {max}", max = SuspicionRule::CONFIRMATIONS_MAX)]
    SuspicionConfirmations {
        /// The value given.
        found: u32,
    },
}
