//! Which instance holds a key: weighted rendezvous hashing (Thaler and Ravishankar 1998; weights as
//! in Schindelhauer and Schomaker 2005, the logarithmic method). Each pair of a key and an instance
//! has a cost, and the lowest cost wins. When an instance is removed, only its keys move. They
//! spread over all other instances by weight.

use crate::choice::{Choice, Why};
use crate::hash;
use crate::instance::Instance;
use crate::pool::Pool;

/// The smallest bound that [`Pool::for_key_bounded`] takes, in percent of an instance's share. With
/// less, the instances together might have no room for the next request. 125 allows a quarter more
/// than the share; Mirrokni, Thorup and Zadimoghaddam 2018 show that few keys move at such a bound.
const BOUND_MIN: u32 = 100;

impl Pool {
    /// The instance that holds this key. All members whose pools have the same
    /// [fingerprint](Pool::fingerprint) choose the same instance. `None` if the pool is empty.
    pub fn for_key(&self, key: impl AsRef<[u8]>) -> Option<Choice<'_>> {
        let at = self.best(hash::of_key(key.as_ref()))?;
        Some(self.choice(at, Why::Key { rank: 0 }))
    }

    /// Like [`for_key`](Self::for_key), with bounded loads: if an instance has no room, the next
    /// one is chosen. An instance may have `percent` percent of its share by weight of all requests
    /// in flight, with the new request, rounded up. Below 100 counts as 100. `load` counts the
    /// requests in flight at an instance. `None` if the pool is empty.
    pub fn for_key_bounded(
        &self,
        key: impl AsRef<[u8]>,
        percent: u32,
        load: impl Fn(&Instance) -> u32,
    ) -> Option<Choice<'_>> {
        let total_weight = *self.weights.last()?;
        let in_flight = 1 + self.instances.iter().map(|instance| u64::from(load(instance))).sum::<u64>();
        let percent = u64::from(percent.max(BOUND_MIN));
        let bound = |instance: &Instance| {
            let share = in_flight * percent * u64::from(instance.weight.get());
            u32::try_from(share.div_ceil(total_weight * 100)).unwrap_or(u32::MAX)
        };
        let mut passed: Option<(f64, usize)> = None;
        let key = hash::of_key(key.as_ref());
        // Most keys find room at the first instance. So no order of all instances is computed: each
        // further round costs one more pass.
        for rank in 0..self.len() {
            let at = self.best_after(key, passed)?;
            let instance = &self.instances[at];
            let (load, bound) = (load(instance), bound(instance));
            if load < bound {
                return Some(self.choice(at, Why::KeyBounded { rank, load, bound }));
            }
            passed = Some((self.cost(key, at), at));
        }
        // The bounds sum to more than the requests in flight, so one instance had room. If it
        // became full while the loads were read, the key goes to its first instance.
        let at = self.best(key)?;
        Some(self.choice(at, Why::Key { rank: 0 }))
    }

    /// The position of the best instance for a key.
    pub(crate) fn best(&self, key: u64) -> Option<usize> {
        if !self.equal_weights {
            return self.best_after(key, None);
        }
        // With equal weights the highest draw has the lowest cost. So no logarithm is needed.
        let draws = self.hashes.iter().map(|node| draw(key, *node)).enumerate();
        draws.reduce(|best, next| if next.1 > best.1 { next } else { best }).map(|(at, _)| at)
    }

    /// The position of the best instance whose cost is above that of the one `passed`. Of equal
    /// costs the first name wins.
    fn best_after(&self, key: u64, passed: Option<(f64, usize)>) -> Option<usize> {
        let mut best: Option<(f64, usize)> = None;
        for at in 0..self.len() {
            if best.is_some_and(|(cost, _)| self.costs_at_least(key, at, cost)) {
                continue;
            }
            let next = (self.cost(key, at), at);
            let is_after = passed.is_none_or(|passed| next > passed);
            if is_after && best.is_none_or(|best| next.0 < best.0) {
                best = Some(next);
            }
        }
        best.map(|(_, at)| at)
    }

    /// Whether the key costs at least this much at an instance, as far as that shows without a
    /// logarithm: `-ln(u)` is at least `1 - u`. Nearly all instances are ruled out by it, and a
    /// logarithm takes ten times as long as a draw.
    pub(super) fn costs_at_least(&self, key: u64, at: usize, cost: f64) -> bool {
        1.0 - unit(draw(key, self.hashes[at])) >= cost * f64::from(self.instances[at].weight.get())
    }

    /// The cost of a key at an instance; the lowest cost wins. It is an exponential draw whose rate
    /// is the weight. So an instance wins with a probability in proportion to its weight.
    pub(crate) fn cost(&self, key: u64, at: usize) -> f64 {
        let unit = unit(draw(key, self.hashes[at]));
        // The platform's logarithm may differ in the last bit between machines, and members would
        // then place a key differently. `libm` is the same everywhere.
        -libm::log(unit) / f64::from(self.instances[at].weight.get())
    }
}

/// A draw as a number above 0 and at most 1.
#[inline]
fn unit(draw: u64) -> f64 {
    const UNIT: f64 = 1.0 / (1_u64 << 53) as f64;
    (draw + 1) as f64 * UNIT
}

/// The draw of a pair of a key and an instance: 53 bits, as many as an `f64` holds exactly.
#[inline]
fn draw(key: u64, node: u64) -> u64 {
    hash::of_pair(key, node) >> 11
}
