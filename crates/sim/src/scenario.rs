//! A scenario: the number of nodes, the protocol, the network, the script, and the time by which
//! all views must be equal and true. This file builds the smoke list. The seed decides which node a
//! fault hits, and when. Random scenarios are in `scenario/random.rs`.

mod random;

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use kinfolk_core::{Instant, Rng, Tags};
use kinfolk_swim::{Mode, SwimConfig};

use crate::faults::{Fault, Script, Step};
use crate::network::NetworkConfig;
use crate::node::NodeIndex;
use crate::seed::Streams;

/// The time at which the group has formed and the scenario proper starts.
const FORMED: Duration = Duration::from_secs(10);
/// The starts of the nodes lie within this time.
const START_SPREAD: Duration = Duration::from_millis(500);
/// How long an update may take on a healthy network.
const SPREAD_WITHIN: Duration = Duration::from_secs(5);
/// How long a group is cut in halves: longer than the partition grace and the verdicts after it.
const CUT: Duration = Duration::from_mins(1);
/// How long the protocol may take to repair a failed exchange of views, a late refutation, or a
/// lost update, after the last fault.
const REPAIR: Duration = Duration::from_secs(65);

/// What happens in a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Kind {
    /// All nodes join through one seed, and nothing else happens for a minute.
    Join,
    /// One node crashes.
    Crash,
    /// One node leaves.
    Leave,
    /// One node changes its tags, which are small enough for piggybacking.
    Tags,
    /// One node changes its tags to 3,000 bytes, too many for piggybacking.
    BigTags,
    /// Three broadcasts, on a network that duplicates a tenth of all messages without a reply.
    Broadcast,
    /// A tenth of all messages is lost for two minutes.
    Loss,
    /// Two fifths of the nodes are cut off for less than a suspicion lasts.
    Partition,
    /// One node receives all messages, but none of its messages arrives, for less than a suspicion
    /// lasts.
    OneWay,
    /// One node pauses for less than a suspicion lasts, and refutes.
    Pause,
    /// One node crashes and restarts within a second, under its name.
    Restart,
    /// One node crashes, is detected, and restarts under the same name.
    Return,
    /// One node crashes and is detected. Then another requests to forget it, while a third is
    /// paused.
    Forget,
    /// Half of the nodes are cut off from the other half for a minute, longer than the partition
    /// grace.
    Halves,
    /// The hosts of half of the nodes stop at once, permanently.
    Disaster,
    /// Random steps from the seed.
    Random,
}

/// A scenario.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// What happens.
    pub kind: Kind,
    /// The number of nodes.
    pub nodes: usize,
    /// The configuration of all members.
    pub config: SwimConfig,
    /// The network at the start.
    pub network: NetworkConfig,
    /// The steps, with their times.
    pub script: Script,
    /// The end of the run; all views must be equal and true by then.
    pub end: Instant,
    /// How long an update may take to reach all members.
    pub spread_within: Duration,
    /// How long the detection of a crash by all members may take.
    pub crash_within: Duration,
    /// For how long after a fault a running member may be declared failed; `None` means never.
    pub excuse: Option<Duration>,
    /// Stalls of a member below this time must never end in its failure; `None` if the mode does
    /// not promise one.
    pub tolerated_pause: Option<Duration>,
    /// Whether members also watch each other with phi accrual. Default true. The papers of SWIM and
    /// Lifeguard do not use it. It costs each member one detector for each peer that it watches.
    pub phi: bool,
    /// Whether a node that restarts knows its last incarnation, as a member with a state directory
    /// does. Default false.
    pub remembers: bool,
}

impl Kind {
    /// Every kind, in the order of the smoke list.
    pub const ALL: [Self; 16] = [
        Self::Join,
        Self::Crash,
        Self::Leave,
        Self::Tags,
        Self::BigTags,
        Self::Broadcast,
        Self::Loss,
        Self::Partition,
        Self::OneWay,
        Self::Pause,
        Self::Restart,
        Self::Return,
        Self::Forget,
        Self::Halves,
        Self::Disaster,
        Self::Random,
    ];

    /// The kind of this name.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Join => "join",
            Self::Crash => "crash",
            Self::Leave => "leave",
            Self::Tags => "tags",
            Self::BigTags => "big-tags",
            Self::Broadcast => "broadcast",
            Self::Loss => "loss",
            Self::Partition => "partition",
            Self::OneWay => "one-way",
            Self::Pause => "pause",
            Self::Restart => "restart",
            Self::Return => "return",
            Self::Forget => "forget",
            Self::Halves => "halves",
            Self::Disaster => "disaster",
            Self::Random => "random",
        }
    }

    /// The smallest number of nodes for which the scenario makes sense.
    pub fn nodes_min(self) -> usize {
        match self {
            Self::Join | Self::Tags | Self::BigTags | Self::Broadcast => 1,
            Self::Crash | Self::Leave | Self::Loss | Self::Pause | Self::Restart | Self::Return => 2,
            Self::OneWay | Self::Forget | Self::Random => 3,
            Self::Halves | Self::Disaster => 4,
            Self::Partition => 5,
        }
    }
}

