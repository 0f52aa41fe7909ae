//! The placement of keys: shares, moves, copies, bounded loads, rings, and recorded placements.

use std::collections::{BTreeMap, BTreeSet};

use kinfolk_select::{Instance, Pool, Ring};
use proptest::prelude::*;

use crate::support::{id, in_zones, instance, name, names, numbered, pool, weighted};

/// The number of keys in tests of moves: enough that every member holds some.
const MOVED: usize = 20_000;

fn key(number: usize) -> String {
    format!("key:{number}")
}

fn holders(pool: &Pool, keys: usize) -> Vec<&str> {
    (0..keys).map(|number| name(pool.for_key(key(number)))).collect()
}

fn assert_within_a_tenth(pool: &Pool, keys: usize) {
    let mut counts = BTreeMap::new();
    for holder in holders(pool, keys) {
        *counts.entry(holder).or_insert(0_u32) += 1;
    }
    let total: u32 = pool.instances().iter().map(|instance| u32::from(instance.weight.get())).sum();
    for instance in pool.instances() {
        let expected = keys as f64 * f64::from(instance.weight.get()) / f64::from(total);
        let found = f64::from(counts.get(instance.node.as_str()).copied().unwrap_or(0));
        let name = &instance.node;
        assert!((found / expected - 1.0).abs() < 0.1, "{name} holds {found} keys, expected {expected}");
    }
}

/// A member holds 1,000 keys on average, and 10 % is three standard deviations. The hash is fixed,
/// so the result is the same in each run.
#[test]
fn members_hold_equal_shares_of_the_keys() {
    assert_within_a_tenth(&pool(numbered(100)), 100_000);
}

/// The members with the smallest weight hold about 1,300 keys each.
#[test]
fn members_hold_shares_by_weight() {
    let weights: Vec<u16> = (0..40).map(|number| [50, 100, 150][number % 3]).collect();
    assert_within_a_tenth(&pool(weighted(&weights)), 100_000);
}

/// Removes the instance at `removed`, and checks that exactly its keys move.
fn assert_only_its_keys_move(instances: &[Instance], removed: usize) {
    let (before, mut rest) = (pool(instances.to_vec()), instances.to_vec());
    let removed = rest.remove(removed).node;
    let after = pool(rest);
    for (old, new) in holders(&before, MOVED).into_iter().zip(holders(&after, MOVED)) {
        assert_eq!(old != new, old == removed.as_str(), "{old} to {new}");
    }
}

#[test]
fn removed_member_moves_only_its_keys() {
    assert_only_its_keys_move(&numbered(100), 17);
}

#[test]
fn removed_weighted_member_moves_only_its_keys() {
    let weights: Vec<u16> = (1..=20).map(|number| number * 50).collect();
    assert_only_its_keys_move(&weighted(&weights), 3);
}

/// Members of equal weight are compared without the logarithm. The placement must be the same with
/// it.
#[test]
fn one_other_weight_elsewhere_moves_few_keys() {
    let equal = pool(numbered(10));
    let mut instances = numbered(10);
    instances.push(weighted(&[1]).remove(0));
    instances.last_mut().unwrap().node = id("z");
    let unequal = pool(instances);
    for (old, new) in holders(&equal, MOVED).into_iter().zip(holders(&unequal, MOVED)) {
        assert!(old == new || new == "z");
    }
}

#[test]
fn replicas_are_distinct_and_begin_with_the_holder() {
    let pool = pool(numbered(10));
    for number in 0..1_000 {
        let copies = pool.replicas(key(number), 3, None);
        assert_eq!(copies[0].instance.node.as_str(), name(pool.for_key(key(number))));
        let distinct: BTreeSet<&str> = copies.iter().map(|copy| copy.instance.node.as_str()).collect();
        assert_eq!(distinct.len(), 3);
    }
    assert_eq!(pool.replicas("k", 11, None).len(), 10);
    assert!(pool.replicas("k", 0, None).is_empty());
}

#[test]
fn removed_member_changes_one_replica() {
    let (before, after) = (pool(numbered(20)), pool(numbered(19)));
    let copies = |pool: &Pool, number| -> BTreeSet<String> {
        pool.replicas(key(number), 3, None).iter().map(|copy| copy.instance.node.to_string()).collect()
    };
    for number in 0..1_000 {
        let (old, new) = (copies(&before, number), copies(&after, number));
        assert_eq!(old.difference(&new).count(), usize::from(old.contains("n019")));
    }
}

#[test]
fn replicas_use_each_zone_once_before_any_twice() {
    let pool = pool(in_zones(12, 3));
    for number in 0..1_000 {
        let copies = pool.replicas(key(number), 5, Some("zone"));
        let mut zones = BTreeMap::new();
        for copy in &copies {
            *zones.entry(copy.instance.tags.get("zone")).or_insert(0) += 1;
        }
        let mut counts: Vec<i32> = zones.into_values().collect();
        counts.sort_unstable();
        assert_eq!(counts, [1, 2, 2]);
        assert_eq!(copies[0].instance.node.as_str(), name(pool.for_key(key(number))));
    }
}

#[test]
fn members_without_the_tag_are_one_zone() {
    let mut instances = in_zones(2, 2);
    instances.push(instance("a"));
    instances.push(instance("b"));
    let pool = pool(instances);
    for number in 0..100 {
        let copies = pool.replicas(key(number), 3, Some("zone"));
        let untagged = copies.iter().filter(|copy| copy.instance.tags.is_empty()).count();
        assert_eq!(untagged, 1);
    }
}

