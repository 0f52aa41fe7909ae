//! The fate of a message between two nodes: when it arrives, whether twice, or why it does not. The
//! network does not read messages.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kinfolk_core::Rng;

use crate::node::NodeIndex;

/// The properties of the network.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NetworkConfig {
    /// The minimal delay of a message in one direction. Default 200 us.
    pub delay_min: Duration,
    /// The mean of the additional delay, which is exponentially distributed. Default 800 us.
    pub delay_extra_mean: Duration,
    /// The maximal additional delay. Default 50 ms.
    pub delay_extra_max: Duration,
    /// The probability that a message is lost, 0 to 1, default 0. A request and its reply are lost
    /// independently.
    pub loss: f64,
    /// The probability that a message without a reply arrives twice, 0 to 1, default 0. Requests
    /// travel on streams, which never duplicate.
    pub duplication: f64,
    /// The probability that a message is delayed so that later ones overtake it, 0 to 1, default 0.
    pub reordering: f64,
    /// The maximal delay of an overtaken message; the delay is uniformly distributed. Default 20
    /// ms.
    pub reordering_delay_max: Duration,
    /// Whether the network drops the ICMP errors by which hosts report a closed port. Default
    /// false.
    pub icmp_filtered: bool,
}

impl Default for NetworkConfig {
    fn default() -> Self {
        Self {
            delay_min: Duration::from_micros(200),
            delay_extra_mean: Duration::from_micros(800),
            delay_extra_max: Duration::from_millis(50),
            loss: 0.0,
            duplication: 0.0,
            reordering: 0.0,
            reordering_delay_max: Duration::from_millis(20),
            icmp_filtered: false,
        }
    }
}

/// The loss and delay of messages from one node to another, in addition to those of all messages.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct LinkRule {
    /// The probability of a loss, 0 to 1.
    pub loss: f64,
    /// The additional delay.
    pub delay: Duration,
}

/// The fate of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It arrives after this time.
    Arrives(Duration),
    /// It arrives after each of these times.
    Twice(Duration, Duration),
    /// It is lost by chance.
    Lost,
    /// The direction is cut.
    Cut,
}

/// The network. Messages overtake each other when their delays differ enough.
#[derive(Debug)]
pub struct Network {
    config: NetworkConfig,
    rng: Rng,
    rules: Rules,
}

/// The rules for nodes and links.
#[derive(Debug, Default)]
struct Rules {
    cuts: BTreeSet<(NodeIndex, NodeIndex)>,
    /// The nodes on one side of each partition.
    partitions: Vec<BTreeSet<NodeIndex>>,
    ingress: BTreeMap<NodeIndex, f64>,
    egress: BTreeMap<NodeIndex, f64>,
    links: BTreeMap<(NodeIndex, NodeIndex), LinkRule>,
}

impl Network {
    /// A network in which all links are equal.
    pub fn new(config: NetworkConfig, rng: Rng) -> Self {
        Self { config, rng, rules: Rules::default() }
    }

    /// Decides the fate of a message from one node to another. `doubles` says whether it may arrive
    /// twice.
    ///
    /// Each call draws the same number of random values, whatever the outcome. So a fault does not
    /// change the random values of later messages.
    pub fn fate(&mut self, from: NodeIndex, to: NodeIndex, doubles: bool) -> Fate {
        let [loss, duplication, held_up, first, second] = [(); 5].map(|()| self.rng.unit());
        if self.rules.cut(from, to) {
            return Fate::Cut;
        }
        let rule = self.rules.link(from, to);
        if loss >= (1.0 - self.config.loss) * (1.0 - rule.loss) {
            return Fate::Lost;
        }
        let later = rule.delay + self.held_up(held_up);
        if doubles && duplication < self.config.duplication {
            return Fate::Twice(self.delay(first) + later, self.delay(second) + later);
        }
        Fate::Arrives(self.delay(first) + later)
    }

