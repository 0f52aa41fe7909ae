//! The settings of phi accrual and of the health checker, with their ranges. The settings of
//! suspicion are in `suspicion`, beside its rule.

use std::time::Duration;

use crate::error::ConfigError;

/// The longest duration that a setting of this crate may have: 24 h. This is far beyond use, and
/// small enough that no sum overflows.
const LONGEST: Duration = Duration::from_hours(24);
/// The shortest duration that an interval or a deviation may have: 0 would make a loop without a
/// pause or a division by zero.
pub(crate) const SHORTEST: Duration = Duration::from_millis(1);

/// The settings of one [`PhiAccrualDetector`](crate::PhiAccrualDetector).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PhiConfig {
    /// The suspicion level from which a peer counts as unavailable, 1 to 100, default 8: under the
    /// model, one mistake in 10^8 intervals. A higher threshold means later detection and fewer
    /// mistakes. With a normal distribution it changes the time of detection little: 8 lies at 5.6
    /// deviations, 12 at 7.0.
    pub threshold: f64,
    /// The number of latest intervals that the detector learns from, 1 to 10,000, default 100; 8
    /// bytes each. A longer window estimates better and follows a change of rhythm more slowly.
    pub window: usize,
    /// The number of intervals that must be known before the prior no longer counts, 1 to `window`,
    /// default 5. This is also how many intervals in a row must be too long before they count as a
    /// new rhythm instead of outages.
    pub min_samples: usize,
    /// The smallest deviation that the model uses, 1 ms to 24 h, default 100 ms. Without it a
    /// perfectly regular peer would be suspected for being a microsecond late.
    pub min_deviation: Duration,
    /// The interval to expect of a peer of which nothing is known yet, 1 ms to 24 h, default 1 s.
    /// The prior deviation is a quarter of it.
    pub expected_interval: Duration,
    /// A pause of the peer that is always accepted, 0 to 24 h, default 0: it is added to the
    /// model's mean. It delays detection by the same time.
    pub acceptable_pause: Duration,
}

impl PhiConfig {
    /// The lowest threshold that is allowed.
    pub const THRESHOLD_MIN: f64 = 1.0;
    /// The highest threshold that is allowed.
    pub const THRESHOLD_MAX: f64 = 100.0;
    /// The longest window that is allowed, in intervals.
    pub const WINDOW_MAX: usize = 10_000;

    /// Checks the ranges that the fields state.
    ///
    /// # Errors
    /// [`ConfigError`], which names the field and its range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if !(Self::THRESHOLD_MIN..=Self::THRESHOLD_MAX).contains(&self.threshold) {
            return Err(ConfigError::Threshold { found: self.threshold });
        }
        if !(1..=Self::WINDOW_MAX).contains(&self.window) {
            return Err(ConfigError::Window { found: self.window });
        }
        if !(1..=self.window).contains(&self.min_samples) {
            return Err(ConfigError::MinSamples { found: self.min_samples, window: self.window });
        }
        in_range("min_deviation", self.min_deviation, SHORTEST)?;
        in_range("expected_interval", self.expected_interval, SHORTEST)?;
        in_range("acceptable_pause", self.acceptable_pause, Duration::ZERO)
    }
}

impl Default for PhiConfig {
    fn default() -> Self {
        Self {
            threshold: 8.0,
            window: 100,
            min_samples: 5,
            min_deviation: Duration::from_millis(100),
            expected_interval: Duration::from_secs(1),
            acceptable_pause: Duration::ZERO,
        }
    }
}

/// How often a member is heard from: the silence that the protocol's own schedule explains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Rhythm {
    /// SWIM's shuffled round-robin (section 4.3): in each `expected_interval` every member probes
    /// one other member. With `N` members a peer is heard from about twice every `N - 1` intervals,
    /// at random. By chance alone it may be silent for `2 * (N - 1)` intervals.
    #[default]
    RoundRobin,
    /// Every member is heard from once in each `expected_interval`, at any size of the group.
    Regular,
}

/// The members that a [`HealthChecker`](crate::HealthChecker) watches, and what its verdicts do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Scope {
    /// Every member of the registry. A member whose silence crosses the threshold is claimed to be
    /// suspect.
    #[default]
    Members,
    /// Only the members that [`watch`](crate::HealthChecker::watch) names. Nothing is claimed.
    Listed,
}

/// The settings of a [`HealthChecker`](crate::HealthChecker).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HealthConfig {
    /// The settings for each peer. `expected_interval` is the protocol's probe interval.
    pub phi: PhiConfig,
    /// How often a member is heard from, default [`Rhythm::RoundRobin`].
    pub rhythm: Rhythm,
    /// The members that it watches, default [`Scope::Members`].
    pub scope: Scope,
    /// The time between two calls of [`check`](crate::HealthChecker::check), 1 ms to 24 h, default
    /// 1 s. If a call comes later than [`pause_limit`](Self::pause_limit), this process was paused.
    pub check_interval: Duration,
    /// The most peers that are watched, 1 to 65,536, default 65,536. With the default window a peer
    /// takes about 1 KB. Peers beyond the bound are not watched, but
    /// [counted](crate::HealthChecker::unwatched).
    pub peers_max: usize,
}

