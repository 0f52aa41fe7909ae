//! Replays one stream of beats through one detector, and measures how often the detector is wrong
//! and how late it detects a crash.

use std::time::Duration;

use super::estimators::{Estimator, Kind};

/// The detection time is computed after each so many beats: often enough for a quantile, and cheap.
const ASK_EACH: usize = 100;
/// The number of beats before the measurement: as many as the longest window holds.
const TAUGHT: usize = 1_000;
/// A silence that does not reach the threshold within this time counts as never reaching it.
const NEVER: Duration = Duration::from_hours(24);

/// The result of one detector on one stream.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Outcome {
    /// The number of silences that ended.
    pub beats: u64,
    /// The number of those that had reached the threshold.
    pub mistakes: u64,
    /// The length of the stream, in seconds.
    pub watched: f64,
    /// For a crash right after a beat: the time from that beat until phi reaches the threshold, in
    /// seconds, for each computation. Empty if no silence reaches it.
    pub detections: Vec<f64>,
}

impl Outcome {
    /// Combines both.
    pub(super) fn and(mut self, other: Self) -> Self {
        self.beats += other.beats;
        self.mistakes += other.mistakes;
        self.watched += other.watched;
        self.detections.extend(other.detections);
        self
    }
}

/// Replays the intervals; `None` if the detector does not accept this threshold.
pub(super) fn replay(kind: Kind, threshold: f64, intervals: &[Duration]) -> Option<Outcome> {
    let mut estimator = kind.at(threshold)?;
    let (taught, judged) = intervals.split_at(TAUGHT.min(intervals.len()));
    for interval in taught {
        estimator.beat(*interval);
    }
    let mut outcome =
        Outcome { beats: judged.len() as u64, mistakes: 0, watched: 0.0, detections: Vec::new() };
    for (beat, interval) in judged.iter().enumerate() {
        if beat % ASK_EACH == 0 {
            outcome.detections.extend(detection(&*estimator, threshold));
        }
        outcome.mistakes += u64::from(estimator.phi(*interval) >= threshold);
        outcome.watched += interval.as_secs_f64();
        estimator.beat(*interval);
    }
    Some(outcome)
}

/// The silence at which phi reaches the threshold, in seconds, with a resolution of a millisecond.
fn detection(estimator: &dyn Estimator, threshold: f64) -> Option<f64> {
    if estimator.phi(NEVER) < threshold {
        return None;
    }
    // Double the upper bound first, because most results are seconds, not a day.
    let mut high = Duration::from_secs(1);
    while estimator.phi(high) < threshold {
        high *= 2;
    }
    let (mut low, step) = (Duration::ZERO, Duration::from_millis(1));
    while high > low + step {
        let middle = (low + high) / 2;
        if estimator.phi(middle) < threshold { low = middle } else { high = middle }
    }
    Some(high.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use kinfolk_core::Rng;

    use super::super::arrivals::Shape;
    use super::*;

    #[test]
    fn normal_beats_give_the_promised_mistakes() {
        let beats = 200_000;
        let intervals = Shape::Normal.draw(beats, &mut Rng::from_seed(9));
        for threshold in [1.0, 2.0] {
            let outcome = replay(Kind::Normal, threshold, &intervals).unwrap();
            let promised = beats as f64 * 10_f64.powf(-threshold);
            let found = outcome.mistakes as f64;
            assert!((found / promised - 1.0).abs() < 0.1, "{found} mistakes, {promised} promised");
        }
    }

    #[test]
    fn exponential_detector_detects_at_18_4_intervals() {
        let outcome = replay(Kind::Exponential, 8.0, &vec![Duration::from_secs(1); 2_000]).unwrap();
        assert_eq!((outcome.mistakes, outcome.detections.len()), (0, 10));
        assert!(outcome.detections.iter().all(|time| (time - 18.42).abs() < 0.01));
    }

    #[test]
    fn quantile_of_1_000_never_reaches_phi_4() {
        let intervals = Shape::Normal.draw(3_000, &mut Rng::from_seed(9));
        assert!(replay(Kind::Quantile, 4.0, &intervals).unwrap().detections.is_empty());
        assert!(!replay(Kind::Quantile, 2.0, &intervals).unwrap().detections.is_empty());
    }

    #[test]
    fn higher_threshold_is_slower_with_fewer_mistakes() {
        let intervals = Shape::Bursty.draw(50_000, &mut Rng::from_seed(9));
        for kind in Kind::ALL {
            let [low, high] = [1.0, 2.5].map(|threshold| replay(kind, threshold, &intervals).unwrap());
            assert!(low.mistakes >= high.mistakes, "{kind:?}");
            assert!(low.detections.iter().sum::<f64>() < high.detections.iter().sum::<f64>(), "{kind:?}");
        }
    }
}
