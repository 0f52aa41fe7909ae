//! What becomes of a message between two nodes: when it arrives, whether twice, or why never. Not what it says, nor what
//! its receiver does.

use std::collections::BTreeSet;
use std::time::Duration;

use kinfolk_core::Rng;

use crate::node::NodeIndex;

/// How the network treats messages.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NetworkConfig {
    /// The least delay of a message, one way. Default 200 us.
    pub delay_min: Duration,
    /// The mean of what comes on top, exponentially distributed. Default 800 us.
    pub delay_extra_mean: Duration,
    /// The most that comes on top. Default 50 ms.
    pub delay_extra_max: Duration,
    /// The chance that a message is lost, 0 to 1, default 0. A request and its answer are lost independently.
    pub loss: f64,
    /// The chance that a message that nobody answers arrives twice, 0 to 1, default 0. Requests travel on streams, which
    /// never double.
    pub duplication: f64,
}

impl Default for NetworkConfig {
    fn default() -> Self {
        Self {
            delay_min: Duration::from_micros(200),
            delay_extra_mean: Duration::from_micros(800),
            delay_extra_max: Duration::from_millis(50),
            loss: 0.0,
            duplication: 0.0,
        }
    }
}

/// What becomes of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It arrives after this time.
    Arrives(Duration),
    /// It arrives after each of these times.
    Twice(Duration, Duration),
    /// It was lost by chance.
    Lost,
    /// There is no way from here to there.
    Cut,
}

/// The network: messages overtake each other whenever their delays say so.
#[derive(Debug)]
pub struct Network {
    config: NetworkConfig,
    rng: Rng,
    cuts: BTreeSet<(NodeIndex, NodeIndex)>,
}

impl Network {
    /// A network without cuts.
    pub fn new(config: NetworkConfig, rng: Rng) -> Self {
        Self { config, rng, cuts: BTreeSet::new() }
    }

    /// The fate of a message from one node to another. `doubles` says whether it may arrive twice.
    ///
    /// It draws the same amount of chance whatever the outcome, so that a fault does not shift what comes after it.
    pub fn fate(&mut self, from: NodeIndex, to: NodeIndex, doubles: bool) -> Fate {
        let (loss, duplication) = (self.rng.unit(), self.rng.unit());
        let (first, second) = (self.delay(), self.delay());
        if self.cuts.contains(&(from, to)) {
            Fate::Cut
        } else if loss < self.config.loss {
            Fate::Lost
        } else if doubles && duplication < self.config.duplication {
            Fate::Twice(first, second)
        } else {
            Fate::Arrives(first)
        }
    }

    /// The chance that a message is lost.
    pub fn loss(&self) -> f64 {
        self.config.loss
    }

    /// Changes the chance that a message is lost.
    pub fn set_loss(&mut self, loss: f64) {
        self.config.loss = loss;
    }

    /// Cuts one direction.
    pub fn cut(&mut self, from: NodeIndex, to: NodeIndex) {
        self.cuts.insert((from, to));
    }

    /// Cuts `group` off from all other nodes of `nodes`, both ways.
    pub fn partition(&mut self, group: &[NodeIndex], nodes: usize) {
        for other in (0..nodes).map(NodeIndex).filter(|other| !group.contains(other)) {
            for member in group {
                self.cut(*member, other);
                self.cut(other, *member);
            }
        }
    }

    /// Ends every cut.
    pub fn heal(&mut self) {
        self.cuts.clear();
    }

    fn delay(&mut self) -> Duration {
        // The inverse of the exponential law; 1 - unit() is never 0.
        let extra = self.config.delay_extra_mean.mul_f64(-(1.0 - self.rng.unit()).ln());
        self.config.delay_min + extra.min(self.config.delay_extra_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: NodeIndex = NodeIndex(0);
    const B: NodeIndex = NodeIndex(1);
    const C: NodeIndex = NodeIndex(2);

    fn network(loss: f64, duplication: f64) -> Network {
        Network::new(NetworkConfig { loss, duplication, ..NetworkConfig::default() }, Rng::from_seed(3))
    }

    fn fates(network: &mut Network, doubles: bool) -> Vec<Fate> {
        (0..10_000).map(|_| network.fate(A, B, doubles)).collect()
    }

    #[test]
    fn delays_stay_within_their_bounds_and_have_their_mean() {
        let config = NetworkConfig::default();
        let mut sum = Duration::ZERO;
        for fate in fates(&mut network(0.0, 0.0), true) {
            let Fate::Arrives(delay) = fate else { panic!("{fate:?} without loss, cuts or duplication") };
            assert!((config.delay_min..=config.delay_min + config.delay_extra_max).contains(&delay));
            sum += delay;
        }
        let mean = sum / 10_000;
        assert!((Duration::from_micros(970)..Duration::from_micros(1_030)).contains(&mean), "{mean:?}");
    }

    #[test]
    fn the_share_of_lost_and_doubled_messages_is_what_was_asked_for() {
        let fates = fates(&mut network(0.1, 0.2), true);
        let lost = fates.iter().filter(|fate| **fate == Fate::Lost).count();
        let twice = fates.iter().filter(|fate| matches!(fate, Fate::Twice(..))).count();
        assert!((900..1_100).contains(&lost), "{lost} lost of 10,000");
        assert!((1_680..1_920).contains(&twice), "{twice} doubled of 10,000");
    }

    #[test]
    fn requests_never_double() {
        assert!(fates(&mut network(0.0, 1.0), false).iter().all(|fate| matches!(fate, Fate::Arrives(_))));
    }

    #[test]
    fn a_one_way_cut_leaves_the_way_back_open() {
        let mut network = network(0.0, 0.0);
        network.cut(A, B);
        assert_eq!(network.fate(A, B, false), Fate::Cut);
        assert!(matches!(network.fate(B, A, false), Fate::Arrives(_)));
    }

    #[test]
    fn a_partition_cuts_between_the_groups_and_not_within_until_it_heals() {
        let mut network = network(0.0, 0.0);
        network.partition(&[A, B], 3);
        for (from, to, open) in [(A, B, true), (B, A, true), (A, C, false), (C, A, false), (C, B, false)] {
            assert_eq!(matches!(network.fate(from, to, false), Fate::Arrives(_)), open, "{from} to {to}");
        }
        network.heal();
        assert!(matches!(network.fate(A, C, false), Fate::Arrives(_)));
    }

    #[test]
    fn a_fault_does_not_shift_the_chance_that_comes_after_it() {
        let (mut whole, mut cut) = (network(0.0, 0.0), network(0.0, 0.0));
        cut.cut(A, B);
        whole.fate(A, B, true);
        cut.fate(A, B, true);
        assert_eq!(whole.fate(B, C, true), cut.fate(B, C, true));
    }
}
