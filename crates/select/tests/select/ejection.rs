//! Instances that fail are ejected, and return when they work again.

use std::collections::BTreeMap;
use std::time::Duration;

use kinfolk_core::{Instant, NodeId, Rng};
use kinfolk_select::{EjectionPolicy, Ejections, Instance, Pool};
use proptest::prelude::*;

use crate::support::{id, numbered};

fn at(seconds: u64) -> Instant {
    Instant::from_origin(Duration::from_secs(seconds))
}

fn fail(ejections: &mut Ejections, seconds: u64, times: usize) -> usize {
    let changed = (0..times).filter(|_| ejections.ended(at(seconds), &id("a"), false, 10));
    changed.count()
}

#[test]
fn fifth_failure_in_a_row_ejects() {
    let mut ejections = Ejections::new(EjectionPolicy::default());
    assert_eq!(fail(&mut ejections, 0, 4), 0);
    assert!(!ejections.ended(at(0), &id("a"), true, 10));
    assert_eq!(fail(&mut ejections, 0, 4), 0);
    assert!(!ejections.is_ejected(at(0), &id("a")));
    assert_eq!(fail(&mut ejections, 0, 1), 1);
    assert!(ejections.is_ejected(at(9), &id("a")) && !ejections.is_ejected(at(10), &id("a")));
    assert_eq!((ejections.next_return(at(0)), ejections.next_return(at(10))), (Some(at(10)), None));
}

#[test]
fn failure_after_the_return_doubles_the_time() {
    let mut ejections = Ejections::new(EjectionPolicy::default());
    fail(&mut ejections, 0, 5);
    assert_eq!(fail(&mut ejections, 10, 1), 1);
    assert_eq!(ejections.next_return(at(10)), Some(at(30)));
    let mut now = 30;
    for _ in 0..10 {
        assert_eq!(fail(&mut ejections, now, 1), 1);
        now = ejections.next_return(at(now)).unwrap().since_origin().as_secs();
    }
    // The last ejections had the longest time, five minutes.
    assert_eq!(fail(&mut ejections, now, 1), 1);
    assert_eq!(ejections.next_return(at(now)), Some(at(now + 300)));
}

#[test]
fn success_after_the_return_ends_the_doubling() {
    let mut ejections = Ejections::new(EjectionPolicy::default());
    fail(&mut ejections, 0, 5);
    ejections.ended(at(10), &id("a"), true, 10);
    assert_eq!(fail(&mut ejections, 11, 4), 0);
    assert_eq!(fail(&mut ejections, 11, 1), 1);
    assert_eq!(ejections.next_return(at(11)), Some(at(21)));
}

#[test]
fn success_during_an_ejection_does_not_end_it() {
    let mut ejections = Ejections::new(EjectionPolicy::default());
    fail(&mut ejections, 0, 5);
    ejections.ended(at(1), &id("a"), true, 10);
    assert_eq!(fail(&mut ejections, 1, 9), 0);
    assert!(ejections.is_ejected(at(9), &id("a")));
}

fn eject_all(instances: usize, policy: EjectionPolicy) -> usize {
    let mut ejections = Ejections::new(policy);
    for instance in numbered(instances) {
        for _ in 0..10 {
            ejections.ended(at(0), &instance.node, false, instances);
        }
    }
    let nodes: Vec<NodeId> = numbered(instances).into_iter().map(|instance| instance.node).collect();
    nodes.iter().filter(|node| ejections.is_ejected(at(1), node)).count()
}

#[test]
fn half_of_the_instances_stay() {
    let ejected: Vec<usize> =
        [1, 2, 3, 10, 11].map(|count| eject_all(count, EjectionPolicy::default())).into();
    assert_eq!(ejected, [0, 1, 1, 5, 5]);
    let tenth = EjectionPolicy { share_max: 10, ..EjectionPolicy::default() };
    assert_eq!([3, 19, 20].map(|count| eject_all(count, tenth)), [1, 1, 2]);
    let all = EjectionPolicy { share_max: 100, ..EjectionPolicy::default() };
    assert_eq!(eject_all(10, all), 5);
}

#[test]
fn spared_ejections_are_counted() {
    let mut ejections = Ejections::new(EjectionPolicy::default());
    for _ in 0..6 {
        ejections.ended(at(0), &id("a"), false, 1);
    }
    assert_eq!(ejections.counted(), (0, 2));
    ejections.retain(|_| false);
    assert!(!ejections.ended(at(0), &id("a"), false, 10), "the count begins from scratch");
}

/// Of 50 instances 10 fail all their calls for a minute. Each has at most 10 failed calls, and
/// takes calls again once it works.
#[test]
fn failed_fifth_is_ejected_and_returns() {
    let (mut ejections, mut rng) = (Ejections::new(EjectionPolicy::default()), Rng::from_seed(1));
    let broken = |node: &NodeId, second: u64| second < 60 && node.as_str() < "n010";
    let mut failed: BTreeMap<NodeId, u32> = BTreeMap::new();
    let mut late: BTreeMap<NodeId, u32> = BTreeMap::new();
    for second in 0..600 {
        let now = at(second);
        for _ in 0..200 {
            let mut instances = numbered(50);
            for instance in &mut instances {
                instance.ejected = ejections.is_ejected(now, &instance.node);
            }
            assert!(instances.iter().filter(|instance| instance.ejected).count() <= 25);
            let pool = Pool::builder(instances).build();
            let node = pool.random(&mut rng).unwrap().instance.node.clone();
            let ok = !broken(&node, second);
            ejections.ended(now, &node, ok, 50);
            if !ok {
                *failed.entry(node.clone()).or_default() += 1;
            }
            if second >= 400 {
                *late.entry(node).or_default() += 1;
            }
        }
    }
    assert_eq!(failed.len(), 10);
    assert!(failed.values().all(|calls| *calls <= 10), "{failed:?}");
    assert!(late.len() == 50, "all instances take calls in the end: {late:?}");
}

proptest! {
    /// The bound of ejected instances holds for any order and result of calls.
    #[test]
    fn ejected_share_stays_in_its_bound(
        calls in prop::collection::vec((0..12_usize, any::<bool>(), 0..4_u64), 1..400),
        share in 0..=100_u8,
    ) {
        let policy = EjectionPolicy { share_max: share, consecutive_failures: 2, ..EjectionPolicy::default() };
        let (mut ejections, instances) = (Ejections::new(policy), numbered(12));
        let bound = (12 * usize::from(share.min(50)) / 100).max(1);
        let mut now = 0;
        for (which, ok, wait) in calls {
            now += wait;
            let node = |instance: &Instance| instance.node.clone();
            ejections.ended(at(now), &node(&instances[which]), ok, 12);
            let ejected = instances.iter().filter(|instance| ejections.is_ejected(at(now), &instance.node));
            prop_assert!(ejected.count() <= bound);
        }
    }
}
