//! Derives several streams of random values from one seed, one for each user. A change in how one
//! user draws then does not change the values of the others.

use kinfolk_core::Rng;

/// The streams of one run.
#[derive(Debug)]
pub struct Streams {
    /// For delays, losses, and duplicated messages.
    pub network: Rng,
    /// For the script: which node a fault hits, and when.
    pub faults: Rng,
    nodes: u64,
}

impl Streams {
    /// The streams of `seed`.
    pub fn new(seed: u64) -> Self {
        let mut root = Rng::from_seed(seed);
        Self { network: root.fork(), faults: root.fork(), nodes: root.next_u64() }
    }

    /// The stream of one instance of one node. It does not depend on the order in which nodes
    /// start.
    pub fn node(&self, node: usize, instance: u32) -> Rng {
        // The constant (2^64 divided by the golden ratio) spreads consecutive indices over all
        // bits.
        let mut of_node = Rng::from_seed(self.nodes ^ (node as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        for _ in 0..instance {
            of_node.next_u64();
        }
        of_node.fork()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn streams_of_a_seed_differ_and_repeat() {
        let draw = || {
            let mut streams = Streams::new(7);
            let mut drawn = vec![streams.network.next_u64(), streams.faults.next_u64()];
            drawn.extend(
                (0..50)
                    .flat_map(|node| (1..4).map(move |instance| (node, instance)))
                    .map(|(node, instance)| Streams::new(7).node(node, instance).next_u64()),
            );
            drawn
        };
        assert_eq!(draw(), draw());
        assert_eq!(draw().into_iter().collect::<BTreeSet<_>>().len(), 152);
    }

    #[test]
    fn another_seed_gives_other_streams() {
        assert_ne!(Streams::new(1).network.next_u64(), Streams::new(2).network.next_u64());
        assert_ne!(Streams::new(1).node(0, 1).next_u64(), Streams::new(2).node(0, 1).next_u64());
    }
}
