//! A scenario: how many nodes, which protocol, which network, what happens when, and within what time all must be well.
//! The smoke list is built here; whom and when a fault hits comes from the seed. Scenarios of chance are in
//! `scenario/random.rs`.

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

/// When the group has formed and the scenario proper begins.
const FORMED: Duration = Duration::from_secs(10);
/// How far apart the starts of the nodes lie at the most.
const START_SPREAD: Duration = Duration::from_millis(500);
/// How long news may take on a healthy network.
const NEWS_WITHIN: Duration = Duration::from_secs(5);
/// How long a group is cut in halves: longer than the partition grace, and what follows it.
const CUT: Duration = Duration::from_mins(1);
/// How long a failed exchange of views, a late refutation or a lost update may take to be repaired, once all is well.
const REPAIR: Duration = Duration::from_secs(65);

/// What happens in a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Kind {
    /// All join through one seed, and nothing else happens for a minute.
    Join,
    /// One node crashes.
    Crash,
    /// One leaves.
    Leave,
    /// One changes its tags, which ride on gossip.
    Tags,
    /// One changes its tags to some that are too large to ride along, 3,000 bytes.
    BigTags,
    /// Three nodes broadcast, on a network that doubles a tenth of all messages that are not answered.
    Broadcast,
    /// A tenth of all messages is lost for two minutes.
    Loss,
    /// Two fifths of the nodes are cut off for less than a suspicion lasts.
    Partition,
    /// One hears all and is heard by nobody for less than a suspicion lasts.
    OneWay,
    /// One pauses for less than a suspicion lasts, and refutes.
    Pause,
    /// One crashes and is back within a second, under its name.
    Restart,
    /// A crash that is detected, then a restart under the same name.
    Return,
    /// A crash that is detected, then one node has the crashed one forgotten, while another is
    /// paused.
    Forget,
    /// Half of the nodes are cut off from the other half for a minute, longer than the partition grace.
    Halves,
    /// Half of the nodes fall silent at once, for good.
    Disaster,
    /// Whatever the seed says.
    Random,
}

