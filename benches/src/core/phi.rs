//! Measures phi accrual with a full window, the most that a detector keeps.

use std::time::Duration;

use kinfolk_core::{Instant, Rng};
use kinfolk_detector::{PhiAccrualDetector, PhiConfig};

use crate::case::Case;

const INTERVAL: Duration = Duration::from_secs(1);

pub(super) fn cases() -> [Case; 2] {
    let (detector, now) = with_full_window();
    let later = now + INTERVAL;
    let value = Case::new("phi value", move || detector.phi(later));
    let (mut detector, mut now) = with_full_window();
    let beat = Case::new("phi heartbeat", move || {
        now += INTERVAL;
        detector.heartbeat(now);
    });
    [value, beat]
}

/// A detector whose window is full of intervals of about a second. They vary by a tenth, because
/// equal intervals have no deviation.
fn with_full_window() -> (PhiAccrualDetector, Instant) {
    let config = PhiConfig::default();
    let (mut now, mut rng) = (Instant::ORIGIN, Rng::from_seed(1));
    let mut detector = PhiAccrualDetector::new(config, now).expect("the defaults are valid");
    for _ in 0..=config.window {
        now += INTERVAL.mul_f64(0.9 + 0.2 * rng.unit());
        detector.heartbeat(now);
    }
    (detector, now)
}
