//! Phi accrual (Hayashibara et al., SRDS 2004): how improbable the silence of one peer is, learned from its past
//! beats. It accrues suspicion; what follows from it is the caller's business.

use std::time::Duration;

use kinfolk_core::Instant;

use crate::config::PhiConfig;
use crate::error::ConfigError;
use crate::tail::Law;
use crate::window::{IntervalWindow, Moments};

/// The suspicion level of one peer:
///
/// ```text
/// phi(now) = -log10 P(the next beat comes later than now)
/// ```
///
/// under a normal law of the intervals between beats (which are never negative) with the mean and deviation of the
/// latest ones. Phi is 0 at a beat, grows with silence up to rounding, and is always finite.
///
/// What is changed against the paper, because every implementation had to change it:
/// - The deviation has a floor, so that a regular peer is not condemned for a microsecond.
/// - While fewer than [`min_samples`](PhiConfig::min_samples) intervals are known, the missing ones are taken from the
///   prior. Before the first beat all of them are, and silence counts from the creation.
/// - An outage teaches nothing: an interval at whose end phi had reached the threshold is not recorded. But if
///   `min_samples` of them come in a row, they are no outages but a new rhythm: the past is forgotten, and learning
///   starts again with the last of them.
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
    /// Silence is measured from here: the last beat, or the creation, moved by pauses of our own.
    silent_since: Instant,
    last_heartbeat: Option<Instant>,
    /// How many intervals in a row were too long to be recorded.
    refused: usize,
}

impl PhiAccrualDetector {
    /// A detector for a peer of which nothing has been heard yet; its silence counts from `now`.
    ///
    /// # Errors
    /// [`ConfigError`] if a setting is out of range.
    pub fn new(config: PhiConfig, now: Instant) -> Result<Self, ConfigError> {
        config.validate()?;
        Ok(Self::with_valid(config, now))
    }

    /// The same with settings that have been validated.
    pub(crate) fn with_valid(config: PhiConfig, now: Instant) -> Self {
        let window = IntervalWindow::new(config.window);
        Self { config, window, silent_since: now, last_heartbeat: None, refused: 0 }
    }

    /// A beat arrived at `now`. One that is not later than the last one is ignored.
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

    /// How many intervals are known, at most [`window`](PhiConfig::window).
    pub fn samples(&self) -> usize {
        self.window.len()
    }

    /// The mean of the known intervals; `None` while there is none.
    pub fn mean(&self) -> Option<Duration> {
        self.window.moments().map(|moments| Duration::from_secs_f64(moments.mean))
    }

    /// When the last beat arrived; `None` before the first.
    pub fn last_heartbeat(&self) -> Option<Instant> {
        self.last_heartbeat
    }

    /// Takes a pause of our own, in which we could not have heard anything, out of the running silence.
    pub fn excuse(&mut self, pause: Duration, now: Instant) {
        self.silent_since = (self.silent_since + pause).min(now.max(self.silent_since));
    }

    /// [`heartbeat`](Self::heartbeat) where the law is known to be no narrower than `floor`.
    pub(crate) fn heartbeat_above(&mut self, now: Instant, floor: Law) {
        if self.last_heartbeat.is_some_and(|last| now <= last) {
            return;
        }
        // Before the first beat there is no interval: the peer did not start when we did.
        if self.last_heartbeat.is_some() {
            self.learn(self.silence(now), self.phi_above(now, floor) < self.config.threshold);
        }
        self.last_heartbeat = Some(now);
        self.silent_since = now;
    }

    /// [`phi`](Self::phi) where the law is known to be no narrower than `floor`.
    pub(crate) fn phi_above(&self, now: Instant, floor: Law) -> f64 {
        let learned = self.learned();
        let law = Law {
            mean: learned.mean.max(floor.mean) + self.config.acceptable_pause.as_secs_f64(),
            deviation: learned.variance.sqrt().max(floor.deviation),
        };
        law.surprise(self.silence(now).as_secs_f64())
    }

    fn learn(&mut self, interval: Duration, was_available: bool) {
        if !was_available {
            self.refused += 1;
            if self.refused < self.config.min_samples {
                return;
            }
            self.window.clear();
        }
        self.refused = 0;
        self.window.push(interval);
    }

    /// The moments of the window, filled up to `min_samples` with the prior: those of the mixture of both.
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

    fn own_floor(&self) -> Law {
        Law { mean: 0.0, deviation: self.config.min_deviation.as_secs_f64() }
    }
}

#[cfg(test)]
mod tests;
