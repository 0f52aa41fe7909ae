//! Whom this member talks to: the round-robin order of probes (SWIM, section 4.3), and random members as helpers and
//! for gossip.

use kinfolk_core::{NodeId, Rng};

/// All members other than ourselves, in the shuffled order in which they are probed.
///
/// A new member comes in at a random place; after each round the order is shuffled anew. So each member is probed
/// once in every round, and the time between two probes of it is at most `2N - 1` intervals.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    order: Vec<NodeId>,
    next: usize,
}

impl Roster {
    /// Below this many members a random choice shuffles them all; above, it draws and skips doubles.
    const SHUFFLED_WHOLE_MAX: usize = 64;

    /// These members, each once.
    pub(crate) fn of(members: impl Iterator<Item = NodeId>, rng: &mut Rng) -> Self {
        let mut order: Vec<_> = members.collect();
        rng.shuffle(&mut order);
        Self { order, next: 0 }
    }

    /// Adds one who has become a member, at a random place.
    pub(crate) fn insert(&mut self, id: &NodeId, rng: &mut Rng) {
        let place = rng.below(self.order.len() + 1);
        self.order.insert(place, id.clone());
        // What was next stays next; in the first round every place is still to come.
        self.next += usize::from(place < self.next);
    }

    /// Removes one who is no member any more.
    pub(crate) fn remove(&mut self, id: &NodeId) {
        if let Some(place) = self.order.iter().position(|other| other == id) {
            self.order.remove(place);
            self.next -= usize::from(place < self.next);
        }
    }

    /// All members other than ourselves, in no order that means anything.
    pub(crate) fn ids(&self) -> &[NodeId] {
        &self.order
    }

    /// The next member to probe; `None` if there is none.
    pub(crate) fn next_target(&mut self, rng: &mut Rng) -> Option<NodeId> {
        if self.next >= self.order.len() {
            rng.shuffle(&mut self.order);
            self.next = 0;
        }
        let target = self.order.get(self.next).cloned();
        self.next += 1;
        target
    }

    /// Up to `count` different members, each set equally likely, without `except`.
    pub(crate) fn random(&self, count: usize, except: Option<&NodeId>, rng: &mut Rng) -> Vec<NodeId> {
        if self.order.len() <= Self::SHUFFLED_WHOLE_MAX || count * 4 >= self.order.len() {
            let mut all: Vec<_> = self.order.iter().filter(|id| Some(*id) != except).cloned().collect();
            rng.shuffle(&mut all);
            all.truncate(count);
            return all;
        }
        let mut chosen: Vec<NodeId> = Vec::with_capacity(count);
        // At most a quarter of them is wanted, so that each draw hits with a chance of more than one half.
        for _ in 0..count * 32 {
            let drawn = &self.order[rng.below(self.order.len())];
            if chosen.len() == count {
                break;
            }
            if Some(drawn) != except && !chosen.contains(drawn) {
                chosen.push(drawn.clone());
            }
        }
        chosen
    }

    /// Whether there is nobody else.
    pub(crate) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// How many members there are, ourselves not counted.
    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn id(number: usize) -> NodeId {
        NodeId::new(&format!("n{number}")).unwrap()
    }

    fn roster(count: usize, rng: &mut Rng) -> Roster {
        let mut roster = Roster::default();
        (0..count).for_each(|number| roster.insert(&id(number), rng));
        roster
    }

    #[test]
    fn each_round_probes_every_member_once_in_a_new_order() {
        let rng = &mut Rng::from_seed(1);
        let mut roster = roster(20, rng);
        let mut round = || (0..20).map(|_| roster.next_target(rng).unwrap()).collect::<Vec<_>>();
        let (first, second) = (round(), round());
        assert_eq!(first.iter().collect::<BTreeSet<_>>().len(), 20);
        assert_eq!(second.iter().collect::<BTreeSet<_>>().len(), 20);
        assert_ne!(first, second);
    }

    #[test]
    fn a_member_that_comes_in_mid_round_skips_and_repeats_nobody() {
        for seed in 0..50 {
            let rng = &mut Rng::from_seed(seed);
            let mut roster = roster(10, rng);
            let mut probed: Vec<_> = (0..5).map(|_| roster.next_target(rng).unwrap()).collect();
            roster.insert(&id(10), rng);
            roster.remove(&probed[0]);
            probed.extend((roster.next..roster.order.len()).map(|at| roster.order[at].clone()));
            let distinct: BTreeSet<_> = probed.iter().collect();
            assert_eq!(distinct.len(), probed.len(), "seed {seed}");
            assert!((0..10).all(|number| distinct.contains(&id(number))), "seed {seed}");
        }
    }

    #[test]
    fn a_random_choice_of_many_is_whole_and_any_member_may_be_in_one_of_few() {
        let rng = &mut Rng::from_seed(4);
        for size in [1, 64, 65, 500] {
            let roster = roster(size, rng);
            for count in [size / 5, size / 4, size / 2, size, size + 1] {
                let chosen = roster.random(count, None, rng);
                assert_eq!(
                    chosen.iter().collect::<BTreeSet<_>>().len(),
                    count.min(size),
                    "{count} of {size}"
                );
            }
        }
        let roster = roster(100, rng);
        let drawn: BTreeSet<_> = (0..1_000).flat_map(|_| roster.random(3, None, rng)).collect();
        assert_eq!((drawn.len(), roster.len(), roster.is_empty()), (100, 100, false));
    }

    #[test]
    fn a_random_choice_is_distinct_and_leaves_out_whom_it_should() {
        for size in [0, 1, 3, 4, 64, 65, 500] {
            let rng = &mut Rng::from_seed(3);
            let roster = roster(size, rng);
            for _ in 0..50 {
                let chosen = roster.random(3, Some(&id(0)), rng);
                assert_eq!(chosen.len(), 3.min(size.saturating_sub(1)));
                assert_eq!(chosen.iter().collect::<BTreeSet<_>>().len(), chosen.len());
                assert!(!chosen.contains(&id(0)));
            }
        }
    }
}
