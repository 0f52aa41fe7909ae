//! Which instances a pool holds: filters, health, panic, zones, subsets.

use std::collections::BTreeSet;

use kinfolk_core::Tags;
use kinfolk_select::{Health, Instance, Pool};

use crate::support::{id, in_zones, instance, name, names, numbered, pool};

fn with_health(health: &[Health]) -> Vec<Instance> {
    let mut instances = numbered(health.len());
    instances.iter_mut().zip(health).for_each(|(instance, health)| instance.health = *health);
    instances
}

use Health::{Critical, Maintenance, Passing, Warning};

#[test]
fn pool_holds_passing_and_warning_instances() {
    let pool = pool(with_health(&[Passing, Warning, Critical, Maintenance, Passing]));
    assert_eq!(names(&pool), ["n000", "n001", "n004"]);
    assert!(!pool.is_in_panic());
}

#[test]
fn pool_panics_below_its_threshold_only() {
    // Of four that are not in maintenance, two are well: half of them.
    let half = with_health(&[Passing, Passing, Critical, Critical, Maintenance]);
    assert!(!pool(half.clone()).is_in_panic());
    let stricter = Pool::builder(half).panic_threshold(51).build();
    assert!(stricter.is_in_panic() && stricter.len() == 4);
    let third = pool(with_health(&[Passing, Critical, Critical, Maintenance]));
    assert_eq!((names(&third), third.is_in_panic()), (vec!["n000", "n001", "n002"], true));
    assert!(
        third.round_robin(0).unwrap().to_string().ends_with("; too few instances are well, so all count")
    );
    let never = Pool::builder(with_health(&[Critical, Critical])).panic_threshold(0).build();
    assert!(never.is_empty() && !never.is_in_panic());
}

#[test]
fn maintenance_is_never_chosen() {
    assert!(pool(with_health(&[Maintenance, Maintenance])).is_empty());
}

#[test]
fn ejected_instance_is_out_unless_in_panic() {
    let mut instances = numbered(3);
    instances[1].ejected = true;
    assert_eq!(names(&pool(instances.clone())), ["n000", "n002"]);
    instances[0].ejected = true;
    assert_eq!((pool(instances.clone()).len(), pool(instances).is_in_panic()), (3, true));
}

#[test]
fn filters_keep_what_matches() {
    let mut instances = in_zones(4, 2);
    instances[2].meta = Tags::new([("version", "2")]).unwrap();
    instances[3].health = Warning;
    let built = |build: fn(kinfolk_select::PoolBuilder) -> kinfolk_select::PoolBuilder| {
        let pool = build(Pool::builder(instances.clone())).build();
        names(&pool).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(built(|pool| pool.tag("zone", "z0")), ["n000", "n002"]);
    assert_eq!(built(|pool| pool.meta("version", "2")), ["n002"]);
    assert_eq!(built(|pool| pool.health(Passing)), ["n000", "n001", "n002"]);
    assert_eq!(built(|pool| pool.filter(|instance| instance.node.as_str() > "n001")), ["n002", "n003"]);
}

#[test]
fn own_zone_is_used_while_it_has_enough() {
    let built = |min| {
        let pool = Pool::builder(in_zones(5, 2)).same_zone_first("zone", "z1", min).build();
        names(&pool).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(built(2), ["n001", "n003"]);
    assert_eq!(built(3).len(), 5);
    let elsewhere = Pool::builder(in_zones(4, 2)).same_zone_first("zone", "z9", 0).build();
    assert_eq!(elsewhere.len(), 4);
}

#[test]
fn spill_over_counts_only_well_instances() {
    let mut instances = in_zones(8, 2);
    instances[1].health = Critical;
    let pool = Pool::builder(instances).same_zone_first("zone", "z1", 4).build();
    assert_eq!(pool.len(), 7);
}

#[test]
fn subset_is_stable_for_a_client() {
    let of = |count: usize, client: &str| -> BTreeSet<String> {
        let pool = Pool::builder(numbered(count)).subset(&id(client), 5).build();
        assert_eq!(pool.len(), 5.min(count));
        names(&pool).into_iter().map(str::to_owned).collect()
    };
    assert_eq!(of(100, "client"), of(100, "client"));
    assert_ne!(of(100, "client"), of(100, "other"));
    assert_eq!(of(3, "client").len(), 3);
    for count in 20..60 {
        let (before, after) = (of(count + 1, "client"), of(count, "client"));
        assert!(before.difference(&after).count() <= 1);
    }
}

#[test]
fn subsets_of_many_clients_spread_over_all() {
    let mut chosen = std::collections::BTreeMap::new();
    for client in 0..1_000 {
        let pool = Pool::builder(numbered(100)).subset(&id(&format!("client-{client}")), 10).build();
        for name in names(&pool) {
            *chosen.entry(name.to_owned()).or_insert(0_u32) += 1;
        }
    }
    // Each instance has 100 clients on average, with a standard deviation of 9.5. The range is five
    // standard deviations to either side.
    assert!(chosen.len() == 100 && chosen.values().all(|clients| (53..=147).contains(clients)), "{chosen:?}");
}

#[test]
fn later_instance_of_a_member_counts() {
    let mut second = instance("a");
    second.addr.set_port(81);
    let pool = pool(vec![instance("a"), instance("b"), second]);
    assert_eq!((names(&pool), pool.instances()[0].addr.port()), (vec!["a", "b"], 81));
    assert_eq!(name(pool.round_robin(1)), "b");
}