    /// Whether any message may be lost by chance.
    pub fn is_lossy(&self) -> bool {
        let rules = &self.rules;
        self.config.loss > 0.0 || !rules.are_none()
    }

    /// Whether the network drops ICMP errors.
    pub fn filters_icmp(&self) -> bool {
        self.config.icmp_filtered
    }

    /// Sets the probability that a message is lost.
    pub fn set_loss(&mut self, loss: f64) {
        self.config.loss = loss;
    }

    /// Sets the probability that a message arrives twice.
    pub fn set_duplication(&mut self, share: f64) {
        self.config.duplication = share;
    }

    /// Sets the probability that a message is delayed so that later ones overtake it.
    pub fn set_reordering(&mut self, share: f64) {
        self.config.reordering = share;
    }

    /// Cuts one direction of a link.
    pub fn cut(&mut self, from: NodeIndex, to: NodeIndex) {
        self.rules.cuts.insert((from, to));
    }

    /// Cuts `group` off from all other nodes, both ways.
    pub fn partition(&mut self, group: &[NodeIndex]) {
        self.rules.partitions.push(group.iter().copied().collect());
    }

    /// Sets the share of messages to `node` that is lost; 0 ends it.
    pub fn set_ingress(&mut self, node: NodeIndex, loss: f64) {
        set(&mut self.rules.ingress, node, loss, loss > 0.0);
    }

    /// Sets the share of messages from `node` that is lost; 0 ends it.
    pub fn set_egress(&mut self, node: NodeIndex, loss: f64) {
        set(&mut self.rules.egress, node, loss, loss > 0.0);
    }

    /// Sets the rule for one direction of a link; the default rule ends it.
    pub fn set_link(&mut self, from: NodeIndex, to: NodeIndex, rule: LinkRule) {
        set(&mut self.rules.links, (from, to), rule, rule != LinkRule::default());
    }

    /// Ends every cut, partition, and rule of a node or a link.
    pub fn heal(&mut self) {
        self.rules = Rules::default();
    }

    /// The delay of a message for a random value from 0 to 1.
    fn delay(&self, drawn: f64) -> Duration {
        // The inverse of the exponential distribution function; 1 - drawn is never 0.
        let extra = nanos(self.config.delay_extra_mean.as_secs_f64() * 1e9 * -(1.0 - drawn).ln());
        self.config.delay_min + extra.min(self.config.delay_extra_max)
    }

    fn held_up(&self, drawn: f64) -> Duration {
        // If the value is below the probability, it is uniformly distributed up to it. So the
        // quotient is a uniform value, and no second random value is needed.
        let part = drawn / self.config.reordering;
        if part < 1.0 { self.config.reordering_delay_max.mul_f64(part) } else { Duration::ZERO }
    }
}

impl Rules {
    fn cut(&self, from: NodeIndex, to: NodeIndex) -> bool {
        !self.cuts.is_empty() && self.cuts.contains(&(from, to))
            || self.partitions.iter().any(|side| side.contains(&from) != side.contains(&to))
    }

    /// Whether there is no rule for any node or link.
    fn are_none(&self) -> bool {
        self.ingress.is_empty() && self.egress.is_empty() && self.links.is_empty()
    }

    /// All rules for a message between these two nodes, combined into one.
    fn link(&self, from: NodeIndex, to: NodeIndex) -> LinkRule {
        if self.are_none() {
            return LinkRule::default();
        }
        let rule = self.links.get(&(from, to)).copied().unwrap_or_default();
        let loss = |of: &BTreeMap<NodeIndex, f64>, node| of.get(&node).copied().unwrap_or(0.0);
        // The losses are independent, so the probabilities that a message passes multiply.
        let kept = (1.0 - rule.loss) * (1.0 - loss(&self.egress, from)) * (1.0 - loss(&self.ingress, to));
        LinkRule { loss: 1.0 - kept, ..rule }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, and no delay is below 0"
)]
fn nanos(nanos: f64) -> Duration {
    Duration::from_nanos(nanos as u64)
}