impl Scenario {
    /// The scenario of this kind, size, and seed.
    ///
    /// # Panics
    /// When `nodes` is below [`Kind::nodes_min`].
    pub fn new(kind: Kind, nodes: usize, config: SwimConfig, seed: u64) -> Self {
        assert!(nodes >= kind.nodes_min(), "the scenario {kind} needs at least {} nodes", kind.nodes_min());
        let rng = &mut Streams::new(seed).faults;
        let mut scenario = Self { kind, ..Self::bare(nodes, config) };
        scenario.form(rng);
        let settle = scenario.add(kind, rng);
        scenario.end = scenario.script.last().max(Instant::ORIGIN + FORMED) + settle;
        scenario
    }

    /// A scenario in which nothing happens until the caller adds steps. It ends at the origin until
    /// `end` is set. For preformed worlds, and for scripts of the caller.
    pub fn bare(nodes: usize, config: SwimConfig) -> Self {
        Self {
            kind: Kind::Join,
            crash_within: crash_within(&config, nodes),
            tolerated_pause: (config.mode == Mode::Verified).then_some(config.tolerated_pause),
            nodes,
            config,
            network: NetworkConfig::default(),
            script: Script::default(),
            end: Instant::ORIGIN,
            spread_within: SPREAD_WITHIN,
            excuse: None,
            phi: true,
            remembers: false,
        }
    }

    /// The names of the modes on the command line, with their configurations.
    pub fn modes() -> [(&'static str, SwimConfig); 3] {
        [
            ("swim", SwimConfig::swim()),
            ("lifeguard", SwimConfig::lifeguard()),
            ("verified", SwimConfig::verified()),
        ]
    }

    /// The mode's name on the command line.
    pub fn mode(&self) -> &'static str {
        match self.config.mode {
            Mode::Swim => "swim",
            Mode::Lifeguard => "lifeguard",
            Mode::Verified => "verified",
            _ => "other",
        }
    }

    /// Starts the first node, and then all others, each at its own time; they join through the
    /// first.
    fn form(&mut self, rng: &mut Rng) {
        let seed = NodeIndex(0);
        self.script.at(Duration::ZERO, Step::Start { node: seed, via: None });
        for node in (1..self.nodes).map(NodeIndex) {
            self.script.at(START_SPREAD.mul_f64(rng.unit()), Step::Start { node, via: Some(seed) });
        }
    }

    /// Adds the steps after the group has formed. Returns how long views may take to settle after
    /// the last step.
    fn add(&mut self, kind: Kind, rng: &mut Rng) -> Duration {
        let start = FORMED + Duration::from_secs(5).mul_f64(rng.unit());
        let one = NodeIndex(rng.below(self.nodes));
        let other = NodeIndex((one.0 + 1 + rng.below(self.nodes.saturating_sub(1))) % self.nodes);
        if matches!(kind, Kind::Partition | Kind::OneWay | Kind::Pause) {
            // The suspect must learn of its suspicion, and its refutation must reach all, while
            // messages may be lost. In SWIM this depends on chance after the update has been sent
            // often enough. With Lifeguard's buddy system it rarely fails.
            self.excuse = (self.config.mode != Mode::Verified).then_some(REPAIR);
        }
        let (short, script) = (self.shorter_than_a_suspicion(), &mut self.script);
        match kind {
            Kind::Join => Duration::from_mins(1),
            Kind::Random => self.random(rng),
            Kind::Crash => {
                script.fault(start, Fault::Crash(one));
                self.crash_within
            }
            Kind::Leave => {
                script.at(start, Step::Leave(one));
                SPREAD_WITHIN * 2
            }
            Kind::Tags | Kind::BigTags => {
                let bytes = if kind == Kind::Tags { 100 } else { 3_000 };
                script.at(start, Step::SetTags(one, tags(bytes, 1)));
                script.at(start + SPREAD_WITHIN, Step::SetTags(one, tags(bytes, 2)));
                SPREAD_WITHIN * 2
            }
            Kind::Broadcast => {
                self.network.duplication = 0.1;
                for (number, node) in (0..).zip([one, other, one]) {
                    script.at(start, Step::Broadcast(node, payload(number)));
                }
                SPREAD_WITHIN * 2
            }
            Kind::Loss => {
                self.excuse = Some(REPAIR);
                script.fault(start, Fault::Loss(0.1));
                script.fault(start + Duration::from_mins(2), Fault::Loss(0.0));
                REPAIR
            }
            Kind::Partition | Kind::OneWay => {
                self.cut(kind, start, one, rng);
                REPAIR
            }
            Kind::Pause => {
                // Acks to the pings that waited come too late. They may use up all transmissions of
                // the refutation, and SWIM's paper has no mechanism that requests it again.
                // Lifeguard's buddy system does.
                self.excuse = (self.config.mode == Mode::Swim).then_some(REPAIR);
                script.fault(start, Fault::Pause(one));
                script.fault(start + short, Fault::Resume(one));
                REPAIR
            }
            Kind::Restart => {
                script.fault(start, Fault::Crash(one));
                script.fault(start + Duration::from_secs(1), Fault::Restart { node: one, via: other });
                REPAIR
            }
            Kind::Halves => {
                self.excuse = Some(REPAIR);
                script.fault(start, Fault::Partition(half(self.nodes, rng)));
                script.fault(start + CUT, Fault::Heal);
                REPAIR
            }
            Kind::Disaster => {
                for node in half(self.nodes, rng) {
                    script.fault(start, Fault::Silence(node));
                }
                self.crash_within + self.config.partition_grace
            }
            Kind::Return => {
                script.fault(start, Fault::Crash(one));
                script.fault(start + self.crash_within, Fault::Restart { node: one, via: other });
                REPAIR
            }
            Kind::Forget => {
                self.forget(start, one, other);
                REPAIR
            }
        }
    }

