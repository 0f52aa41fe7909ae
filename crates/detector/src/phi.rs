//! Phi accrual (Hayashibara et al., SRDS 2004): how improbable the silence of one peer is, learned
//! from its past heartbeats. The detector only computes the suspicion level; the caller decides
//! what follows.

use std::time::Duration;

use kinfolk_core::Instant;

use crate::config::PhiConfig;
use crate::error::ConfigError;
use crate::tail::Distribution;
use crate::window::{IntervalWindow, Moments};

/// The suspicion level of one peer:
///
/// ```text
/// phi(now) = -log10 P(the next beat comes later than now)
/// ```
///
/// under a normal distribution of the intervals between heartbeats (which are never negative), with
/// the mean and deviation of the latest intervals. Phi is 0 at a heartbeat, grows with silence up
/// to rounding, and is always finite.
///
/// Differences from the paper:
/// - The deviation has a floor, so that a regular peer is not suspected for being a microsecond
///   late.
/// - While fewer than [`min_samples`](PhiConfig::min_samples) intervals are known, the missing ones
///   are taken from the prior. Before the first heartbeat all of them are, and silence counts from
///   the creation.
/// - An outage is not learned: an interval is not recorded if phi had reached the threshold at its
///   end. If `min_samples` such intervals come in a row, they are a new rhythm and not outages.
///   Then the past is forgotten, and learning starts again with the last of them.
///
/// # Examples
/// ```
/// use kinfolk_core::Instant;
/// use kinfolk_detector::{PhiAccrualDetector, PhiConfig};
/// use std::time::Duration;
///
/// let second = Duration::from_secs(1);
/// let mut now = Instant::ORIGIN;
/// let mut detector = PhiAccrualDetector::new(PhiConfig::default(), now)?;
/// for _ in 0..10 {
///     now += second;
///     detector.heartbeat(now);
/// }
/// assert!(detector.phi(now + second) < 1.0);
/// assert!(!detector.is_available(now + 2 * second));
/// # Ok::<(), kinfolk_detector::ConfigError>(())
/// ```
#[derive(Debug, Clone)]
pub struct PhiAccrualDetector {
    config: PhiConfig,
    window: IntervalWindow,
    /// Silence is measured from here: from the last heartbeat, or from the creation, moved by the
    /// pauses of this process.
    silent_since: Instant,
    last_heartbeat: Option<Instant>,
    /// The number of intervals in a row that were too long to be recorded.
    refused: usize,
}

impl PhiAccrualDetector {
    /// A detector for a peer that was never heard from; its silence counts from `now`.
    ///
    /// # Errors
    /// [`ConfigError`] if a setting is out of range.
    pub fn new(config: PhiConfig, now: Instant) -> Result<Self, ConfigError> {
        config.validate()?;
        Ok(Self::with_valid(config, now))
    }

    /// As [`new`](Self::new), with settings that are valid already.
    pub(crate) fn with_valid(config: PhiConfig, now: Instant) -> Self {
        let window = IntervalWindow::new(config.window);
        Self { config, window, silent_since: now, last_heartbeat: None, refused: 0 }
    }

    /// A heartbeat arrived at `now`. It is ignored if it is not later than the last one.
    pub fn heartbeat(&mut self, now: Instant) {
        self.heartbeat_above(now, self.own_floor());
    }

    /// The suspicion level: at least 0, always finite.
    pub fn phi(&self, now: Instant) -> f64 {
        self.phi_above(now, self.own_floor())
    }

    /// Whether phi is below the threshold.
    pub fn is_available(&self, now: Instant) -> bool {
        self.phi(now) < self.config.threshold
    }

    /// How long nothing has been heard, without the pauses that were excused.
    pub fn silence(&self, now: Instant) -> Duration {
        now.since(self.silent_since)
    }

    /// The number of known intervals, at most [`window`](PhiConfig::window).
    pub fn samples(&self) -> usize {
        self.window.len()
    }

    /// The mean of the known intervals; `None` while there is none.
    pub fn mean(&self) -> Option<Duration> {
        self.window.moments().map(|moments| Duration::from_secs_f64(moments.mean))
    }

    /// When the last heartbeat arrived; `None` before the first.
    pub fn last_heartbeat(&self) -> Option<Instant> {
        self.last_heartbeat
    }

    /// Takes a pause of this process out of the running silence: no message could arrive during it.
    pub fn excuse(&mut self, pause: Duration, now: Instant) {
        // A pause excuses only silence that has happened. If the silence started in the future,
        // later real silence would be hidden.
        self.silent_since = (self.silent_since + pause).min(now.max(self.silent_since));
    }

    /// [`heartbeat`](Self::heartbeat) with a distribution that is no narrower than `floor`.
    pub(crate) fn heartbeat_above(&mut self, now: Instant, floor: Distribution) {
        if self.last_heartbeat.is_some_and(|last| now <= last) {
            return;
        }
        // Before the first heartbeat there is no interval: the peer did not start when this process
        // did.
        if self.last_heartbeat.is_some() {
            self.learn(self.silence(now), self.phi_above(now, floor) < self.config.threshold);
        }
        self.last_heartbeat = Some(now);
        self.silent_since = now;
    }

    /// [`phi`](Self::phi) with a distribution that is no narrower than `floor`.
    pub(crate) fn phi_above(&self, now: Instant, floor: Distribution) -> f64 {
        let learned = self.learned();
        let distribution = Distribution {
            mean: learned.mean.max(floor.mean) + self.config.acceptable_pause.as_secs_f64(),
            deviation: learned.variance.sqrt().max(floor.deviation),
        };
        distribution.surprise(self.silence(now).as_secs_f64())
    }

    fn learn(&mut self, interval: Duration, was_available: bool) {
        if !was_available {
            // An outage would widen the distribution and hide the next outage. A peer that is now
            // slower must still be learned, or it would be suspected at every heartbeat.
            self.refused += 1;
            if self.refused < self.config.min_samples {
                return;
            }
            self.window.clear();
        }
        self.refused = 0;
        self.window.push(interval);
    }

    /// The moments of the window. Intervals that are missing up to `min_samples` come from the
    /// prior: the moments are those of the mixture of both.
    fn learned(&self) -> Moments {
        let mean = self.config.expected_interval.as_secs_f64();
        let prior = Moments { mean, variance: (mean / 4.0) * (mean / 4.0) };
        let Some(window) = self.window.moments() else { return prior };
        let known = self.window.len() as f64;
        let missing = self.config.min_samples.saturating_sub(self.window.len()) as f64;
        let (window_share, prior_share) = (known / (known + missing), missing / (known + missing));
        let between = window.mean - prior.mean;
        Moments {
            mean: window_share * window.mean + prior_share * prior.mean,
            variance: window_share * window.variance
                + prior_share * prior.variance
                + window_share * prior_share * between * between,
        }
    }

    fn own_floor(&self) -> Distribution {
        Distribution { mean: 0.0, deviation: self.config.min_deviation.as_secs_f64() }
    }
}

#[cfg(test)]
mod tests;
