//! The power of two choices: the less loaded of two instances that are drawn by chance. The maximum
//! load then grows with the logarithm of the logarithm of the number of instances (Mitzenmacher
//! 2001, section 2). A choice reads only two loads. If each client took the least loaded of all
//! instances, all clients would choose the same instance at once.

use kinfolk_core::Rng;

use crate::choice::{Choice, Why};
use crate::instance::Instance;
use crate::pool::Pool;

impl Pool {
    /// The instance with fewer requests in flight, of two different instances drawn by weight.
    /// `load` counts the caller's requests in flight at an instance. `None` if the pool is empty.
    pub fn least_loaded(&self, rng: &mut Rng, load: impl Fn(&Instance) -> u32) -> Option<Choice<'_>> {
        if self.is_empty() {
            return None;
        }
        let first = self.drawn_by_weight(rng);
        let second = self.another(first, rng);
        let [a, b] = [first, second].map(|at| load(&self.instances[at]));
        // Both instances are drawn by weight, so the loads are compared without it. A division by
        // the weight would count the weight twice while the loads are small.
        let (at, load, other) = if b < a { (second, b, a) } else { (first, a, b) };
        Some(self.choice(at, Why::LeastLoaded { load, other }))
    }

    /// Another instance than `first`, drawn by weight; `first` if there is no other.
    fn another(&self, first: usize, rng: &mut Rng) -> usize {
        let len = self.len();
        if len == 1 {
            return first;
        }
        if self.equal_weights {
            let step = 1 + rng.below(len - 1);
            return (first + step) % len;
        }
        // An instance with a large weight may be drawn again. Four draws bound the work; if all
        // give `first`, the next instance in order is taken.
        let drawn = (0..4).map(|_| self.drawn_by_weight(rng)).find(|at| *at != first);
        drawn.unwrap_or((first + 1) % len)
    }
}