    /// `one` crashes. When all members know that, `other` requests to forget it, while a third node
    /// is paused.
    fn forget(&mut self, start: Duration, one: NodeIndex, other: NodeIndex) {
        self.excuse = (self.config.mode == Mode::Swim).then_some(REPAIR);
        let (then, short) = (start + self.crash_within, self.shorter_than_a_suspicion());
        let third = (0..self.nodes).map(NodeIndex).find(|node| ![one, other].contains(node));
        self.script.fault(start, Fault::Crash(one));
        if let Some(third) = third {
            self.script.fault(then, Fault::Pause(third));
            self.script.fault(then + short, Fault::Resume(third));
        }
        self.script.at(then, Step::Forget { node: other, of: one });
    }

    /// Cuts off some nodes, or all messages from `one`, and ends the cut before a suspicion
    /// expires.
    fn cut(&mut self, kind: Kind, start: Duration, one: NodeIndex, rng: &mut Rng) {
        let mut all: Vec<_> = (0..self.nodes).map(NodeIndex).collect();
        if kind == Kind::Partition {
            rng.shuffle(&mut all);
            all.truncate(self.nodes * 2 / 5);
            self.script.fault(start, Fault::Partition(all));
        } else {
            all.retain(|to| *to != one);
            for to in all {
                self.script.fault(start, Fault::Cut { from: one, to });
            }
        }
        self.script.fault(start + self.shorter_than_a_suspicion(), Fault::Heal);
    }

    /// A time that ends well before the first suspicion that such a fault causes expires.
    fn shorter_than_a_suspicion(&self) -> Duration {
        if self.config.mode == Mode::Verified {
            return self.config.tolerated_pause.mul_f64(0.95);
        }
        self.config.suspicion.min(self.nodes, self.config.probe_interval).mul_f64(0.75)
    }
}

/// A random half of the nodes; of an odd number the larger half.
fn half(nodes: usize, rng: &mut Rng) -> Vec<NodeIndex> {
    let mut all: Vec<_> = (0..nodes).map(NodeIndex).collect();
    rng.shuffle(&mut all);
    all.truncate(nodes.div_ceil(2));
    all
}

/// The longest time from a crash until all members know of it. Round-robin selection probes each
/// member after at most `2 N - 1` periods (SWIM, section 4.3). The probe takes one more period, the
/// suspicion its longest time, and then the update spreads.
///
/// In `Verified` mode the promise is `tolerated_pause` and 3 s, at any size.
fn crash_within(config: &SwimConfig, nodes: usize) -> Duration {
    if config.mode == Mode::Verified {
        return config.tolerated_pause + Duration::from_secs(3);
    }
    let periods = u32::try_from(2 * nodes).unwrap_or(u32::MAX);
    config.probe_interval * periods + config.suspicion.max(nodes, config.probe_interval) + SPREAD_WITHIN
}

/// Tags of about so many bytes; each `version` gives different ones.
fn tags(bytes: usize, version: u32) -> Tags {
    let pairs = [("version", version.to_string()), ("filling", "x".repeat(bytes))];
    Tags::new(pairs).expect("the tags of a scenario are within the bounds")
}

/// A payload that is unique in the run.
fn payload(number: u32) -> Bytes {
    Bytes::from(format!("broadcast {number}"))
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_by_its_name() {
        assert!(Kind::ALL.into_iter().all(|kind| Kind::find(kind.name()) == Some(kind)));
        assert_eq!(Kind::find("nonsense"), None);
    }

    #[test]
    fn seed_determines_the_scenario() {
        for kind in Kind::ALL {
            let made = |seed| Scenario::new(kind, 5, SwimConfig::lifeguard(), seed);
            assert_eq!(made(1), made(1));
            assert_ne!(made(1), made(2));
        }
    }
}