fn set<K: Ord, V>(rules: &mut BTreeMap<K, V>, key: K, value: V, holds: bool) {
    if holds {
        rules.insert(key, value);
    } else {
        rules.remove(&key);
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
    fn delays_keep_their_bounds_and_mean() {
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
    fn loss_and_duplication_have_their_configured_share() {
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
    fn one_way_cut_leaves_opposite_direction_open() {
        let mut network = network(0.0, 0.0);
        network.cut(A, B);
        assert_eq!(network.fate(A, B, false), Fate::Cut);
        assert!(matches!(network.fate(B, A, false), Fate::Arrives(_)));
    }

    #[test]
    fn partition_cuts_between_sides_until_it_heals() {
        let mut network = network(0.0, 0.0);
        network.partition(&[A, B]);
        for (from, to, open) in [(A, B, true), (B, A, true), (A, C, false), (C, A, false), (C, B, false)] {
            assert_eq!(matches!(network.fate(from, to, false), Fate::Arrives(_)), open, "{from} to {to}");
        }
        network.heal();
        assert!(matches!(network.fate(A, C, false), Fate::Arrives(_)));
    }

    #[test]
    fn fault_does_not_shift_later_random_values() {
        let (mut whole, mut cut) = (network(0.0, 0.0), network(0.0, 0.0));
        cut.cut(A, B);
        whole.fate(A, B, true);
        cut.fate(A, B, true);
        assert_eq!(whole.fate(B, C, true), cut.fate(B, C, true));
    }

    #[test]
    fn ingress_and_egress_loss_hold_for_their_direction() {
        let arrive = |network: &mut Network, from, to| {
            let fates = (0..10_000).map(|_| network.fate(from, to, false));
            fates.filter(|fate| matches!(fate, Fate::Arrives(_))).count()
        };
        let mut network = network(0.0, 0.0);
        network.set_ingress(B, 0.8);
        network.set_egress(B, 0.5);
        assert!((1_900..2_100).contains(&arrive(&mut network, A, B)));
        assert!((4_850..5_150).contains(&arrive(&mut network, B, A)));
        assert_eq!(arrive(&mut network, A, C), 10_000);
        network.set_ingress(B, 0.0);
        assert_eq!(arrive(&mut network, A, B), 10_000);
        assert!(network.is_lossy(), "what it sends is still lost");
        network.heal();
        assert!(!network.is_lossy());
    }

    #[test]
    fn link_rule_holds_for_its_direction_until_it_ends() {
        let (mut network, late) = (network(0.0, 0.0), Duration::from_secs(1));
        let is_late = |network: &mut Network, from, to| {
            let Fate::Arrives(delay) = network.fate(from, to, false) else { panic!("nothing is lost") };
            delay >= late
        };
        network.set_link(A, B, LinkRule { loss: 0.0, delay: late });
        assert!(is_late(&mut network, A, B) && !is_late(&mut network, B, A) && !is_late(&mut network, A, C));
        network.set_link(A, B, LinkRule::default());
        assert!(!is_late(&mut network, A, B));
    }

    #[test]
    fn reordering_has_its_configured_share() {
        let mut network = network(0.0, 0.0);
        network.config.reordering_delay_max = Duration::from_secs(100);
        network.set_reordering(0.25);
        let fates = fates(&mut network, false);
        let beyond = |by: Duration| {
            fates.iter().filter(|fate| matches!(fate, Fate::Arrives(delay) if *delay > by)).count()
        };
        assert!(
            (2_300..2_700).contains(&beyond(Duration::from_secs(1))),
            "{}",
            beyond(Duration::from_secs(1))
        );
        assert!((1_150..1_350).contains(&beyond(Duration::from_secs(50))));
    }
}
