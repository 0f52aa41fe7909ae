//! Invented instances, and the chi-squared test.
#![expect(clippy::unwrap_used, reason = "helpers of tests, which clippy does not see are tests")]

use std::collections::BTreeMap;
use std::time::Duration;

use kinfolk_core::{NodeId, Tags, Weight};
use kinfolk_select::{Choice, Instance, Pool};
use statrs::distribution::{ChiSquared, ContinuousCDF as _};

pub(crate) fn id(name: &str) -> NodeId {
    NodeId::new(name).unwrap()
}

/// An instance with this name.
pub(crate) fn instance(name: &str) -> Instance {
    Instance::new(id(name), ([10, 0, 0, 1], 80).into())
}

pub(crate) fn numbered(count: usize) -> Vec<Instance> {
    (0..count).map(|number| instance(&format!("n{number:03}"))).collect()
}

/// Instances with these weights.
pub(crate) fn weighted(weights: &[u16]) -> Vec<Instance> {
    let mut instances = numbered(weights.len());
    for (instance, weight) in instances.iter_mut().zip(weights) {
        instance.weight = Weight::new(*weight).unwrap();
    }
    instances
}

/// Instances in zones `z0`, `z1`, and so on, in turn.
pub(crate) fn in_zones(count: usize, zones: usize) -> Vec<Instance> {
    let mut instances = numbered(count);
    for (number, instance) in instances.iter_mut().enumerate() {
        instance.tags = Tags::new([("zone", format!("z{}", number % zones))]).unwrap();
    }
    instances
}

/// Instances with these round trips in milliseconds; 0 stands for an unknown round trip.
pub(crate) fn at_distances(millis: &[u64]) -> Vec<Instance> {
    let mut instances = numbered(millis.len());
    for (instance, millis) in instances.iter_mut().zip(millis) {
        instance.rtt = (*millis > 0).then(|| Duration::from_millis(*millis));
    }
    instances
}

pub(crate) fn pool(instances: Vec<Instance>) -> Pool {
    Pool::builder(instances).build()
}

pub(crate) fn names(pool: &Pool) -> Vec<&str> {
    pool.instances().iter().map(|instance| instance.node.as_str()).collect()
}

pub(crate) fn name(choice: Option<Choice<'_>>) -> &str {
    choice.unwrap().instance.node.as_str()
}

/// How often each instance is chosen.
pub(crate) fn counted<'a>(
    times: usize,
    mut choose: impl FnMut(usize) -> Option<Choice<'a>>,
) -> BTreeMap<&'a str, u64> {
    let mut counts = BTreeMap::new();
    for number in 0..times {
        *counts.entry(name(choose(number))).or_insert(0) += 1;
    }
    counts
}

/// Fails if counts differ from their expected shares more than chance explains at 1 %.
pub(crate) fn assert_shares(counts: &BTreeMap<&str, u64>, weights: &[f64]) {
    assert_eq!(counts.len(), weights.len(), "an instance was never chosen");
    let (total, sum) = (counts.values().sum::<u64>() as f64, weights.iter().sum::<f64>());
    let terms = counts.values().zip(weights).map(|(count, weight)| {
        let expected = total * weight / sum;
        (*count as f64 - expected).powi(2) / expected
    });
    let statistic: f64 = terms.sum();
    let limit = ChiSquared::new((weights.len() - 1) as f64).unwrap().inverse_cdf(0.99);
    assert!(statistic < limit, "chi-squared {statistic:.1} is over {limit:.1}: {counts:?}");
}
