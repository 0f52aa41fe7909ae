//! Which instances hold the copies of a key: the best instances by rendezvous hashing, spread over
//! zones.

use crate::choice::{Choice, Why};
use crate::hash;
use crate::pool::Pool;

impl Pool {
    /// The `count` instances that hold the copies of this key, the best first; all instances if
    /// there are fewer. With `zone`, the name of a tag, the copies are spread over zones: no zone
    /// gets a second copy before each zone has one, and so on. Members without the tag are one
    /// zone.
    ///
    /// The first instance is that of [`for_key`](Self::for_key). When a member is removed, one
    /// other instance takes its place. Without zones, the other instances stay the same.
    pub fn replicas(&self, key: impl AsRef<[u8]>, count: usize, zone: Option<&str>) -> Vec<Choice<'_>> {
        let (key, count) = (hash::of_key(key.as_ref()), count.min(self.len()));
        let (ranked, chosen) = match zone {
            None => (self.best_ranked(key, count), (0..count).collect()),
            Some(tag) => {
                let ranked = self.all_ranked(key);
                let chosen = self.spread(&ranked, count, tag);
                (ranked, chosen)
            }
        };
        chosen.into_iter().map(|rank: usize| self.choice(ranked[rank].1, Why::Key { rank })).collect()
    }

    /// All instances with their costs for a key, the best first.
    fn all_ranked(&self, key: u64) -> Vec<(f64, usize)> {
        let mut ranked: Vec<(f64, usize)> = (0..self.len()).map(|at| (self.cost(key, at), at)).collect();
        ranked.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        ranked
    }

    /// The `count` best instances with their costs for a key, the best first.
    fn best_ranked(&self, key: u64, count: usize) -> Vec<(f64, usize)> {
        let mut ranked: Vec<(f64, usize)> = Vec::with_capacity(count + 1);
        for at in 0..self.len() {
            let worst = if ranked.len() == count { ranked.last() } else { None };
            // Once there are enough, a look without a logarithm rules nearly all others out.
            if worst.is_some_and(|(worst, _)| self.costs_at_least(key, at, *worst)) {
                continue;
            }
            let next = (self.cost(key, at), at);
            // Of equal costs the first name is better, so the new one goes behind them.
            let place = ranked.partition_point(|(cost, _)| *cost <= next.0);
            ranked.insert(place, next);
            ranked.truncate(count);
        }
        ranked
    }

    /// The ranks of the chosen instances. Instances with fewer better ones in their own zone come
    /// first.
    fn spread(&self, ranked: &[(f64, usize)], count: usize, tag: &str) -> Vec<usize> {
        let mut in_zone = std::collections::BTreeMap::new();
        let place = |(rank, (_, at)): (usize, &(f64, usize))| {
            let before = in_zone.entry(self.instances[*at].tags.get(tag)).or_insert(0_usize);
            let place = (*before, rank);
            *before += 1;
            place
        };
        let mut places: Vec<(usize, usize)> = ranked.iter().enumerate().map(place).collect();
        places.sort_unstable();
        places.truncate(count);
        places.into_iter().map(|(_, rank)| rank).collect()
    }
}
