//! The points of docs/review.md about phi and the health checker, each under the test name that the
//! page gives. All time is a value: no test waits.

mod common;

use std::time::Duration;

use common::{SECOND, alive, at, checker, id, registry};
use kinfolk_core::{Cause, Change, ClusterEvent, Instant, NodeState, Reason, SharedNodeRegistry};
use kinfolk_detector::{HealthVerdict, PhiAccrualDetector, PhiConfig};

fn detector() -> PhiAccrualDetector {
    PhiAccrualDetector::new(PhiConfig::default(), Instant::ORIGIN).expect("the default settings are valid")
}

/// Sends heartbeats after the given gaps. Returns the time of the last one.
fn beat(detector: &mut PhiAccrualDetector, from: Instant, gaps: &[Duration]) -> Instant {
    gaps.iter().fold(from, |now, &gap| {
        detector.heartbeat(now + gap);
        now + gap
    })
}

/// Applies a verdict's claim, as the owner of a registry does.
fn apply(registry: &SharedNodeRegistry, verdict: &HealthVerdict) -> Change {
    verdict.claim.as_ref().map_or(Change::None, |claim| registry.apply(claim.clone()))
}

#[test]
fn phi_threshold_detection() {
    let mut detector = detector();
    let last = beat(&mut detector, Instant::ORIGIN, &[SECOND; 101]);
    // Phi 8 lies at 5.612 deviations of at least 100 ms above the mean of 1 s.
    let (before, after) = (last + Duration::from_micros(1_561_200), last + Duration::from_micros(1_561_300));
    assert!(detector.phi(before) < 8.0 && detector.is_available(before));
    assert!(detector.phi(after) >= 8.0 && !detector.is_available(after));
    assert!((detector.phi(before) - 8.0).abs() < 0.001);
}

#[test]
fn phi_with_no_heartbeats() {
    let detector = detector();
    assert!(detector.phi(Instant::ORIGIN) <= 0.0, "phi starts at 0");
    let levels: Vec<_> = (0..100).map(|second| detector.phi(at(second))).collect();
    assert!(levels.windows(2).all(|pair| pair[1] > pair[0]), "and grows: {levels:?}");
    // The prior: 1 s with a deviation of a quarter, so 5.612 deviations are at 2.403 s.
    assert!(detector.is_available(Instant::ORIGIN + Duration::from_millis(2_402)));
    assert!(!detector.is_available(Instant::ORIGIN + Duration::from_millis(2_404)));
}

#[test]
fn phi_recovery_after_failure() {
    let mut detector = detector();
    let last = beat(&mut detector, Instant::ORIGIN, &[SECOND; 20]);
    let back = last + 30 * SECOND;
    assert!(!detector.is_available(back));
    detector.heartbeat(back);
    assert!(detector.phi(back) <= 0.0);
    assert!(detector.phi(back + SECOND) < 1.0, "the outage is not learned");
    assert_eq!(detector.mean(), Some(SECOND));
}

#[test]
fn phi_statistical_properties() {
    let mut detector = detector();
    let mut now = Instant::ORIGIN;
    for _ in 0..200 {
        assert!(detector.phi(now + SECOND) < 1.0, "regular beats keep phi below 1, from the first on");
        now = beat(&mut detector, now, &[SECOND]);
    }
    assert!(detector.phi(now + 6 * SECOND) > 5.0, "five missed intervals raise it above 5");
    let beyond = detector.phi(now + 3_600 * SECOND);
    assert!(beyond > 1e6 && beyond.is_finite(), "nothing caps it: {beyond}");
}

#[test]
fn phi_with_varying_intervals() {
    let gaps = [1_000, 1_500, 800, 1_200].map(Duration::from_millis);
    let mut detector = detector();
    let mut now = Instant::ORIGIN;
    for &gap in gaps.iter().cycle().take(200) {
        let phi = detector.phi(now + gap);
        assert!(phi < 2.0, "phi {phi} at a gap of {gap:?}");
        now = beat(&mut detector, now, &[gap]);
    }
    assert_eq!(detector.samples(), 100, "no interval counted as an outage");
    assert!(!detector.is_available(now + 5 * SECOND));
}

