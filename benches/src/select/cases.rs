//! The measured operations: each strategy on a built pool, and the build of a pool.

use std::sync::Arc;

use kinfolk_core::{NodeId, Rng, Tags, Weight};
use kinfolk_select::{Instance, Pool};

use crate::case::Case;

/// The number of keys. The cases use them in turn, so that no lookup repeats the one before.
const KEYS: usize = 1_024;

/// All cases with `count` instances.
///
/// # Panics
/// If an invented name or weight is not valid, which only a bug can cause.
pub fn cases(count: usize) -> Vec<Case> {
    let equal = Arc::new(Pool::builder(instances(count, |_| 100)).build());
    let weighted = Arc::new(Pool::builder(instances(count, |number| 50 + number % 100)).build());
    let named = |what: &str| format!("{what}, {count}");
    let mut turn = 0;
    let round_robin = {
        let pool = equal.clone();
        Case::new(named("round_robin"), move || {
            turn += 1;
            pool.round_robin(turn).map(|choice| choice.instance.addr)
        })
    };
    let by_chance = |what: &str, pool: &Arc<Pool>, choose: fn(&Pool, &mut Rng) -> Option<u16>| {
        let (pool, mut rng) = (pool.clone(), Rng::from_seed(1));
        Case::new(named(what), move || choose(&pool, &mut rng))
    };
    let keyed = |what: &str, pool: &Arc<Pool>, choose: fn(&Pool, &str) -> usize| {
        let (pool, keys, mut next) = (pool.clone(), keys(), 0);
        Case::new(named(what), move || {
            next = (next + 1) % KEYS;
            choose(&pool, &keys[next])
        })
    };
    vec![
        round_robin,
        by_chance("random", &equal, |pool, rng| Some(pool.random(rng)?.instance.addr.port())),
        by_chance("weighted", &weighted, |pool, rng| Some(pool.weighted(rng)?.instance.addr.port())),
        by_chance("least_loaded", &equal, least_loaded),
        by_chance("least_loaded weighted", &weighted, least_loaded),
        by_chance("nearest", &equal, |pool, rng| Some(pool.nearest(rng)?.instance.addr.port())),
        keyed("for_key", &equal, |pool, key| usize::from(pool.for_key(key).is_some())),
        keyed("for_key weighted", &weighted, |pool, key| usize::from(pool.for_key(key).is_some())),
        keyed("for_key_bounded", &equal, |pool, key| {
            usize::from(pool.for_key_bounded(key, 125, |_| 1).is_some())
        }),
        keyed("replicas of 3", &equal, |pool, key| pool.replicas(key, 3, None).len()),
        Case::prepared(
            named("build a pool"),
            instances(count, |_| 100),
            |instances| instances.clone(),
            |_, instances| Pool::builder(instances).build(),
        ),
    ]
}

fn least_loaded(pool: &Pool, rng: &mut Rng) -> Option<u16> {
    let load = |instance: &Instance| u32::from(instance.addr.port());
    Some(pool.least_loaded(rng, load)?.instance.addr.port())
}

fn instances(count: usize, weight: impl Fn(u16) -> u16) -> Vec<Instance> {
    let instance = |number: usize| {
        let id = NodeId::new(&format!("node-{number}")).expect("a number makes a label");
        let port = u16::try_from(number).expect("at most 10,000 instances");
        let mut instance = Instance::new(id, ([10, 0, 0, 1], port).into());
        instance.weight = Weight::new(weight(port)).expect("a weight in its range");
        instance.tags = Tags::new([("zone", format!("z{}", number % 3))]).expect("one short tag");
        instance
    };
    (0..count).map(instance).collect()
}

fn keys() -> Vec<String> {
    (0..KEYS).map(|number| format!("user:{number}")).collect()
}