/// All requests stay in flight. No instance ever exceeds its bound.
#[test]
fn bounded_load_is_never_exceeded() {
    let weights: Vec<u16> = (0..50).map(|number| [50, 100, 200][number % 3]).collect();
    let pool = pool(weighted(&weights));
    let total: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
    let mut loads: BTreeMap<String, u32> = BTreeMap::new();
    for number in 0..20_000_u64 {
        // A tenth of all requests is for one key.
        let key = if number % 10 == 0 { "hot".to_owned() } else { key(usize::try_from(number).unwrap()) };
        let load = |instance: &Instance| loads.get(instance.node.as_str()).copied().unwrap_or(0);
        let choice = pool.for_key_bounded(key, 125, load).unwrap();
        let weight = u64::from(choice.instance.weight.get());
        let bound = ((number + 1) * 125 * weight).div_ceil(total * 100);
        let load = loads.entry(choice.instance.node.to_string()).or_default();
        *load += 1;
        assert!(u64::from(*load) <= bound, "{load} over {bound} at request {number}");
    }
}

#[test]
fn bounded_load_with_room_goes_to_the_holder() {
    let pool = pool(numbered(50));
    for number in 0..1_000 {
        let choice = pool.for_key_bounded(key(number), 125, |_| 0);
        assert_eq!(name(choice), name(pool.for_key(key(number))));
    }
}

/// If these placements change, members of different versions place keys differently. Data is then
/// lost or moved.
#[test]
fn recorded_placements_stay() {
    let equal = pool(numbered(10));
    let unequal = pool(weighted(&[10, 20, 30, 40, 50]));
    let of = |pool: &Pool| -> Vec<String> { (0..8).map(|k| name(pool.for_key(key(k))).to_owned()).collect() };
    assert_eq!(of(&equal), EQUAL);
    assert_eq!(of(&unequal), UNEQUAL);
    assert_eq!([equal.fingerprint(), unequal.fingerprint(), pool(Vec::new()).fingerprint()], FINGERPRINTS);
}

/// Computed by another program, with the reference implementation of XXH3 and Python's logarithm.
const EQUAL: [&str; 8] = ["n008", "n005", "n009", "n006", "n003", "n003", "n005", "n003"];
const UNEQUAL: [&str; 8] = ["n003", "n003", "n002", "n004", "n003", "n003", "n000", "n003"];
const FINGERPRINTS: [u64; 3] = [0xbf1c_d47f_ffb3_09bd, 0xffa6_c42f_86b9_3f81, 0x0000_0000_0000_0000];

#[test]
fn fingerprint_depends_on_names_and_weights() {
    let of = |weights: &[u16]| pool(weighted(weights)).fingerprint();
    assert_eq!(of(&[1, 2]), of(&[1, 2]));
    assert_ne!(of(&[1, 2]), of(&[2, 1]));
    assert_ne!(of(&[1, 2]), of(&[1]));
    assert_ne!(pool(vec![instance("a")]).fingerprint(), pool(vec![instance("b")]).fingerprint());
}

#[test]
fn ring_assigns_each_partition_to_one_owner() {
    let ring = Ring::new(pool(numbered(7)), 256);
    let mut owned = vec![0; 256];
    for instance in ring.pool().instances() {
        ring.owned_by(&instance.node).for_each(|partition| owned[partition as usize] += 1);
    }
    assert!(owned.iter().all(|owners| *owners == 1));
    assert!(ring.owner(256).is_none() && ring.owned_by(&id("stranger")).next().is_none());
    assert!(ring.partition("k") < 256);
    assert_eq!(ring.owner_of("k"), ring.owner(ring.partition("k")));
}

#[test]
fn ring_moves_only_partitions_of_removed_member() {
    let (before, after) = (Ring::new(pool(numbered(8)), 1_024), Ring::new(pool(numbered(7)), 1_024));
    assert_ne!(before.fingerprint(), after.fingerprint());
    for partition in 0..1_024 {
        let [old, new] = [&before, &after].map(|ring| name(ring.owner(partition)));
        assert_eq!(old != new, old == "n007");
    }
}

#[test]
fn ring_of_an_empty_pool_has_no_owner() {
    let ring = Ring::new(pool(Vec::new()), 0);
    assert!(ring.partitions() == 1 && ring.owner_of("k").is_none());
}

proptest! {
    /// The holder is found with shortcuts; a ranking of all instances is made without them.
    #[test]
    fn holder_is_the_first_of_the_whole_ranking(
        weights in prop::collection::vec(1..=1_000_u16, 1..40),
        number in 0..1_000_usize,
        count in 1..5_usize,
    ) {
        let pool = pool(weighted(&weights));
        // No member has the tag, so all are one zone: all are ranked, and the order stays.
        let all: Vec<&str> = pool
            .replicas(key(number), weights.len(), Some("none"))
            .iter()
            .map(|copy| copy.instance.node.as_str())
            .collect();
        prop_assert_eq!(name(pool.for_key(key(number))), all[0]);
        let few = pool.replicas(key(number), count, None);
        let few: Vec<&str> = few.iter().map(|copy| copy.instance.node.as_str()).collect();
        prop_assert_eq!(&few[..], &all[..count.min(all.len())]);
    }

    #[test]
    fn placement_ignores_the_order_of_instances(count in 1..30_usize, seed: u64, number in 0..1_000_usize) {
        let mut instances = numbered(count);
        let ordered = pool(instances.clone());
        kinfolk_core::Rng::from_seed(seed).shuffle(&mut instances);
        let shuffled = pool(instances);
        prop_assert_eq!(names(&ordered), names(&shuffled));
        prop_assert_eq!(name(ordered.for_key(key(number))), name(shuffled.for_key(key(number))));
        prop_assert_eq!(ordered.fingerprint(), shuffled.fingerprint());
    }
}