/// A scenario.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// What happens.
    pub kind: Kind,
    /// How many nodes there are.
    pub nodes: usize,
    /// The configuration of all.
    pub config: SwimConfig,
    /// The network at the beginning.
    pub network: NetworkConfig,
    /// What happens when.
    pub script: Script,
    /// When it ends; all views must be equal and true by then.
    pub end: Instant,
    /// How long news may take to reach all.
    pub news_within: Duration,
    /// How long a crash may take to be known to all.
    pub crash_within: Duration,
    /// For how long after trouble a running member may be declared failed; `None`: never.
    pub excuse: Option<Duration>,
    /// The longest stall of a member that must never end in its failure; `None` where the mode does not promise one.
    pub tolerated_pause: Option<Duration>,
    /// Whether members watch each other's silence (phi) beside the protocol. Default true. The papers of SWIM and
    /// Lifeguard know no such thing, and where everybody watches everybody it costs each member one detector a peer.
    pub phi: bool,
    /// Whether a node that restarts remembers its last incarnation, as one that writes it down does. Default false.
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

    /// The fewest nodes with which it has a meaning.
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
    /// The scenario of this kind, size and seed.
    ///
    /// # Panics
    /// If there are fewer nodes than [`Kind::nodes_min`].
    pub fn new(kind: Kind, nodes: usize, config: SwimConfig, seed: u64) -> Self {
        assert!(nodes >= kind.nodes_min(), "{kind} needs {} nodes", kind.nodes_min());
        let rng = &mut Streams::new(seed).faults;
        let mut scenario = Self { kind, ..Self::bare(nodes, config) };
        scenario.form(rng);
        let settle = scenario.add(kind, rng);
        scenario.end = scenario.script.last().max(Instant::ORIGIN + FORMED) + settle;
        scenario
    }

    /// A bare scenario of so many nodes: nothing happens until something is added, and it ends at the origin until
    /// `end` says otherwise. For worlds that are preformed, and scripts of one's own.
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
            news_within: NEWS_WITHIN,
            excuse: None,
            phi: true,
            remembers: false,
        }
    }

    /// The names of modes on the command line, with their configurations.
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

    /// The first node starts, then all others, each at its time, and join through it.
    fn form(&mut self, rng: &mut Rng) {
        let seed = NodeIndex(0);
        self.script.at(Duration::ZERO, Step::Start { node: seed, via: None });
        for node in (1..self.nodes).map(NodeIndex) {
            self.script.at(START_SPREAD.mul_f64(rng.unit()), Step::Start { node, via: Some(seed) });
        }
    }

    /// Adds what happens once the group has formed, and says how long it may take until all is well again.
    fn add(&mut self, kind: Kind, rng: &mut Rng) -> Duration {
        let start = FORMED + Duration::from_secs(5).mul_f64(rng.unit());
        let one = NodeIndex(rng.below(self.nodes));
        let other = NodeIndex((one.0 + 1 + rng.below(self.nodes.saturating_sub(1))) % self.nodes);
        if matches!(kind, Kind::Partition | Kind::OneWay | Kind::Pause) {
            // A suspect has to hear of it, and its refutation has to be heard, while messages may be lost. SWIM leaves that
            // to chance once the update has been sent often enough; with Lifeguard's buddy system it fails seldom.
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
                NEWS_WITHIN * 2
            }
            Kind::Tags | Kind::BigTags => {
                let bytes = if kind == Kind::Tags { 100 } else { 3_000 };
                script.at(start, Step::SetTags(one, tags(bytes, 1)));
                script.at(start + NEWS_WITHIN, Step::SetTags(one, tags(bytes, 2)));
                NEWS_WITHIN * 2
            }
            Kind::Broadcast => {
                self.network.duplication = 0.1;
                for (number, node) in (0..).zip([one, other, one]) {
                    script.at(start, Step::Broadcast(node, payload(number)));
                }
                NEWS_WITHIN * 2
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
                // The answers to pings that waited come too late, and may use up all tellings of the refutation: SWIM's
                // paper has nobody who would ask for it again. Lifeguard's buddy system has.
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

    /// `one` crashes, and `other` has it forgotten once all know that, while a third pauses.
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

    /// Cuts some off, or the way from `one` to all others, and ends it before a suspicion runs out.
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

    /// A fault of this length is over well before the first suspicion that it can cause runs out.
    fn shorter_than_a_suspicion(&self) -> Duration {
        if self.config.mode == Mode::Verified {
            return self.config.tolerated_pause.mul_f64(0.95);
        }
        self.config.suspicion.min(self.nodes, self.config.probe_interval).mul_f64(0.75)
    }
}

/// Half of so many nodes, by chance; of an odd number the larger half.
fn half(nodes: usize, rng: &mut Rng) -> Vec<NodeIndex> {
    let mut all: Vec<_> = (0..nodes).map(NodeIndex).collect();
    rng.shuffle(&mut all);
    all.truncate(nodes.div_ceil(2));
    all
}

/// How long a crash may take at the worst until all know of it: the round-robin comes to it after at most `2 N - 1`
/// periods (SWIM, section 4.3), the probe takes one more, the suspicion its longest time, and then the news spreads.
///
/// In `Verified` mode the promise is `tolerated_pause` and 3 s, at any size.
fn crash_within(config: &SwimConfig, nodes: usize) -> Duration {
    if config.mode == Mode::Verified {
        return config.tolerated_pause + Duration::from_secs(3);
    }
    let periods = u32::try_from(2 * nodes).unwrap_or(u32::MAX);
    config.probe_interval * periods + config.suspicion.max(nodes, config.probe_interval) + NEWS_WITHIN
}

/// Tags of about so many bytes; another `version` makes them others.
fn tags(bytes: usize, version: u32) -> Tags {
    let pairs = [("version", version.to_string()), ("filling", "x".repeat(bytes))];
    Tags::new(pairs).expect("a scenario's tags are within the bounds")
}

/// A payload like no other of the run.
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
    fn a_scenario_is_the_same_for_the_same_seed_and_another_for_another() {
        for kind in Kind::ALL {
            let made = |seed| Scenario::new(kind, 5, SwimConfig::lifeguard(), seed);
            assert_eq!(made(1), made(1));
            assert_ne!(made(1), made(2));
        }
    }
}
