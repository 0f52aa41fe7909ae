//! Tests of phi for one peer: what is learned and what is not, the prior, and properties of phi.

use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn detector() -> PhiAccrualDetector {
    PhiAccrualDetector::new(PhiConfig::default(), Instant::ORIGIN).unwrap()
}

/// Sends heartbeats after the given gaps. Returns the time of the last one.
fn beat(detector: &mut PhiAccrualDetector, from: Instant, gaps: &[Duration]) -> Instant {
    gaps.iter().fold(from, |now, &gap| {
        detector.heartbeat(now + gap);
        now + gap
    })
}

#[test]
fn first_heartbeat_makes_no_interval() {
    let mut detector = detector();
    assert_eq!((detector.samples(), detector.mean(), detector.last_heartbeat()), (0, None, None));
    let now = beat(&mut detector, Instant::ORIGIN, &[SECOND * 1_000]);
    assert_eq!((detector.samples(), detector.mean(), detector.last_heartbeat()), (0, None, Some(now)));
    let now = beat(&mut detector, now, &[SECOND]);
    assert_eq!(
        (detector.samples(), detector.mean(), detector.last_heartbeat()),
        (1, Some(SECOND), Some(now))
    );
}

#[test]
fn heartbeat_not_later_than_the_last_is_ignored() {
    let mut detector = detector();
    let now = beat(&mut detector, Instant::ORIGIN, &[SECOND; 3]);
    detector.heartbeat(now);
    detector.heartbeat(now - SECOND);
    assert_eq!((detector.samples(), detector.last_heartbeat()), (2, Some(now)));
}

#[test]
fn samples_never_exceed_the_window() {
    let mut detector = detector();
    let now = beat(&mut detector, Instant::ORIGIN, &[SECOND; 101]);
    assert_eq!(detector.samples(), 100);
    beat(&mut detector, now, &[SECOND; 50]);
    assert_eq!(detector.samples(), 100);
}

#[test]
fn prior_counts_only_for_missing_samples() {
    // Intervals of 2 s against a prior of 1 s with a deviation of a quarter.
    let moments_after = |intervals: usize| {
        let mut detector = detector();
        beat(&mut detector, Instant::ORIGIN, &vec![2 * SECOND; intervals + 1]);
        assert_eq!(detector.samples(), intervals);
        detector.learned()
    };
    assert_eq!(moments_after(0), Moments { mean: 1.0, variance: 0.062_5 });
    let two = moments_after(2);
    assert!(
        (two.mean - 1.4).abs() < 1e-12 && (two.variance - (0.6 * 0.062_5 + 0.4 * 0.6)).abs() < 1e-12,
        "{two:?}"
    );
    assert_eq!(moments_after(5), Moments { mean: 2.0, variance: 0.0 });
}

#[test]
fn interval_at_the_threshold_is_not_learned() {
    let mut detector = detector();
    let last = beat(&mut detector, Instant::ORIGIN, &[SECOND; 50]);
    // Phi 8 lies at 5.612 deviations: with the smallest deviation of 100 ms, at 1.5612 s.
    let (below, at) = (Duration::from_millis(1_561), Duration::from_millis(1_562));
    assert!(detector.is_available(last + below) && !detector.is_available(last + at));
    let mut taught = detector.clone();
    beat(&mut taught, last, &[below]);
    assert_eq!(taught.samples(), 50);
    beat(&mut detector, last, &[at]);
    assert_eq!((detector.samples(), detector.mean()), (49, Some(SECOND)));
}

#[test]
fn fifth_long_interval_starts_a_new_rhythm() {
    let mut detector = detector();
    let now = beat(&mut detector, Instant::ORIGIN, &[SECOND; 50]);
    let now = beat(&mut detector, now, &[3 * SECOND; 4]);
    assert_eq!((detector.samples(), detector.mean()), (49, Some(SECOND)));
    let mut interrupted = detector.clone();
    let later = beat(&mut interrupted, now, &[SECOND]);
    beat(&mut interrupted, later, &[3 * SECOND]);
    assert_eq!(interrupted.samples(), 50, "a good interval between them starts the count again");
    let now = beat(&mut detector, now, &[3 * SECOND]);
    assert_eq!((detector.samples(), detector.mean()), (1, Some(3 * SECOND)));
    assert!(detector.is_available(now + 3 * SECOND), "the new rhythm counts from then on");
}

