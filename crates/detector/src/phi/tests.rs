//! Phi of one peer: what is learned and what is not, the prior, and the laws as properties.

use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn detector() -> PhiAccrualDetector {
    PhiAccrualDetector::new(PhiConfig::default(), Instant::ORIGIN).unwrap()
}

/// Beats after the given gaps; returns when the last one was.
fn beat(detector: &mut PhiAccrualDetector, from: Instant, gaps: &[Duration]) -> Instant {
    gaps.iter().fold(from, |now, &gap| {
        detector.heartbeat(now + gap);
        now + gap
    })
}

#[test]
fn the_first_beat_makes_no_interval() {
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
fn a_beat_that_is_not_later_than_the_last_is_ignored() {
    let mut detector = detector();
    let now = beat(&mut detector, Instant::ORIGIN, &[SECOND; 3]);
    detector.heartbeat(now);
    detector.heartbeat(now - SECOND);
    assert_eq!((detector.samples(), detector.last_heartbeat()), (2, Some(now)));
}

#[test]
fn the_window_is_its_bound() {
    let mut detector = detector();
    let now = beat(&mut detector, Instant::ORIGIN, &[SECOND; 101]);
    assert_eq!(detector.samples(), 100);
    beat(&mut detector, now, &[SECOND; 50]);
    assert_eq!(detector.samples(), 100);
}

#[test]
fn the_prior_counts_for_the_samples_that_are_missing_and_no_more() {
    // Intervals of 2 s against a prior of 1 s with a deviation of a quarter.
    let law_after = |intervals: usize| {
        let mut detector = detector();
        beat(&mut detector, Instant::ORIGIN, &vec![2 * SECOND; intervals + 1]);
        assert_eq!(detector.samples(), intervals);
        detector.learned()
    };
    assert_eq!(law_after(0), Moments { mean: 1.0, variance: 0.062_5 });
    let two = law_after(2);
    assert!(
        (two.mean - 1.4).abs() < 1e-12 && (two.variance - (0.6 * 0.062_5 + 0.4 * 0.6)).abs() < 1e-12,
        "{two:?}"
    );
    assert_eq!(law_after(5), Moments { mean: 2.0, variance: 0.0 });
}

#[test]
fn an_interval_is_learned_just_below_the_threshold_and_refused_at_it() {
    let mut detector = detector();
    let last = beat(&mut detector, Instant::ORIGIN, &[SECOND; 50]);
    // 8 lies at 5.612 deviations: with the least deviation of 100 ms at 1.5612 s.
    let (below, at) = (Duration::from_millis(1_561), Duration::from_millis(1_562));
    assert!(detector.is_available(last + below) && !detector.is_available(last + at));
    let mut taught = detector.clone();
    beat(&mut taught, last, &[below]);
    assert_eq!(taught.samples(), 50);
    beat(&mut detector, last, &[at]);
    assert_eq!((detector.samples(), detector.mean()), (49, Some(SECOND)));
}

#[test]
fn too_long_intervals_are_outages_four_times_and_a_new_rhythm_the_fifth() {
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
    assert!(detector.is_available(now + 3 * SECOND), "and is believed from then on");
}

#[test]
fn an_acceptable_pause_moves_the_whole_curve() {
    let at = |acceptable_pause: Duration| {
        let config = PhiConfig { acceptable_pause, ..PhiConfig::default() };
        let mut detector = PhiAccrualDetector::new(config, Instant::ORIGIN).unwrap();
        let last = beat(&mut detector, Instant::ORIGIN, &[SECOND; 20]);
        detector.phi(last + SECOND + acceptable_pause)
    };
    assert!((at(Duration::ZERO) - at(3 * SECOND)).abs() < 1e-9);
}

#[test]
fn a_pause_of_our_own_is_taken_out_of_the_silence_and_never_more_than_that() {
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
    fn phi_is_zero_at_a_beat_finite_and_grows_with_silence(gaps in gaps_ms(), silence: Duration, more: Duration) {
        let (detector, last) = trained(&gaps, 1);
        let phi = |silence: Duration| detector.phi(last + silence);
        prop_assert!(phi(Duration::ZERO) <= 0.0);
        let (here, there) = (phi(silence), phi(silence.saturating_add(more)));
        prop_assert!(here.is_finite() && there.is_finite() && here >= 0.0);
        prop_assert!(there >= here - 1e-9 * (1.0 + here), "{} then {}", here, there);
    }

    #[test]
    fn phi_depends_on_no_unit_of_time(gaps in gaps_ms(), silence_ms in 0..20_000_u64, factor in 1..20_u32) {
        let (one, last) = trained(&gaps, 1);
        let (scaled, scaled_last) = trained(&gaps, factor);
        let silence = Duration::from_millis(silence_ms);
        let (here, there) = (one.phi(last + silence), scaled.phi(scaled_last + silence * factor));
        prop_assert_eq!(one.samples(), scaled.samples());
        prop_assert!((here - there).abs() <= 1e-9 * (1.0 + here), "{} and {}", here, there);
    }

    #[test]
    fn the_more_irregular_the_past_the_later_the_alarm(spread_ms in 200..900_u64, more_ms in 1..100_u64) {
        let phi = |spread: u64| {
            let gaps: Vec<_> = (0..60).map(|i| if i % 2 == 0 { 1_000 - spread } else { 1_000 + spread }).collect();
            let (detector, last) = trained(&gaps, 1);
            detector.phi(last + 4 * SECOND)
        };
        prop_assert!(phi(spread_ms + more_ms) <= phi(spread_ms));
    }
}
