//! Errors of the settings of this crate. The cause is always the caller's input. When one of these
//! errors is returned, nothing has been built yet.

use std::time::Duration;

use thiserror::Error;

use crate::config::{HealthConfig, PhiConfig};
use crate::suspicion::SuspicionRule;

/// A setting that is out of its range.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// [`PhiConfig::threshold`] is out of range.
    ///
    /// What to do: give 1 to 100. The default, 8, is right for most groups.
    #[error("phi threshold is {found}; it must be {min} to {max}", min = PhiConfig::THRESHOLD_MIN, max = PhiConfig::THRESHOLD_MAX)]
    Threshold {
        /// The value given.
        found: f64,
    },
    /// [`PhiConfig::window`] is out of range.
    ///
    /// What to do: give 1 to 10,000 intervals. The default is 100.
    #[error("phi window is {found} intervals; it must be 1 to {max}", max = PhiConfig::WINDOW_MAX)]
    Window {
        /// The value given.
        found: usize,
    },
    /// [`PhiConfig::min_samples`] is 0, or more than the window holds.
    ///
    /// What to do: give at least 1 and at most the window's size, or make the window larger.
    #[error(
        "phi min_samples is {found}; it must be 1 to {window}, the size of the phi window, or the window must be larger"
    )]
    MinSamples {
        /// The value given.
        found: usize,
        /// The window that has to hold them.
        window: usize,
    },
    /// A duration is out of its range.
    ///
    /// What to do: give the field that the message names a value within the range that it shows.
    #[error("{name} is {found:?}; it must be {min:?} to {max:?}")]
    Duration {
        /// The name of the field.
        name: &'static str,
        /// The value given.
        found: Duration,
        /// The shortest duration that is allowed.
        min: Duration,
        /// The longest duration that is allowed.
        max: Duration,
    },
    /// [`HealthConfig::peers_max`] is out of range.
    ///
    /// What to do: give 1 to 65,536.
    #[error("peers_max is {found}; it must be 1 to {max}", max = HealthConfig::PEERS_MAX)]
    PeersMax {
        /// The value given.
        found: usize,
    },
    /// [`FlapPolicy::returns`](crate::FlapPolicy::returns) is below 2.
    ///
    /// What to do: give 2 or more. The default is 3. With 1 every member that returns would count
    /// as flapping.
    #[error("flap threshold is {found}; it must be at least 2")]
    FlapReturns {
        /// The value given.
        found: u32,
    },
    /// [`SuspicionRule::alpha`] is not a finite number above 0.
    ///
    /// What to do: give a finite number above 0. The default is 4.
    #[error("suspicion alpha is {found}; it must be a finite number above 0")]
    SuspicionAlpha {
        /// The value given.
        found: f64,
    },
    /// [`SuspicionRule::beta`] is not a finite number of 1 or more.
    ///
    /// What to do: give 1 or more. The default is 6; 1 makes the time fixed, as in SWIM.
    #[error(
        "suspicion beta is {found}; it must be a finite number of at least 1 (1 is a fixed time, as in SWIM)"
    )]
    SuspicionBeta {
        /// The value given.
        found: f64,
    },
    /// [`SuspicionRule::confirmations`] is out of range.
    ///
    /// What to do: give 0 to 64. The default is 3.
    #[error("the number of suspicion confirmations is {found}; it must be 0 to {max}", max = SuspicionRule::CONFIRMATIONS_MAX)]
    SuspicionConfirmations {
        /// The value given.
        found: u32,
    },
}