#[test]
fn health_checker_shared_registry() {
    let registry = registry(&["me", "a", "b"]);
    let (first, second) = (checker(&registry), checker(&registry));
    let mut changes = (Vec::new(), Vec::new());
    for now in (1..=20).map(at) {
        // No checker hears from `a`; `b` sends heartbeats.
        for checker in [&first, &second] {
            assert_eq!(checker.heartbeat(&id("b"), now), None);
        }
        for (checker, changes) in [(&first, &mut changes.0), (&second, &mut changes.1)] {
            changes.extend(checker.check(now).iter().map(|verdict| apply(&registry, verdict)));
        }
    }
    let changed = |changes: &[Change]| changes.iter().map(|c| c.after().is_some()).collect::<Vec<_>>();
    assert_eq!(changed(&changes.0), [true], "the first checker suspects it");
    assert_eq!(
        changed(&changes.1),
        [false],
        "for the second checker it is already suspect, by the same rule"
    );
    assert_eq!(registry.get(&id("a")).unwrap().state, NodeState::Suspect);
    assert_eq!(registry.get(&id("b")).unwrap().state, NodeState::Alive);
}

#[test]
fn event_emission_on_phi_threshold() {
    let registry = registry(&["me", "a"]);
    let checker = checker(&registry);
    for now in (1..=20).map(at) {
        assert_eq!((checker.heartbeat(&id("a"), now), checker.check(now)), (None, vec![]));
    }
    let mut verdicts = Vec::new();
    for now in (21..=60).map(at) {
        verdicts.extend(checker.check(now).into_iter().map(|verdict| (now, verdict)));
    }
    let [(now, verdict)] = &verdicts[..] else { panic!("once an episode, found {verdicts:?}") };
    assert_eq!(
        *now,
        at(26),
        "round-robin explains 2 s between two members; 3 s are for pauses of this process"
    );
    let phi = checker.phi(&id("a"), *now).unwrap();
    assert!(phi >= 8.0);
    let silence = 6 * SECOND;
    assert_eq!(verdict.event, ClusterEvent::HealthCheckFailed { id: id("a"), phi, threshold: 8.0, silence });
    assert_eq!(verdict.cause, Cause::by(id("me"), Reason::Phi { phi, silence }));

    let recovered = ClusterEvent::HealthCheckRecovered { id: id("a"), episode: 35 * SECOND };
    assert_eq!(checker.heartbeat(&id("a"), at(61)), Some(recovered));
    assert_eq!(checker.heartbeat(&id("a"), at(62)), None, "an episode ends once");
    let again: usize = (62..=90).map(|second| checker.check(at(second)).len()).sum();
    assert_eq!(again, 1, "a new silence is a new episode");
}

#[test]
fn health_check_failure_marks_suspect() {
    let registry = registry(&["me", "a"]);
    let _ = registry.apply(alive("a", 7));
    let checker = checker(&registry);
    let verdicts: Vec<_> = (1..=10).flat_map(|second| checker.check(at(second))).collect();
    let change = apply(&registry, &verdicts[0]);
    let Change::Applied { before, after } = &change else { panic!("nothing changed") };
    assert_eq!(before.as_ref().unwrap().state, NodeState::Alive);
    assert_eq!((after.state, after.incarnation.get()), (NodeState::Suspect, 7));
    assert_eq!(registry.get(&id("a")).unwrap(), *after);
    let events = ClusterEvent::of_change(&change, &verdicts[0].cause);
    assert!(matches!(&events[..], [ClusterEvent::NodeSuspected { .. }]), "{events:?}");

    checker.heartbeat(&id("a"), at(11));
    assert_eq!(
        registry.get(&id("a")).unwrap().state,
        NodeState::Suspect,
        "hearing from it does not clear it"
    );
    let _ = registry.apply(alive("a", 8));
    assert_eq!(registry.get(&id("a")).unwrap().state, NodeState::Alive, "its own raised incarnation does");
}
