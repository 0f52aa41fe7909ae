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
        let key = hash::of_key(key.as_ref());
        let mut ranked: Vec<(f64, usize)> = (0..self.len()).map(|at| (self.cost(key, at), at)).collect();
        let by_cost = |a: &(f64, usize), b: &(f64, usize)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
        let count = count.min(self.len());
        if zone.is_none() && count < ranked.len() && count > 0 {
            // Only the best instances need an order, so the others are not sorted.
            ranked.select_nth_unstable_by(count - 1, by_cost);
            ranked.truncate(count);
        }
        ranked.sort_unstable_by(by_cost);
        let chosen = match zone {
            None => (0..count).collect(),
            Some(tag) => self.spread(&ranked, count, tag),
        };
        chosen.into_iter().map(|rank: usize| self.choice(ranked[rank].1, Why::Key { rank })).collect()
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
