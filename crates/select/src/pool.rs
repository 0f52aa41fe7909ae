//! The instances from which a strategy chooses. A pool is built once for a view and then only read,
//! so that a choice is fast.

use std::sync::Arc;
use std::time::Duration;

use kinfolk_core::{Health, NodeId};

use crate::hash;
use crate::instance::Instance;

/// An instance counts as equally near if its round trip is at most this much longer than the
/// shortest one. Default of [`PoolBuilder::nearest_margin`]: half a millisecond is below the noise
/// of a loaded network.
const MARGIN: Duration = Duration::from_micros(500);

/// The share of well instances below which the pool panics, in percent. Default of
/// [`PoolBuilder::panic_threshold`]: with less than half of the capacity, the well instances are
/// likely to fail under the load of all.
const PANIC_BELOW: u8 = 50;

/// The instances from which a strategy chooses. They are ordered by name, so that equal views give
/// equal pools.
#[derive(Debug, Clone)]
pub struct Pool {
    pub(crate) instances: Arc<[Instance]>,
    /// The hash of each instance's name, in the same order.
    pub(crate) hashes: Box<[u64]>,
    /// For each instance the sum of all weights up to it, with its own. A binary search finds the
    /// instance of a drawn number.
    pub(crate) weights: Box<[u64]>,
    /// Whether all weights are equal: then the strategies need not use them, and are faster.
    pub(crate) equal_weights: bool,
    /// The nearest instances: within the margin of the nearest one, or all if no round trip is
    /// known.
    pub(crate) near: Box<[u32]>,
    pub(crate) panic: bool,
    pub(crate) fingerprint: u64,
}

impl Pool {
    /// Begins a pool with these instances. Of two instances of one member the later one counts.
    pub fn builder(instances: impl IntoIterator<Item = Instance>) -> PoolBuilder {
        let mut instances: Vec<Instance> = instances.into_iter().collect();
        // The sort is stable. So the last instance of a name stays the last, and is kept below.
        instances.sort_by(|a, b| a.node.cmp(&b.node));
        instances.reverse();
        instances.dedup_by(|later, kept| later.node == kept.node);
        instances.reverse();
        PoolBuilder { instances, panic_threshold: PANIC_BELOW, zone: None, subset: None, margin: MARGIN }
    }

    /// The instances, ordered by name.
    pub fn instances(&self) -> &[Instance] {
        &self.instances
    }

    /// The number of instances.
    pub fn len(&self) -> usize {
        self.instances.len()
    }

    /// Whether the pool has no instance.
    pub fn is_empty(&self) -> bool {
        self.instances.is_empty()
    }

    /// Whether too few instances are well. Then the pool holds all instances but those in
    /// maintenance.
    pub fn is_in_panic(&self) -> bool {
        self.panic
    }

    /// A hash of the names and weights of all instances. Two pools with the same fingerprint place
    /// every key on the same instance, on every member and in every version.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// The position of a member's instance.
    pub(crate) fn position(&self, node: &NodeId) -> Option<usize> {
        self.instances.binary_search_by(|instance| instance.node.cmp(node)).ok()
    }

    fn of(instances: Vec<Instance>, panic: bool, margin: Duration) -> Self {
        let hashes: Box<[u64]> = instances.iter().map(|instance| hash::of_node(&instance.node)).collect();
        let mut sum = 0;
        let add = |instance: &Instance| {
            sum += u64::from(instance.weight.get());
            sum
        };
        let weights: Box<[u64]> = instances.iter().map(add).collect();
        let equal_weights = instances.windows(2).all(|pair| pair[0].weight == pair[1].weight);
        let each = instances.iter().zip(&hashes);
        let fingerprint = each.fold(0, |hash, (instance, node)| {
            hash::chained(hash::chained(hash, *node), u64::from(instance.weight.get()))
        });
        let near = nearest(&instances, margin);
        Self { instances: instances.into(), hashes, weights, equal_weights, near, panic, fingerprint }
    }
}

/// The positions of the instances whose round trip is within `margin` of the shortest one. An
/// unknown round trip is longer than any known one.
fn nearest(instances: &[Instance], margin: Duration) -> Box<[u32]> {
    let shortest = instances.iter().filter_map(|instance| instance.rtt).min();
    let is_near = |instance: &Instance| match (shortest, instance.rtt) {
        (None, _) => true,
        (Some(shortest), Some(rtt)) => rtt <= shortest + margin,
        (Some(_), None) => false,
    };
    (0_u32..).zip(instances).filter(|(_, instance)| is_near(instance)).map(|(at, _)| at).collect()
}

