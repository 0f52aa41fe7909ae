//! The strategies by chance choose each instance with the documented probability. The chi-squared
//! test at 1 % checks this.

use std::cell::RefCell;

use kinfolk_core::Rng;
use kinfolk_select::Why;

use crate::support::{assert_shares, at_distances, counted, name, numbered, pool, weighted};

#[test]
fn random_chooses_all_alike() {
    let (pool, mut rng) = (pool(numbered(20)), Rng::from_seed(1));
    assert_shares(&counted(20_000, |_| pool.random(&mut rng)), &[1.0; 20]);
}

#[test]
fn weighted_chooses_by_weight() {
    let (pool, mut rng) = (pool(weighted(&[1, 2, 3, 4, 100, 1_000])), Rng::from_seed(2));
    let counts = counted(200_000, |_| pool.weighted(&mut rng));
    assert_shares(&counts, &[1.0, 2.0, 3.0, 4.0, 100.0, 1_000.0]);
}

#[test]
fn round_robin_takes_each_in_turn() {
    let pool = pool(numbered(3));
    let turns: Vec<&str> = (0..6).map(|turn| name(pool.round_robin(turn))).collect();
    assert_eq!(turns, ["n000", "n001", "n002", "n000", "n001", "n002"]);
    assert_eq!(name(pool.round_robin(u64::MAX)), "n000");
}

#[test]
fn least_loaded_without_load_chooses_all_alike() {
    let (pool, mut rng) = (pool(numbered(10)), Rng::from_seed(3));
    assert_shares(&counted(20_000, |_| pool.least_loaded(&mut rng, |_| 0)), &[1.0; 10]);
}

#[test]
fn least_loaded_takes_the_less_loaded_of_two() {
    let (pool, mut rng) = (pool(numbered(2)), Rng::from_seed(4));
    for _ in 0..100 {
        let choice = pool.least_loaded(&mut rng, |instance| u32::from(instance.node.as_str() == "n000"));
        assert_eq!(choice.unwrap().why, Why::LeastLoaded { load: 0, other: 1 });
        assert_eq!(name(choice), "n001");
    }
}

/// With two choices the largest of 100 loads is a few requests above the mean. With one choice it
/// is some tens above.
#[test]
fn least_loaded_balances_better_than_chance() {
    let fullest = |two: bool| {
        let (pool, mut rng) = (pool(numbered(100)), Rng::from_seed(5));
        let loads = RefCell::new(vec![0_u32; 100]);
        for _ in 0..10_000 {
            let load = |instance: &kinfolk_select::Instance| loads.borrow()[number(instance.node.as_str())];
            let chosen =
                if two { name(pool.least_loaded(&mut rng, load)) } else { name(pool.random(&mut rng)) };
            loads.borrow_mut()[number(chosen)] += 1;
        }
        loads.into_inner().into_iter().max().unwrap()
    };
    assert!(fullest(true) <= 104, "{}", fullest(true));
    assert!(fullest(false) >= 115, "{}", fullest(false));
}

#[test]
fn least_loaded_draws_by_weight() {
    let (pool, mut rng) = (pool(weighted(&[1, 1_000])), Rng::from_seed(6));
    // Both instances are drawn each time, so the load alone decides.
    for _ in 0..20 {
        let choice = pool.least_loaded(&mut rng, |instance| u32::from(instance.node.as_str() == "n001"));
        assert_eq!(name(choice), "n000");
    }
}

#[test]
fn nearest_chooses_alike_within_the_margin() {
    let (pool, mut rng) = (pool(at_distances(&[10, 10, 11, 10, 0])), Rng::from_seed(7));
    let counts = counted(9_000, |_| pool.nearest(&mut rng));
    assert_eq!(counts.keys().copied().collect::<Vec<_>>(), ["n000", "n001", "n003"]);
    assert_shares(&counts, &[1.0; 3]);
}

#[test]
fn nearest_without_round_trips_chooses_from_all() {
    let (pool, mut rng) = (pool(at_distances(&[0, 0])), Rng::from_seed(8));
    let choice = pool.nearest(&mut rng).unwrap();
    assert_eq!(choice.why, Why::Nearest { rtt: None, equals: 2 });
}

#[test]
fn empty_pool_has_no_choice() {
    let (pool, mut rng) = (pool(Vec::new()), Rng::from_seed(9));
    assert!(pool.is_empty() && pool.round_robin(0).is_none() && pool.random(&mut rng).is_none());
    assert!(pool.weighted(&mut rng).is_none() && pool.nearest(&mut rng).is_none());
    assert!(pool.least_loaded(&mut rng, |_| 0).is_none());
    assert!(pool.for_key("k").is_none() && pool.for_key_bounded("k", 125, |_| 0).is_none());
    assert!(pool.replicas("k", 3, None).is_empty());
}

#[test]
fn one_instance_is_chosen_by_every_strategy() {
    let (pool, mut rng) = (pool(numbered(1)), Rng::from_seed(10));
    assert_eq!(name(pool.least_loaded(&mut rng, |_| 7)), "n000");
    assert_eq!(name(pool.weighted(&mut rng)), "n000");
    assert_eq!(name(pool.for_key_bounded("k", 125, |_| 7)), "n000");
}

fn number(name: &str) -> usize {
    name[1..].parse().expect("a name is a letter and a number")
}

#[test]
fn choices_explain_themselves() {
    let (pool, mut rng) = (pool(weighted(&[3])), Rng::from_seed(11));
    let texts = [
        pool.round_robin(0),
        pool.random(&mut rng),
        pool.weighted(&mut rng),
        pool.least_loaded(&mut rng, |_| 2),
        pool.nearest(&mut rng),
        pool.for_key("k"),
        pool.for_key_bounded("k", 125, |_| 2),
    ];
    let texts: Vec<String> = texts.into_iter().map(|choice| choice.unwrap().to_string()).collect();
    assert_eq!(
        texts,
        [
            "n000 at 10.0.0.1:80: its turn among 1",
            "n000 at 10.0.0.1:80: by chance among 1",
            "n000 at 10.0.0.1:80: by chance among 1, with weight 3 of 3",
            "n000 at 10.0.0.1:80: 2 requests in flight, and 2 at the other of two drawn from 1",
            "n000 at 10.0.0.1:80: no round trip is known, by chance among 1 of 1",
            "n000 at 10.0.0.1:80: number 1 of 1 for the key",
            "n000 at 10.0.0.1:80: number 1 of 1 for the key, with 2 of at most 4 requests in flight",
        ]
    );
}
