//! Colluders: members that accuse others together, with grave charges. This measures whom they can
//! remove from the views of the honest members.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kinfolk_core::signed::Charge;
use kinfolk_core::{Instant, Rng};
use kinfolk_swim::{Message, SwimConfig, Update};

use super::attack::forger;
use super::rings::entitled_of;
use crate::node::NodeIndex;
use crate::scenario::Scenario;
use crate::seen::What;
use crate::world::World;

/// When the colluders accuse, and for how long the views are watched after that.
const BEGIN: Duration = Duration::from_secs(5);
const WATCHED: Duration = Duration::from_secs(2);
/// How many accusations go into one message.
const PACKED: usize = 10;

/// Some members that collude.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Collusion {
    /// The size of the group.
    pub nodes: usize,
    /// The number of colluders.
    pub colluders: usize,
    /// The number of accusers that the group requires.
    pub quorum: usize,
    /// Chooses the colluders.
    pub seed: u64,
}

/// Whom the colluders removed.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Removed {
    /// The number of honest members that they accused.
    pub subjects: u64,
    /// How many of them left the view of an honest member.
    pub anywhere: u64,
    /// How many of them left the views of all honest members.
    pub everywhere: u64,
    /// How many of them at least a quorum of the colluders may accuse, by the rings.
    pub able: u64,
    /// The sum of the chances of that, if the colluders are any members.
    pub chance: f64,
}

impl Removed {
    /// The sum of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            subjects: self.subjects + other.subjects,
            anywhere: self.anywhere + other.anywhere,
            everywhere: self.everywhere + other.everywhere,
            able: self.able + other.able,
            chance: self.chance + other.chance,
        }
    }
}

impl Collusion {
    /// The colluders accuse every honest member at once.
    pub fn all_at_once(&self) -> Removed {
        let (colluders, honest) = self.sides();
        self.accuse(&colluders, &honest, &honest)
    }

    /// The colluders accuse each of the first `subjects` honest members, in a group of its own.
    pub fn one_by_one(&self, subjects: usize) -> Removed {
        let (colluders, honest) = self.sides();
        let mut sum = Removed::default();
        for subject in honest.iter().take(subjects) {
            let one = self.accuse(&colluders, &honest, &[*subject]);
            sum = sum.and(one);
        }
        sum
    }

    /// The colluders, and the honest members in a random order.
    fn sides(&self) -> (Vec<NodeIndex>, Vec<NodeIndex>) {
        let mut all: Vec<_> = (0..self.nodes).map(NodeIndex).collect();
        Rng::from_seed(self.seed).shuffle(&mut all);
        let honest = all.split_off(self.colluders);
        (all, honest)
    }

    fn accuse(&self, colluders: &[NodeIndex], honest: &[NodeIndex], subjects: &[NodeIndex]) -> Removed {
        // Without flap damping, so that the events show every failure.
        let config = SwimConfig { accusers_required: self.quorum, flaps: None, ..SwimConfig::verified() };
        let mut world = World::light_preformed(&Scenario::bare(self.nodes, config), self.seed);
        world.run_until(Instant::ORIGIN + BEGIN);
        world.take_seen();
        let mut lies: Vec<(NodeIndex, Vec<Update>)> = Vec::new();
        let forgers: Vec<_> = colluders.iter().filter_map(|one| forger(&world, *one)).collect();
        for subject in subjects {
            let known = world.registry(colluders[0]).and_then(|view| view.get(&subject.id()));
            let Some(known) = known else { continue };
            let accuse = |forger: &super::forge::Forger| {
                Update::Accusation(forger.accuse(&known.id, known.incarnation, Charge::PortClosed))
            };
            lies.push((*subject, forgers.iter().map(accuse).collect()));
        }
        for to in honest {
            // Not to the subject itself, which would refute sooner.
            let others = lies.iter().filter(|(subject, _)| subject != to);
            let updates: Vec<Update> = others.flat_map(|(_, lies)| lies.clone()).collect();
            for some in updates.chunks(PACKED / self.colluders * self.colluders) {
                world.inject(colluders[0], *to, Message::Gossip { gossip: some.to_vec() });
            }
        }
        world.run_until(Instant::ORIGIN + BEGIN + WATCHED);
        let mut by: BTreeMap<NodeIndex, BTreeSet<NodeIndex>> = BTreeMap::new();
        for seen in world.take_seen() {
            if matches!(seen.what, What::Failed(_) | What::Left) && honest.contains(&seen.node) {
                by.entry(seen.subject).or_default().insert(seen.node);
            }
        }
        let mut removed = Removed::default();
        for subject in subjects {
            let views = by.get(subject).map_or(0, BTreeSet::len);
            let entitled = entitled_of(*subject, self.nodes);
            let able = colluders.iter().filter(|one| entitled.contains(one)).count() >= self.quorum;
            removed.subjects += 1;
            removed.anywhere += u64::from(views > 0);
            removed.everywhere += u64::from(views + 1 == honest.len());
            removed.able += u64::from(able);
            removed.chance += chance((self.nodes - 1, entitled.len()), self.colluders, self.quorum);
        }
        removed
    }
}

/// The chance that of `drawn` members out of `all`, at least `needed` are among the `marked`
/// (hypergeometric).
fn chance((all, marked): (usize, usize), drawn: usize, needed: usize) -> f64 {
    let ways = |of: usize, take: usize| -> f64 {
        (0..take).map(|one| (of as f64 - one as f64).max(0.0) / (one as f64 + 1.0)).product()
    };
    let exactly = |hits: usize| ways(marked, hits) * ways(all - marked, drawn - hits) / ways(all, drawn);
    (needed..=drawn).map(exactly).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_is_hypergeometric() {
        let is = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-12, "{found}");
        is(chance((31, 15), 1, 1), 15.0 / 31.0);
        is(chance((31, 15), 2, 2), 15.0 * 14.0 / (31.0 * 30.0));
        is(chance((4, 2), 2, 1), 5.0 / 6.0);
        is(chance((31, 15), 1, 2), 0.0);
    }

    #[test]
    fn only_a_quorum_of_colluders_removes_a_member() {
        for (colluders, quorum, expected) in [(1, 1, true), (1, 2, false), (2, 2, true), (2, 3, false)] {
            let removed = Collusion { nodes: 16, colluders, quorum, seed: 1 }.all_at_once();
            assert_eq!(removed.anywhere > 0, expected, "{colluders} of {quorum}: {removed:?}");
        }
    }
}
