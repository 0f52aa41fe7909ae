//! The detectors that the experiment runs. From the past of one peer, each computes how improbable
//! a silence is, as phi. The first one is the detector that ships; only the experiment uses the
//! others.

use std::collections::VecDeque;
use std::f64::consts::LN_10;
use std::time::Duration;

use kinfolk_core::Instant;
use kinfolk_detector::{PhiAccrualDetector, PhiConfig};
use statrs::distribution::{ContinuousCDF, Normal};

use super::arrivals::MEAN;

/// The window that the paper found sufficient, and that Pekko and Cassandra use.
const WINDOW: usize = 1_000;
/// Pekko's lowest standard deviation, in seconds.
const PEKKO_DEVIATION_MIN: f64 = 0.1;
/// Pekko's acceptable pause, in seconds.
const PEKKO_PAUSE: f64 = 3.0;

/// One detector of one peer, at one threshold.
pub(super) trait Estimator {
    /// Phi after a silence of this length. It never decreases as the silence grows.
    fn phi(&self, silence: Duration) -> f64;

    /// A beat arrives after a silence of this length.
    fn beat(&mut self, silence: Duration);
}

/// The kind of detector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// [`PhiAccrualDetector`] with its defaults.
    Ours,
    /// The same with the window of the other detectors.
    OursLong,
    /// The paper's: a normal distribution with the mean and the standard deviation of the window.
    Normal,
    /// Cassandra's: `phi = 0.434 * silence / mean`.
    Exponential,
    /// Pekko's: a logistic approximation of the normal distribution, shifted by the acceptable
    /// pause.
    Pekko,
    /// The share of the window's intervals that were longer.
    Quantile,
}

impl Kind {
    pub(super) const ALL: [Self; 6] =
        [Self::Ours, Self::OursLong, Self::Normal, Self::Exponential, Self::Pekko, Self::Quantile];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ours => "kinfolk",
            Self::OursLong => "kinfolk, window 1,000",
            Self::Normal => "normal",
            Self::Exponential => "exponential (Cassandra)",
            Self::Pekko => "logistic, 3 s pause (Pekko)",
            Self::Quantile => "empirical quantile",
        }
    }

    /// Creates a detector with this threshold; `None` if the kind does not accept it.
    pub(super) fn at(self, threshold: f64) -> Option<Box<dyn Estimator>> {
        Some(match self {
            Self::Ours => Box::new(Ours::new(threshold, PhiConfig::default().window)?),
            Self::OursLong => Box::new(Ours::new(threshold, WINDOW)?),
            Self::Normal => Box::new(PlainNormal(Moments::default())),
            Self::Exponential => Box::new(Exponential(Moments::default())),
            Self::Pekko => Box::new(Pekko { threshold, past: Moments::with_prior() }),
            Self::Quantile => Box::new(Quantile::default()),
        })
    }
}

struct Ours {
    detector: PhiAccrualDetector,
    last: Instant,
}

impl Ours {
    fn new(threshold: f64, window: usize) -> Option<Self> {
        let expected_interval = Duration::from_secs_f64(MEAN);
        let config = PhiConfig { threshold, window, expected_interval, ..PhiConfig::default() };
        let mut detector = PhiAccrualDetector::new(config, Instant::ORIGIN).ok()?;
        // The first beat starts the clock of the detector: phi needs a last heartbeat.
        detector.heartbeat(Instant::ORIGIN);
        Some(Self { detector, last: Instant::ORIGIN })
    }
}

impl Estimator for Ours {
    fn phi(&self, silence: Duration) -> f64 {
        self.detector.phi(self.last + silence)
    }

    fn beat(&mut self, silence: Duration) {
        self.last += silence;
        self.detector.heartbeat(self.last);
    }
}

struct PlainNormal(Moments);

impl Estimator for PlainNormal {
    fn phi(&self, silence: Duration) -> f64 {
        let (mean, deviation) = self.0.known();
        // Without a deviation the normal distribution is a step at its mean, and the division below
        // fails.
        if deviation == 0.0 {
            return if silence.as_secs_f64() > mean { f64::INFINITY } else { 0.0 };
        }
        -Normal::standard().sf((silence.as_secs_f64() - mean) / deviation).log10()
    }

    fn beat(&mut self, silence: Duration) {
        self.0.push(silence);
    }
}

struct Exponential(Moments);

impl Estimator for Exponential {
    fn phi(&self, silence: Duration) -> f64 {
        let (mean, _) = self.0.known();
        silence.as_secs_f64() / mean / LN_10
    }

    fn beat(&mut self, silence: Duration) {
        self.0.push(silence);
    }
}

struct Pekko {
    threshold: f64,
    past: Moments,
}

impl Estimator for Pekko {
    fn phi(&self, silence: Duration) -> f64 {
        let (mean, deviation) = self.past.known();
        let sigmas = (silence.as_secs_f64() - mean - PEKKO_PAUSE) / deviation.max(PEKKO_DEVIATION_MIN);
        // The constants of the logistic approximation are those of Pekko's implementation.
        let odds = (-sigmas * (1.597_6 + 0.070_566 * sigmas * sigmas)).exp();
        // Two equivalent forms: each is accurate on its side of zero, where the other loses digits.
        if sigmas > 0.0 { -(odds / (1.0 + odds)).log10() } else { -(1.0 - 1.0 / (1.0 + odds)).log10() }
    }

