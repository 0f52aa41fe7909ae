//! The modes that experiments compare in large groups, and a group in one of them.

use std::time::Duration;

use kinfolk_swim::SwimConfig;

use super::modes::of_paper;
use crate::scenario::Scenario;

/// A protocol that experiments run.
#[derive(Debug, Clone)]
pub(super) struct Mode {
    /// The name, as on the command line.
    pub name: &'static str,
    /// The configuration as it ships. Lifeguard's has memberlist's settings for a LAN (alpha 4,
    /// beta 6). In the modes of the two papers, updates spread with the rounds of gossip, as in the
    /// papers, and are not pushed at once.
    pub config: SwimConfig,
}

impl Mode {
    /// The name of the recommended mode, for which the promises are made.
    pub(super) const PROMISED: &'static str = "verified";

    /// All modes.
    pub(super) fn all() -> Vec<Self> {
        // Without flap damping, so that the events show every failure, even of members that return
        // often.
        let promised = |config: SwimConfig| SwimConfig { flaps: None, ..config };
        let as_run = |name, config| if name == Self::PROMISED { promised(config) } else { of_paper(config) };
        Scenario::modes()
            .into_iter()
            .map(|(name, config)| Self { name, config: as_run(name, config) })
            .collect()
    }

    /// The longest stall of a member that the recommended mode tolerates without declaring it
    /// failed.
    pub(super) fn tolerated_pause() -> Duration {
        SwimConfig::verified().tolerated_pause
    }

    /// A group in this mode, in which nothing happens until a script adds steps. Members watch each
    /// other with phi accrual only in the recommended mode, because the papers of the others do not
    /// use it.
    pub(super) fn group(&self, nodes: usize) -> Scenario {
        Scenario { phi: self.name == Self::PROMISED, ..Scenario::bare(nodes, self.config.clone()) }
    }
}
