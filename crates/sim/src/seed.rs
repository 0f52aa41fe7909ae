//! One seed becomes one stream of chance for each user of it, so that a change in how one draws disturbs no other.

use kinfolk_core::Rng;

/// The streams of one run.
#[derive(Debug)]
pub struct Streams {
    /// For delays, losses and doubled messages.
    pub network: Rng,
    /// For what happens when: whom a fault hits, and at what time.
    pub faults: Rng,
    nodes: u64,
}

impl Streams {
    /// The streams of `seed`.
    pub fn new(seed: u64) -> Self {
        let mut root = Rng::from_seed(seed);
        Self { network: root.fork(), faults: root.fork(), nodes: root.next_u64() }
    }

    /// The stream of one life of one node: another one for each, whatever the order in which they begin.
    pub fn node(&self, node: usize, life: u32) -> Rng {
        let mut of_node = Rng::from_seed(self.nodes ^ (node as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        for _ in 0..life {
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
    fn every_stream_of_a_seed_is_another_and_the_same_each_time() {
        let draw = || {
            let mut streams = Streams::new(7);
            let mut drawn = vec![streams.network.next_u64(), streams.faults.next_u64()];
            drawn.extend(
                (0..50)
                    .flat_map(|node| (1..4).map(move |life| (node, life)))
                    .map(|(node, life)| Streams::new(7).node(node, life).next_u64()),
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
