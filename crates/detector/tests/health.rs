//! Edge cases of the health checker: which members are watched, which are judged, and what a pause
//! of this process does.

mod common;

use std::time::Duration;

use common::{SECOND, alive, at, checker, id, registry};
use kinfolk_core::{Change, Incarnation, Instant, NodeState};
use kinfolk_detector::{ConfigError, HealthChecker, HealthConfig, PhiConfig, Rhythm, Scope};

/// Checks at each second of the range. Returns the judged members with the second of the verdict.
fn judged(checker: &HealthChecker, seconds: std::ops::RangeInclusive<u32>) -> Vec<(u32, String)> {
    let names = |second| checker.check(at(second)).into_iter().map(move |verdict| (second, verdict));
    let name = |(second, verdict): (u32, kinfolk_detector::HealthVerdict)| {
        (second, verdict.event.node().expect("a verdict is about a member").to_string())
    };
    seconds.flat_map(names).map(name).collect()
}

#[test]
fn settings_out_of_range_are_refused() {
    let config = HealthConfig { peers_max: 0, ..HealthConfig::default() };
    let found = HealthChecker::new(config, id("me"), registry(&[]).view(), Instant::ORIGIN).unwrap_err();
    assert_eq!(found, ConfigError::PeersMax { found: 0 });
}

#[test]
fn self_and_unknown_nodes_are_not_watched() {
    let registry = registry(&["me", "a"]);
    let checker = checker(&registry);
    assert_eq!(checker.heartbeat(&id("me"), at(1)), None);
    assert_eq!(checker.heartbeat(&id("stranger"), at(1)), None);
    assert_eq!(checker.watched(), 1);
    assert_eq!((checker.phi(&id("me"), at(1)), checker.silence(&id("stranger"), at(1))), (None, None));
    assert_eq!(judged(&checker, 1..=100), [(6, "a".to_owned())]);
}

#[test]
fn member_is_watched_from_join_to_end() {
    let registry = registry(&["me"]);
    let checker = checker(&registry);
    assert_eq!(judged(&checker, 1..=50), []);
    let _ = registry.apply(alive("a", 1));
    assert_eq!(judged(&checker, 51..=51), []);
    assert_eq!(checker.silence(&id("a"), at(53)), Some(2 * SECOND));
    for state in [NodeState::Failed, NodeState::Left] {
        let _ = registry.apply(alive("a", 1).with_state(state));
        assert_eq!(judged(&checker, 52..=100), [], "a {state} member is not judged");
        assert_eq!(checker.watched(), 0);
    }
    let _ = registry.apply(alive("a", 2));
    checker.heartbeat(&id("a"), at(100));
    assert_eq!(checker.silence(&id("a"), at(101)), Some(SECOND), "a new instance is watched from scratch");
}

#[test]
fn members_over_the_bound_are_counted_not_watched() {
    let registry = registry(&["me", "a", "b"]);
    let config = HealthConfig { peers_max: 2, ..HealthConfig::default() };
    let checker = HealthChecker::new(config, id("me"), registry.view(), Instant::ORIGIN).unwrap();
    assert_eq!((checker.watched(), checker.unwatched()), (2, 0));
    let _ = registry.apply(alive("c", 1));
    checker.heartbeat(&id("c"), at(1));
    assert_eq!(judged(&checker, 1..=1), []);
    assert_eq!((checker.watched(), checker.unwatched(), checker.phi(&id("c"), at(2))), (2, 1, None));
    let _ = registry.apply(alive("a", 1).with_state(NodeState::Left));
    assert_eq!(judged(&checker, 2..=2), []);
    assert_eq!((checker.watched(), checker.unwatched()), (2, 0), "a free place is taken");
}

#[test]
fn suspect_member_is_judged_at_its_incarnation() {
    let registry = registry(&["me", "a"]);
    let checker = checker(&registry);
    let _ = registry.apply(alive("a", 4).with_state(NodeState::Suspect));
    let verdicts: Vec<_> = (1..=10).flat_map(|second| checker.check(at(second))).collect();
    assert_eq!(verdicts.len(), 1);
    let claim = verdicts[0].claim.clone().expect("the default scope makes claims");
    assert_eq!(registry.apply(claim), Change::None);
    assert_eq!(registry.get(&id("a")).unwrap().incarnation, Incarnation::new(4));
}

#[test]
fn refutation_by_gossip_does_not_end_the_episode() {
    let registry = registry(&["me", "a"]);
    let checker = checker(&registry);
    assert_eq!(judged(&checker, 1..=10).len(), 1);
    let _ = registry.apply(alive("a", 2));
    assert_eq!(judged(&checker, 11..=60), []);
    assert_eq!(registry.get(&id("a")).unwrap().state, NodeState::Alive);
}

#[test]
fn verdicts_are_ordered_by_name() {
    let checker = checker(&registry(&["c", "me", "b", "a"]));
    let names: Vec<_> = judged(&checker, 1..=20).into_iter().map(|(_, name)| name).collect();
    assert_eq!(names, ["a", "b", "c"]);
}

#[test]
fn check_past_the_pause_limit_is_void() {
    let limit = HealthConfig::default().pause_limit();
    for (late, verdicts) in [(Duration::ZERO, 1), (Duration::from_nanos(1), 0)] {
        let checker = checker(&registry(&["me", "a"]));
        // At 5 s the silence is not suspicious yet. 3 s later it is.
        assert_eq!(judged(&checker, 1..=5), []);
        assert_eq!(checker.check(at(5) + limit + late).len(), verdicts, "{late:?} past the limit");
    }
}

