//! The other members: the round-robin order of probes (SWIM, section 4.3), and random members as
//! helpers and receivers of gossip.

use kinfolk_core::{NodeId, Rng};

/// All members other than this member, in the shuffled order in which it probes them.
///
/// A new member gets a random place, and the order is shuffled again after each round. So each
/// member is probed once in every round, and two probes of a member are at most `2N - 1` intervals
/// apart (SWIM, section 4.3).
#[derive(Debug, Default)]
pub(crate) struct Roster {
    order: Vec<NodeId>,
    next: usize,
    /// The number of members that came or went.
    changes: u64,
}

impl Roster {
    /// Up to this many members, a random choice shuffles all of them. Above, it draws members and
    /// skips duplicates, so that its cost does not grow with the group.
    const SHUFFLE_ALL_MAX: usize = 64;

    /// A roster of these members, each once.
    pub(crate) fn of(members: impl Iterator<Item = NodeId>, rng: &mut Rng) -> Self {
        let mut order: Vec<_> = members.collect();
        rng.shuffle(&mut order);
        Self { order, next: 0, changes: 0 }
    }

    /// Adds a new member at a random place.
    pub(crate) fn insert(&mut self, id: &NodeId, rng: &mut Rng) {
        let place = rng.below(self.order.len() + 1);
        self.order.insert(place, id.clone());
        self.changes += 1;
        // The next target stays the same, so that no member is skipped or probed twice in a round.
        self.next += usize::from(place < self.next);
    }

    /// Removes a former member.
    pub(crate) fn remove(&mut self, id: &NodeId) {
        if let Some(place) = self.order.iter().position(|other| other == id) {
            self.order.remove(place);
            self.changes += 1;
            self.next -= usize::from(place < self.next);
        }
    }

    /// A number that changes with the members.
    pub(crate) fn generation(&self) -> u64 {
        self.changes
    }

    /// All members other than this member, in no particular order.
    pub(crate) fn ids(&self) -> &[NodeId] {
        &self.order
    }

    /// The next member to probe. `None` if there is no other member.
    pub(crate) fn next_target(&mut self, rng: &mut Rng) -> Option<NodeId> {
        if self.next >= self.order.len() {
            rng.shuffle(&mut self.order);
            self.next = 0;
        }
        let target = self.order.get(self.next).cloned();
        self.next += 1;
        target
    }

    /// Up to `count` different members without `except`. Each such set is equally likely.
    pub(crate) fn random(&self, count: usize, except: Option<&NodeId>, rng: &mut Rng) -> Vec<NodeId> {
        if self.order.len() <= Self::SHUFFLE_ALL_MAX || count * 4 >= self.order.len() {
            let mut all: Vec<_> = self.order.iter().filter(|id| Some(*id) != except).cloned().collect();
            rng.shuffle(&mut all);
            all.truncate(count);
            return all;
        }
        let mut chosen: Vec<NodeId> = Vec::with_capacity(count);
        // At most a quarter of the members is wanted. So each draw finds a new member with a chance
        // of more than one half, and 32 draws for each wanted member are practically always enough.
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

    /// Whether there is no other member.
    pub(crate) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// The number of other members.
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
    fn member_added_mid_round_causes_no_skip_and_no_repeat() {
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
    fn random_choice_has_the_wanted_size_and_can_pick_each_member() {
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
    fn random_choice_has_no_duplicates_and_no_excluded_member() {
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

    #[test]
    fn removed_next_target_causes_no_skip_and_no_repeat() {
        let rng = &mut Rng::from_seed(1);
        let mut roster = roster(10, rng);
        let mut probed: Vec<_> = (0..5).map(|_| roster.next_target(rng).unwrap()).collect();
        let removed = roster.order[roster.next].clone();
        roster.remove(&removed);
        probed.extend((0..4).map(|_| roster.next_target(rng).unwrap()));
        assert_eq!(probed.iter().collect::<BTreeSet<_>>().len(), 9);
        assert!(!probed.contains(&removed));
    }

    #[test]
    fn new_member_can_get_each_place() {
        let place = |seed| {
            let rng = &mut Rng::from_seed(seed);
            let mut roster = roster(3, rng);
            roster.insert(&id(3), rng);
            roster.order.iter().position(|other| *other == id(3)).unwrap()
        };
        assert_eq!((0..100).map(place).collect::<BTreeSet<_>>(), BTreeSet::from([0, 1, 2, 3]));
    }

    #[test]
    fn nearly_a_quarter_of_many_members_is_found() {
        let rng = &mut Rng::from_seed(1);
        let roster = Roster::of((0..10_000).map(id), rng);
        assert_eq!(roster.random(2_499, None, rng).len(), 2_499);
    }

    /// A shuffle costs a random number for each member. That is bounded, or the price of a large
    /// choice.
    #[test]
    fn only_small_rosters_and_large_choices_are_shuffled() {
        for (size, count, shuffled) in [(64, 1, true), (65, 1, false), (100, 24, false), (100, 25, true)] {
            let mut rng = Rng::from_seed(1);
            let roster = Roster::of((0..size).map(id), &mut rng);
            let mut shuffle = rng.clone();
            shuffle.shuffle(&mut vec![(); size]);
            assert_eq!(roster.random(count, None, &mut rng).len(), count);
            assert_eq!(rng == shuffle, shuffled, "{count} of {size}");
        }
    }
}
