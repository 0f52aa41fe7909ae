//! Strategies without state: in turn, by chance, by weight, and by distance.

use kinfolk_core::Rng;

use crate::choice::{Choice, Why};
use crate::pool::Pool;

impl Pool {
    /// The next instance in turn. `turn` counts the choices of the caller. Weights do not count.
    /// `None` if the pool is empty.
    #[expect(clippy::missing_panics_doc, reason = "a remainder of a length fits in a usize")]
    pub fn round_robin(&self, turn: u64) -> Option<Choice<'_>> {
        let len = u64::try_from(self.len()).ok().filter(|len| *len > 0)?;
        let at = usize::try_from(turn % len).expect("the remainder is below a length");
        Some(self.choice(at, Why::RoundRobin))
    }

    /// An instance by chance. All instances have the same probability. `None` if the pool is empty.
    pub fn random(&self, rng: &mut Rng) -> Option<Choice<'_>> {
        (!self.is_empty()).then(|| self.choice(rng.below(self.len()), Why::Random))
    }

    /// An instance by chance, with a probability in proportion to its weight. `None` if the pool is
    /// empty.
    pub fn weighted(&self, rng: &mut Rng) -> Option<Choice<'_>> {
        let total = *self.weights.last()?;
        let at = self.drawn_by_weight(rng);
        Some(self.choice(at, Why::Weighted { weight: self.instances[at].weight.get(), total }))
    }

    /// An instance by chance among the nearest: their round trips are within the
    /// [margin](crate::PoolBuilder::nearest_margin) of the shortest one. The chance spreads the
    /// load over instances that are equally near. `None` if the pool is empty.
    pub fn nearest(&self, rng: &mut Rng) -> Option<Choice<'_>> {
        let equals = self.near.len();
        (equals > 0).then(|| {
            let at = self.near[rng.below(equals)] as usize;
            self.choice(at, Why::Nearest { rtt: self.instances[at].rtt, equals })
        })
    }

    /// The position of an instance, drawn by weight. The pool is not empty.
    pub(super) fn drawn_by_weight(&self, rng: &mut Rng) -> usize {
        // With equal weights no binary search is needed.
        if self.equal_weights {
            return rng.below(self.len());
        }
        let total = self.weights.last().copied().unwrap_or(1);
        let total = usize::try_from(total).expect("1,000 times the members of a cluster fits in 32 bits");
        let drawn = rng.below(total) as u64;
        self.weights.partition_point(|sum| *sum <= drawn)
    }
}
