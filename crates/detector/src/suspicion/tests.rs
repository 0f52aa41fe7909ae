//! Tests of suspicion: the formula as a table, its properties, and both sides of each bound.

use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn id(name: &str) -> NodeId {
    NodeId::new(name).unwrap()
}

fn rounded_ms(duration: Duration) -> u128 {
    (duration + Duration::from_micros(500)).as_millis()
}

#[test]
fn formula_gives_the_tabled_times() {
    #[rustfmt::skip]
    let table = [
        // members, confirmations, milliseconds (computed by hand from the formula)
        (1,      0,  4_000), // No other member can confirm: Min.
        (2,      0,  4_000),
        (3,      0, 24_000), // K = 1.
        (3,      1,  4_000),
        (4,      0, 24_000), // K = 2.
        (4,      1, 11_381),
        (4,      2,  4_000),
        (5,      0, 24_000), // K = 3 from here on.
        (5,      1, 14_000),
        (5,      2,  8_150),
        (5,      3,  4_000),
        (5,      4,  4_000),
        (10,     0, 24_000), // From 10 members on, log10 counts.
        (128,    0, 50_573),
        (128,    3,  8_429),
        (1_000,  0, 72_000),
        (1_000,  3, 12_000),
        (10_000, 0, 96_000),
        (10_000, 3, 16_000),
    ];
    let rule = SuspicionRule::lifeguard();
    for (members, confirmations, expected) in table {
        let found = rounded_ms(rule.timeout(members, SECOND, confirmations));
        assert_eq!(found, expected, "{members} members, {confirmations} confirmations");
    }
}

#[test]
fn swim_timeout_is_fixed() {
    let rule = SuspicionRule::swim();
    for confirmations in 0..5 {
        assert_eq!(rule.timeout(100, SECOND, confirmations), 8 * SECOND);
    }
    let mut suspicion = Suspicion::new(Incarnation::new(1), Some(id("a")), Instant::ORIGIN);
    assert!(!suspicion.confirm(&id("b"), &rule), "SWIM does not gossip a second accuser");
    assert_eq!(suspicion.accusers(), [id("a")]);
}

#[test]
fn expected_confirmations_are_bounded_by_group_size() {
    let rule = SuspicionRule::lifeguard();
    let expected: Vec<_> = (0..8).map(|members| rule.confirmations_expected(members)).collect();
    assert_eq!(expected, [0, 0, 0, 1, 2, 3, 3, 3]);
}

#[test]
fn new_accuser_counts_until_k_have_confirmed() {
    let rule = SuspicionRule::lifeguard();
    let mut suspicion = Suspicion::new(Incarnation::new(7), Some(id("a")), Instant::ORIGIN + SECOND);
    assert!(!suspicion.confirm(&id("a"), &rule), "the first accuser does not confirm itself");
    assert!(suspicion.confirm(&id("b"), &rule));
    assert!(!suspicion.confirm(&id("b"), &rule), "no accuser confirms twice");
    assert!(suspicion.confirm(&id("c"), &rule));
    assert!(suspicion.confirm(&id("d"), &rule), "the K-th still counts");
    assert!(!suspicion.confirm(&id("e"), &rule), "one more does not");
    assert_eq!(suspicion.accusers(), [id("a"), id("b"), id("c"), id("d")]);
    assert_eq!(suspicion.confirmations(), 3);
    assert_eq!(suspicion.incarnation(), Incarnation::new(7));
}

#[test]
fn each_confirmation_brings_the_deadline_closer() {
    let rule = SuspicionRule::lifeguard();
    let started = Instant::ORIGIN + 100 * SECOND;
    let mut suspicion = Suspicion::new(Incarnation::new(1), Some(id("a")), started);
    assert_eq!(suspicion.deadline(&rule, 10, SECOND), started + 24 * SECOND);
    assert!(suspicion.confirm(&id("b"), &rule));
    assert_eq!(suspicion.deadline(&rule, 10, SECOND), started + 14 * SECOND);
    assert!(suspicion.confirm(&id("c"), &rule) && suspicion.confirm(&id("d"), &rule));
    assert_eq!(suspicion.deadline(&rule, 10, SECOND), started + 4 * SECOND);
    assert_eq!(suspicion.started(), started);
}

#[test]
fn rules_out_of_range_are_refused() {
    let rule = SuspicionRule::lifeguard();
    let largest = SuspicionRule { alpha: f64::MIN_POSITIVE, beta: 1.0, confirmations: 64 };
    assert_eq!((rule.validate(), largest.validate()), (Ok(()), Ok(())));
    for alpha in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let found = SuspicionRule { alpha, ..rule }.validate();
        assert!(matches!(found, Err(ConfigError::SuspicionAlpha { .. })), "alpha {alpha} gave {found:?}");
    }
    for beta in [0.999, -1.0, f64::NAN, f64::INFINITY] {
        let found = SuspicionRule { beta, ..rule }.validate();
        assert!(matches!(found, Err(ConfigError::SuspicionBeta { .. })), "beta {beta} gave {found:?}");
    }
    let found = SuspicionRule { confirmations: 65, ..rule }.validate();
    assert_eq!(found, Err(ConfigError::SuspicionConfirmations { found: 65 }));
}

proptest! {
    #[test]
    fn no_rule_makes_a_timeout_panic(
        alpha in prop::num::f64::ANY,
        beta in prop::num::f64::ANY,
        confirmations: u32,
        members: usize,
        interval: Duration,
        found: u32,
    ) {
        let rule = SuspicionRule { alpha, beta, confirmations };
        let timeout = rule.timeout(members, interval, found);
        prop_assert!(timeout >= rule.min(members, interval) && timeout <= rule.max(members, interval));
    }

    #[test]
    fn timeout_is_monotonic_in_confirmations_and_members(
        members in 1..100_000_usize,
        more in 0..1_000_usize,
        confirmations in 0..10_u32,
    ) {
        let rule = SuspicionRule::lifeguard();
        let timeout = rule.timeout(members, SECOND, confirmations);
        prop_assert!(rule.timeout(members, SECOND, confirmations + 1) <= timeout);
        prop_assert!(rule.min(members + more, SECOND) >= rule.min(members, SECOND));
        prop_assert!(rule.max(members + more, SECOND) >= rule.max(members, SECOND));
    }

    #[test]
    fn timeout_is_proportional_to_the_probe_interval(members in 1..10_000_usize, confirmations in 0..4_u32, factor in 1..60_u32) {
        let rule = SuspicionRule::lifeguard();
        let one = rule.timeout(members, SECOND, confirmations).as_secs_f64() * f64::from(factor);
        let scaled = rule.timeout(members, SECOND * factor, confirmations).as_secs_f64();
        prop_assert!((one - scaled).abs() < 1e-6, "{one} and {scaled}");
    }
}