#[test]
fn acceptable_pause_shifts_phi() {
    let at = |acceptable_pause: Duration| {
        let config = PhiConfig { acceptable_pause, ..PhiConfig::default() };
        let mut detector = PhiAccrualDetector::new(config, Instant::ORIGIN).unwrap();
        let last = beat(&mut detector, Instant::ORIGIN, &[SECOND; 20]);
        detector.phi(last + SECOND + acceptable_pause)
    };
    assert!((at(Duration::ZERO) - at(3 * SECOND)).abs() < 1e-9);
}

#[test]
fn excused_pause_is_taken_out_of_the_silence() {
    let mut detector = detector();
    let last = beat(&mut detector, Instant::ORIGIN, &[SECOND; 20]);
    let now = last + 10 * SECOND;
    detector.excuse(9 * SECOND, now);
    assert_eq!(detector.silence(now), SECOND);
    assert_eq!(detector.last_heartbeat(), Some(last));
    detector.excuse(9 * SECOND, now);
    assert_eq!((detector.silence(now), detector.phi(now)), (Duration::ZERO, 0.0));
    assert_eq!(detector.silence(now + SECOND), SECOND, "the silence does not begin in the future");
}

#[test]
fn settings_out_of_range_are_refused() {
    let config = PhiConfig { window: 0, ..PhiConfig::default() };
    assert_eq!(
        PhiAccrualDetector::new(config, Instant::ORIGIN).unwrap_err(),
        ConfigError::Window { found: 0 }
    );
}

fn gaps_ms() -> impl Strategy<Value = Vec<u64>> {
    prop::collection::vec(1..10_000_u64, 0..150)
}

fn trained(gaps_ms: &[u64], factor: u32) -> (PhiAccrualDetector, Instant) {
    let config = PhiConfig::default();
    let config = PhiConfig {
        expected_interval: config.expected_interval * factor,
        min_deviation: config.min_deviation * factor,
        ..config
    };
    let mut detector = PhiAccrualDetector::new(config, Instant::ORIGIN).unwrap();
    let gaps: Vec<_> = gaps_ms.iter().map(|&ms| Duration::from_millis(ms) * factor).collect();
    let last = beat(&mut detector, Instant::ORIGIN, &gaps);
    (detector, last)
}

proptest! {
    #[test]
    fn phi_is_zero_at_heartbeat_finite_and_growing(gaps in gaps_ms(), silence: Duration, more: Duration) {
        let (detector, last) = trained(&gaps, 1);
        let phi = |silence: Duration| detector.phi(last + silence);
        prop_assert!(phi(Duration::ZERO) <= 0.0);
        let (here, there) = (phi(silence), phi(silence.saturating_add(more)));
        prop_assert!(here.is_finite() && there.is_finite() && here >= 0.0);
        prop_assert!(there >= here - 1e-9 * (1.0 + here), "{} then {}", here, there);
    }

    #[test]
    fn phi_does_not_depend_on_the_time_unit(gaps in gaps_ms(), silence_ms in 0..20_000_u64, factor in 1..20_u32) {
        let (one, last) = trained(&gaps, 1);
        let (scaled, scaled_last) = trained(&gaps, factor);
        let silence = Duration::from_millis(silence_ms);
        let (here, there) = (one.phi(last + silence), scaled.phi(scaled_last + silence * factor));
        prop_assert_eq!(one.samples(), scaled.samples());
        prop_assert!((here - there).abs() <= 1e-9 * (1.0 + here), "{} and {}", here, there);
    }

    #[test]
    fn irregular_past_never_raises_phi(spread_ms in 200..900_u64, more_ms in 1..100_u64) {
        let phi = |spread: u64| {
            let gaps: Vec<_> = (0..60).map(|i| if i % 2 == 0 { 1_000 - spread } else { 1_000 + spread }).collect();
            let (detector, last) = trained(&gaps, 1);
            detector.phi(last + 4 * SECOND)
        };
        prop_assert!(phi(spread_ms + more_ms) <= phi(spread_ms));
    }
}