/// Reduces the instances to a [`Pool`]. The order of the calls does not matter, but filters apply
/// at once.
#[derive(Debug, Clone)]
pub struct PoolBuilder {
    instances: Vec<Instance>,
    panic_threshold: u8,
    zone: Option<Zone>,
    subset: Option<(usize, u64)>,
    margin: Duration,
}

/// A preference for instances of one zone.
#[derive(Debug, Clone)]
struct Zone {
    tag: String,
    own: String,
    min: usize,
}

impl PoolBuilder {
    /// The instances that match the filters so far, ordered by name.
    pub fn instances(&self) -> &[Instance] {
        &self.instances
    }

    /// Keeps only the instances for which `keep` returns `true`.
    #[must_use]
    pub fn filter(mut self, keep: impl FnMut(&Instance) -> bool) -> Self {
        self.instances.retain(keep);
        self
    }

    /// Keeps only the instances whose member has this tag with this value.
    #[must_use]
    pub fn tag(self, key: &str, value: &str) -> Self {
        self.filter(|instance| instance.tags.get(key) == Some(value))
    }

    /// Keeps only the instances whose metadata has this key with this value.
    #[must_use]
    pub fn meta(self, key: &str, value: &str) -> Self {
        self.filter(|instance| instance.meta.get(key) == Some(value))
    }

    /// Keeps only the instances whose health is at least this good. [`Health::Passing`] is the
    /// strictest. A pool in panic does not hold the removed instances either.
    #[must_use]
    pub fn health(self, worst: Health) -> Self {
        self.filter(|instance| instance.health <= worst)
    }

    /// If fewer than this percentage of the instances are well, the pool holds all instances but
    /// those in maintenance: the few well ones would fail under the load of all. 0 never panics.
    /// Default 50; above 100 counts as 100.
    #[must_use]
    pub fn panic_threshold(mut self, percent: u8) -> Self {
        self.panic_threshold = percent.min(100);
        self
    }

    /// Keeps only the instances whose member has the value `own` in the tag `tag`. It needs at
    /// least `min` of them (0 counts as 1). With fewer, the pool holds the instances of all zones.
    #[must_use]
    pub fn same_zone_first(mut self, tag: &str, own: &str, min: usize) -> Self {
        self.zone = Some(Zone { tag: tag.to_owned(), own: own.to_owned(), min: min.max(1) });
        self
    }

    /// Keeps `size` instances (0 counts as 1). The selection depends on `client` alone: a client
    /// always gets the same instances while they exist, and other clients get others. When one
    /// instance is removed, another takes its place, and the rest stay. The subset bounds the
    /// connections: without it, each of a thousand clients would hold a connection to each of a
    /// thousand instances.
    #[must_use]
    pub fn subset(mut self, client: &NodeId, size: usize) -> Self {
        self.subset = Some((size.max(1), hash::of_node(client)));
        self
    }

    /// An instance counts as [nearest](Pool::nearest) if its round trip is at most this much longer
    /// than the shortest one. Default 500 us.
    #[must_use]
    pub fn nearest_margin(mut self, margin: Duration) -> Self {
        self.margin = margin;
        self
    }

    /// Builds the pool. First it takes the well instances, or in panic all that are not in
    /// maintenance. Then it applies the zone, and then the subset.
    pub fn build(self) -> Pool {
        let Self { mut instances, panic_threshold, zone, subset, margin } = self;
        instances.retain(|instance| instance.health != Health::Maintenance);
        let well = instances.iter().filter(|instance| instance.is_well()).count();
        let panic = well * 100 < instances.len() * usize::from(panic_threshold);
        if !panic {
            instances.retain(Instance::is_well);
        }
        if let Some(Zone { tag, own, min }) = zone {
            let is_local = |instance: &Instance| instance.tags.get(&tag) == Some(&own);
            if instances.iter().filter(|instance| is_local(instance)).count() >= min {
                instances.retain(is_local);
            }
        }
        if let Some((size, client)) = subset
            && instances.len() > size
        {
            let rank = |instance: &Instance| hash::of_pair(client, hash::of_node(&instance.node));
            instances.sort_by_cached_key(|instance| std::cmp::Reverse(rank(instance)));
            instances.truncate(size);
            // The order by name is a rule of the pool.
            instances.sort_by(|a, b| a.node.cmp(&b.node));
        }
        Pool::of(instances, panic, margin)
    }
}
