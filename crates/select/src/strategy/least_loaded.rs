//! The power of two choices: of two instances drawn by chance, the less loaded one. The maximum
//! load then grows with the logarithm of the logarithm of the instances, at the cost of two looks
//! (Mitzenmacher 2001, section 2). The least loaded of all would be chosen by all clients at once.

use kinfolk_core::Rng;

use crate::choice::{Choice, Why};
use crate::instance::Instance;
use crate::pool::Pool;

impl Pool {
    /// Of two different instances drawn by weight, the one with fewer requests in flight. `load`
    /// counts the requests of the caller in flight at an instance. `None` if the pool is empty.
    pub fn least_loaded(&self, rng: &mut Rng, load: impl Fn(&Instance) -> u32) -> Option<Choice<'_>> {
        if self.is_empty() {
            return None;
        }
        let first = self.drawn_by_weight(rng);
        let second = self.another(first, rng);
        let [a, b] = [first, second].map(|at| load(&self.instances[at]));
        // Both were drawn by weight already, so that the loads are compared as they are: dividing
        // by the weight would count it twice while the loads are small.
        let (at, load, other) = if b < a { (second, b, a) } else { (first, a, b) };
        Some(self.choice(at, Why::LeastLoaded { load, other }))
    }

    /// Another instance than this one, drawn by weight; this one if there is no other.
    fn another(&self, first: usize, rng: &mut Rng) -> usize {
        let len = self.len();
        if len == 1 {
            return first;
        }
        if self.equal_weights {
            let step = 1 + rng.below(len - 1);
            return (first + step) % len;
        }
        // A heavy instance may be drawn twice. Four more draws bound the work; then its neighbour.
        let drawn = (0..4).map(|_| self.drawn_by_weight(rng)).find(|at| *at != first);
        drawn.unwrap_or((first + 1) % len)
    }
}