impl HealthConfig {
    /// The highest `peers_max`: the default bound of the registry.
    pub const PEERS_MAX: usize = 65_536;

    /// The longest time between two checks that still counts as normal: twice the check interval,
    /// plus 1 s. One check may be late by a whole interval, and a busy machine by a second, without
    /// being paused.
    pub fn pause_limit(&self) -> Duration {
        self.check_interval * 2 + Duration::from_secs(1)
    }

    /// Checks the ranges that the fields state.
    ///
    /// # Errors
    /// [`ConfigError`], which names the field and its range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.phi.validate()?;
        in_range("check_interval", self.check_interval, SHORTEST)?;
        if !(1..=Self::PEERS_MAX).contains(&self.peers_max) {
            return Err(ConfigError::PeersMax { found: self.peers_max });
        }
        Ok(())
    }
}

impl Default for HealthConfig {
    fn default() -> Self {
        Self {
            phi: PhiConfig::default(),
            rhythm: Rhythm::default(),
            scope: Scope::default(),
            check_interval: Duration::from_secs(1),
            peers_max: Self::PEERS_MAX,
        }
    }
}

/// Checks that a duration lies between `min` and 24 h.
pub(crate) fn in_range(name: &'static str, found: Duration, min: Duration) -> Result<(), ConfigError> {
    if (min..=LONGEST).contains(&found) {
        Ok(())
    } else {
        Err(ConfigError::Duration { name, found, min, max: LONGEST })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phi(change: impl FnOnce(&mut PhiConfig)) -> bool {
        let mut config = PhiConfig::default();
        change(&mut config);
        config.validate().is_ok()
    }

    fn health(change: impl FnOnce(&mut HealthConfig)) -> bool {
        let mut config = HealthConfig::default();
        change(&mut config);
        config.validate().is_ok()
    }

    #[test]
    fn defaults_are_valid() {
        assert_eq!(HealthConfig::default().validate(), Ok(()));
        assert_eq!(HealthConfig::default().pause_limit(), Duration::from_secs(3));
    }

    #[test]
    fn phi_setting_past_its_bound_is_refused() {
        assert!(phi(|c| c.threshold = 1.0) && !phi(|c| c.threshold = 0.99));
        assert!(phi(|c| c.threshold = 100.0) && !phi(|c| c.threshold = 100.1));
        assert!(!phi(|c| c.threshold = f64::NAN) && !phi(|c| c.threshold = f64::INFINITY));
        assert!(phi(|c| c.window = 10_000) && !phi(|c| c.window = 10_001));
        assert!(phi(|c| c.window = 5) && !phi(|c| c.window = 4), "the samples must fit into the window");
        assert!(phi(|c| c.min_samples = 100) && !phi(|c| c.min_samples = 101));
        assert!(phi(|c| c.min_samples = 1) && !phi(|c| c.min_samples = 0));
        assert!(phi(|c| (c.window, c.min_samples) = (1, 1)) && !phi(|c| (c.window, c.min_samples) = (0, 0)));
    }

    #[test]
    fn duration_past_its_bound_is_refused() {
        let (short, long) = (Duration::from_nanos(999_999), LONGEST + Duration::from_nanos(1));
        for (duration, valid) in [(short, false), (SHORTEST, true), (LONGEST, true), (long, false)] {
            assert_eq!(phi(|c| c.min_deviation = duration), valid, "min_deviation {duration:?}");
            assert_eq!(phi(|c| c.expected_interval = duration), valid, "expected_interval {duration:?}");
            assert_eq!(health(|c| c.check_interval = duration), valid, "check_interval {duration:?}");
        }
        assert!(phi(|c| c.acceptable_pause = LONGEST) && !phi(|c| c.acceptable_pause = long));
    }

    #[test]
    fn peers_max_and_nested_phi_settings_are_checked() {
        assert!(health(|c| c.peers_max = 1) && !health(|c| c.peers_max = 0));
        assert!(health(|c| c.peers_max = 65_536) && !health(|c| c.peers_max = 65_537));
        assert!(!health(|c| c.phi.window = 0));
    }

    #[test]
    fn error_names_field_value_and_range() {
        let config = PhiConfig { expected_interval: Duration::ZERO, ..PhiConfig::default() };
        let text = config.validate().unwrap_err().to_string();
        assert_eq!(text, "expected_interval is 0ns; it must be 1ms to 86400s");
    }
}