/// The silence from before the pause still counts.
#[test]
fn own_pause_is_taken_out_of_silences() {
    let checker = checker(&registry(&["me", "a", "b"]));
    checker.heartbeat(&id("b"), at(4));
    assert_eq!(judged(&checker, 1..=4), []);
    assert_eq!(checker.check(at(1_004)), []);
    assert_eq!(checker.silence(&id("a"), at(1_004)), Some(4 * SECOND));
    assert_eq!(checker.silence(&id("b"), at(1_004)), Some(Duration::ZERO));
    // Round-robin among three members explains 4 s; 3 s more are for pauses of this process.
    assert_eq!(judged(&checker, 1_005..=1_020), [(1_008, "a".to_owned()), (1_012, "b".to_owned())]);
}

#[test]
fn process_that_is_always_late_suspects_no_member() {
    let checker = checker(&registry(&["me", "a"]));
    for round in 1..200 {
        assert_eq!(checker.check(at(round * 4)), []);
    }
}

#[test]
fn clock_that_goes_back_does_no_harm() {
    let checker = checker(&registry(&["me", "a"]));
    assert_eq!(judged(&checker, 1..=3), []);
    assert_eq!(judged(&checker, 2..=2), []);
    checker.heartbeat(&id("a"), at(3));
    checker.heartbeat(&id("a"), at(1));
    assert_eq!(checker.silence(&id("a"), at(3)), Some(Duration::ZERO));
    assert_eq!(checker.phi(&id("a"), at(0)), Some(0.0));
}

#[test]
fn verdict_comes_at_first_check_past_the_threshold() {
    let checker = checker(&registry(&["me", "a"]));
    let mut before = 0.0;
    for tick in 1..2_000 {
        let now = Instant::ORIGIN + tick * Duration::from_millis(10);
        let (verdicts, phi) = (checker.check(now), checker.phi(&id("a"), now).unwrap());
        if !verdicts.is_empty() {
            assert!(before < 8.0 && (8.0..8.1).contains(&phi), "{before} then {phi}");
            return;
        }
        before = phi;
    }
    panic!("no verdict, phi {before}");
}

#[test]
fn clones_share_their_state() {
    let checker = checker(&registry(&["me", "a"]));
    let clone = checker.clone();
    clone.heartbeat(&id("a"), at(5));
    assert_eq!(checker.silence(&id("a"), at(6)), Some(SECOND));
}

#[test]
fn acceptable_pause_delays_the_verdict_by_its_length() {
    let registry = registry(&["me", "a"]);
    let phi = PhiConfig { acceptable_pause: 5 * SECOND, ..PhiConfig::default() };
    let config = HealthConfig { phi, ..HealthConfig::default() };
    let checker = HealthChecker::new(config, id("me"), registry.view(), Instant::ORIGIN).unwrap();
    assert_eq!(judged(&checker, 1..=20), [(11, "a".to_owned())]);
}

#[test]
fn regular_rhythm_finds_silence_independently_of_size() {
    for size in [1, 2, 64] {
        let names: Vec<_> = (0..size).map(|i| format!("n{i:02}")).collect();
        let registry = registry(&names.iter().map(String::as_str).collect::<Vec<_>>());
        let config = HealthConfig { rhythm: Rhythm::Regular, ..HealthConfig::default() };
        let checker = HealthChecker::new(config, id("me"), registry.view(), Instant::ORIGIN).unwrap();
        for second in 1..=30 {
            for name in &names {
                checker.heartbeat(&id(name), at(second));
            }
            assert_eq!(checker.check(at(second)), []);
        }
        for second in 31..=40 {
            for name in &names[1..] {
                checker.heartbeat(&id(name), at(second));
            }
            let expected = usize::from(second == 35);
            assert_eq!(
                checker.check(at(second)).len(),
                expected,
                "{size} peers, {} s of silence",
                second - 30
            );
        }
    }
}

#[test]
fn listed_scope_watches_named_members_and_claims_nothing() {
    let registry = registry(&["me", "a", "b", "c"]);
    let config = HealthConfig { scope: Scope::Listed, rhythm: Rhythm::Regular, ..HealthConfig::default() };
    let checker = HealthChecker::new(config, id("me"), registry.view(), Instant::ORIGIN).unwrap();
    assert_eq!(checker.heartbeat(&id("a"), at(1)), None);
    assert_eq!(judged(&checker, 1..=20), []);
    assert_eq!(checker.watched(), 0);

    checker.watch(&[id("a"), id("b")], at(20));
    assert_eq!((checker.watched(), checker.unwatched()), (2, 0));
    checker.heartbeat(&id("b"), at(22));
    let verdicts: Vec<_> = (21..=25).flat_map(|second| checker.check(at(second))).collect();
    let [verdict] = &verdicts[..] else { panic!("one member is silent: {verdicts:?}") };
    assert_eq!((&verdict.id, &verdict.claim), (&id("a"), &None));

    checker.watch(&[id("b"), id("c"), id("me")], at(25));
    assert_eq!(checker.watched(), 2, "neither the member that is no longer named nor this member");
    assert_eq!(checker.silence(&id("a"), at(25)), None);
    assert_eq!(checker.silence(&id("b"), at(25)), Some(3 * SECOND), "what was learned is kept");
    assert_eq!(checker.silence(&id("c"), at(25)), Some(Duration::ZERO));
}

#[test]
fn member_list_changes_nothing_in_scope_members() {
    let checker = checker(&registry(&["me", "a", "b"]));
    checker.watch(&[id("a")], at(1));
    assert_eq!((checker.watched(), checker.silence(&id("b"), at(2))), (2, Some(2 * SECOND)));
    assert_eq!(format!("{checker:?}"), "HealthChecker { me: me, watched: 2, .. }");
}