    fn beat(&mut self, silence: Duration) {
        // The detector ignores an interval that it took for a failure: it would distort the mean.
        if self.phi(silence) < self.threshold {
            self.past.push(silence);
        }
    }
}

/// The window twice: in the order of arrival, and sorted.
#[derive(Default)]
struct Quantile {
    past: VecDeque<Duration>,
    ordered: Vec<Duration>,
}

impl Estimator for Quantile {
    /// At most `log10(1,001)`, 3.0, because 1,000 intervals say nothing about rarer events.
    fn phi(&self, silence: Duration) -> f64 {
        let longer = self.ordered.len() - self.ordered.partition_point(|known| *known <= silence);
        ((self.ordered.len() + 1) as f64 / (longer + 1) as f64).log10()
    }

    fn beat(&mut self, silence: Duration) {
        // The window is full: the oldest interval must leave both copies.
        if self.past.len() == WINDOW
            && let Some(oldest) = self.past.pop_front()
        {
            self.ordered.remove(self.ordered.partition_point(|known| *known < oldest));
        }
        self.past.push_back(silence);
        self.ordered.insert(self.ordered.partition_point(|known| *known < silence), silence);
    }
}

/// Mean and standard deviation of the latest intervals, from integer sums, which do not accumulate
/// rounding errors.
#[derive(Default)]
struct Moments {
    past: VecDeque<u64>,
    sum: u128,
    squares: u128,
}

impl Moments {
    /// Pekko's first estimate: two intervals, one a quarter below and one a quarter above the
    /// expected interval.
    fn with_prior() -> Self {
        let mut moments = Self::default();
        for share in [0.75, 1.25] {
            moments.push(Duration::from_secs_f64(share * MEAN));
        }
        moments
    }

    fn push(&mut self, interval: Duration) {
        if self.past.len() == WINDOW
            && let Some(oldest) = self.past.pop_front()
        {
            self.sum -= u128::from(oldest);
            self.squares -= u128::from(oldest).pow(2);
        }
        let micros = u64::try_from(interval.as_micros()).unwrap_or(u64::MAX);
        self.past.push_back(micros);
        self.sum += u128::from(micros);
        self.squares += u128::from(micros).pow(2);
    }

    /// Mean and standard deviation in seconds; before the first interval the expected mean and
    /// zero.
    fn known(&self) -> (f64, f64) {
        const MICROS: f64 = 1e6;
        let count = self.past.len() as u128;
        if count == 0 {
            return (MEAN, 0.0);
        }
        let variance = (count * self.squares - self.sum * self.sum) as f64 / (count * count) as f64;
        (self.sum as f64 / count as f64 / MICROS, variance.sqrt() / MICROS)
    }
}

#[cfg(test)]
mod tests {
    use kinfolk_core::Rng;

    use super::super::arrivals::Shape;
    use super::*;

    fn taught(kind: Kind, threshold: f64, intervals: &[Duration]) -> Box<dyn Estimator> {
        let mut estimator = kind.at(threshold).unwrap();
        for interval in intervals {
            estimator.beat(*interval);
        }
        estimator
    }

    fn regular() -> Vec<Duration> {
        Shape::Normal.draw(1_000, &mut Rng::from_seed(1))
    }

    #[test]
    fn phi_never_decreases_during_a_silence() {
        for kind in Kind::ALL {
            let estimator = taught(kind, 8.0, &regular());
            let phis: Vec<_> = (0..200).map(|n| estimator.phi(Duration::from_millis(50 * n))).collect();
            assert!(phis.windows(2).all(|pair| pair[0] <= pair[1] + 1e-9), "{kind:?}: {phis:?}");
        }
    }

    #[test]
    fn detectors_give_known_values() {
        let exponential = taught(Kind::Exponential, 8.0, &[Duration::from_secs(1); 10]);
        assert!((exponential.phi(Duration::from_secs_f64(18.42)) - 8.0).abs() < 0.01, "Cassandra's 18.4 s");
        let pekko = taught(Kind::Pekko, 8.0, &[Duration::from_secs(1); 1_000]);
        let reached = |silence| pekko.phi(Duration::from_secs_f64(silence)) >= 8.0;
        assert!(!reached(4.4) && reached(4.6), "about 4.5 s");
        let normal = taught(Kind::Normal, 8.0, &regular());
        assert!((normal.phi(Duration::from_secs_f64(1.0 + 5.612 * 0.25)) - 8.0).abs() < 0.7);
        let quantile = taught(Kind::Quantile, 8.0, &regular());
        assert!((quantile.phi(Duration::from_secs(100)) - 3.0).abs() < 0.01);
    }

    #[test]
    fn shipped_detector_refuses_thresholds_below_one() {
        assert!(Kind::Ours.at(0.5).is_none() && Kind::Ours.at(1.0).is_some());
    }

    #[test]
    fn outage_changes_normal_but_not_pekko() {
        let outage = Duration::from_mins(1);
        let teach = |kind| {
            let mut estimator = taught(kind, 8.0, &regular());
            let before = estimator.phi(Duration::from_secs(4));
            estimator.beat(outage);
            (before, estimator.phi(Duration::from_secs(4)))
        };
        let (before, after) = teach(Kind::Pekko);
        assert!((before - after).abs() < f64::EPSILON);
        let (before, after) = teach(Kind::Normal);
        assert!(after < before / 2.0, "{before} then {after}");
    }
}
