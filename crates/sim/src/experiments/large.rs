//! The modes that are compared in large groups, and a group of one of them.

use std::time::Duration;

use kinfolk_swim::SwimConfig;

use super::modes::of_paper;
use crate::scenario::Scenario;

/// A protocol that is compared with others.
#[derive(Debug, Clone)]
pub(super) struct Mode {
    /// Its name, as on the command line.
    pub name: &'static str,
    /// As it ships; Lifeguard's is what memberlist sets for a LAN (alpha 4, beta 6). In both papers' modes news travels with
    /// the rounds of gossip, as there, not as soon as it is there.
    pub config: SwimConfig,
}

impl Mode {
    /// The name of the mode that is meant to be used: the promises are its.
    pub(super) const PROMISED: &'static str = "verified";

    /// All of them.
    pub(super) fn all() -> Vec<Self> {
        // Each failure is to be told, also of who comes and goes.
        let promised = |config: SwimConfig| SwimConfig { flaps: None, ..config };
        let as_run = |name, config| if name == Self::PROMISED { promised(config) } else { of_paper(config) };
        Scenario::modes()
            .into_iter()
            .map(|(name, config)| Self { name, config: as_run(name, config) })
            .collect()
    }

    /// What a member may stall in the mode that is meant to be used without being declared failed.
    pub(super) fn tolerated_pause() -> Duration {
        SwimConfig::verified().tolerated_pause
    }

    /// A group of it in which nothing happens until a script says so. Members watch each other's silence only in the mode
    /// that is meant to be used: the papers of the others know no such thing.
    pub(super) fn group(&self, nodes: usize) -> Scenario {
        Scenario { phi: self.name == Self::PROMISED, ..Scenario::bare(nodes, self.config.clone()) }
    }
}
