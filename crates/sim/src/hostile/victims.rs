//! The honest members that pause, or crash and restart, while a liar attacks. Some strategies need
//! real accusations of honest members, and those need a fault.

use std::time::Duration;

use kinfolk_core::{Instant, Rng};

use super::strategy::Strategy;
use crate::faults::{Fault, Step};
use crate::node::NodeIndex;
use crate::world::World;

/// How long a member may be missing after its fault, until it has returned to all views.
const RETURN_WITHIN: Duration = Duration::from_secs(5);

/// The faults of the victims, each at its time after the begin of the attack.
#[derive(Debug, Default)]
pub(super) struct Victims {
    /// The latest fault is the first.
    to_come: Vec<(Duration, Fault)>,
    /// Who may be missing, from when to when.
    excused: Vec<(NodeIndex, Instant, Instant)>,
    /// The victims, in the order of their faults.
    pub(super) all: Vec<NodeIndex>,
}

impl Victims {
    /// The faults that this strategy needs, of members among `honest`. `grave` is the pause from
    /// which on a member may be missing.
    pub(super) fn of(
        strategy: Strategy,
        honest: &[NodeIndex],
        begin: Instant,
        grave: Duration,
        rng: &mut Rng,
    ) -> Self {
        let mut order = honest.to_vec();
        rng.shuffle(&mut order);
        let mut victims = Self::default();
        let each =
            |count: u32, seconds: u64| (0..count).map(move |number| Duration::from_secs(seconds) * number);
        let seconds = Duration::from_secs;
        match strategy {
            Strategy::ReplayRefuted => {
                for (at, node) in each(2, 2).zip(&order) {
                    victims.pause(*node, at, seconds(3), (begin, grave));
                }
            }
            Strategy::FalseWitness => {
                for (at, node) in each(10, 4).zip(order.iter().cycle()) {
                    victims.pause(*node, at, seconds(2), (begin, grave));
                }
            }
            Strategy::KeptTestimony | Strategy::KeptTestimonyLoss => {
                for (at, node) in each(3, 15).zip(&order) {
                    victims.pause(*node, at, seconds(3), (begin, grave));
                }
                if strategy == Strategy::KeptTestimonyLoss {
                    for at in each(3, 15) {
                        victims.to_come.push((at, Fault::Loss(0.2)));
                        victims.to_come.push((at + seconds(8), Fault::Loss(0.0)));
                    }
                }
            }
            Strategy::ReplayRestarted | Strategy::ForgetAtJoin => {
                if let [node, via, ..] = order[..] {
                    victims.all.push(node);
                    victims.to_come.push((Duration::ZERO, Fault::Crash(node)));
                    victims.to_come.push((seconds(10), Fault::Restart { node, via }));
                    victims.excused.push((node, begin, begin + seconds(10) + RETURN_WITHIN));
                }
            }
            Strategy::Condemn(..) | Strategy::Suspect | Strategy::Forge => {}
        }
        victims.to_come.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        victims
    }

    fn pause(&mut self, node: NodeIndex, at: Duration, lasts: Duration, (begin, grave): (Instant, Duration)) {
        self.all.push(node);
        self.to_come.push((at, Fault::Pause(node)));
        self.to_come.push((at + lasts, Fault::Resume(node)));
        if lasts >= grave {
            self.excused.push((node, begin + at, begin + at + lasts + RETURN_WITHIN));
        }
    }

    /// Performs the faults that are due.
    pub(super) fn act(&mut self, world: &mut World, after: Duration) {
        while let Some((_, fault)) = self.to_come.pop_if(|(at, _)| *at <= after) {
            world.act(&Step::Fault(fault));
        }
    }

    /// Whether this member may be missing in other views, and its own view may be incomplete.
    pub(super) fn is_excused(&self, now: Instant, node: NodeIndex) -> bool {
        self.excused.iter().any(|(of, from, to)| *of == node && *from <= now && now <= *to)
    }
}
