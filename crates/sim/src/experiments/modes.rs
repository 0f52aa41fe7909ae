//! What the experiments set up alike: the modes that are compared, and a group of one of them.

use kinfolk_detector::SuspicionRule;
use kinfolk_swim::SwimConfig;

use crate::scenario::Scenario;

/// A protocol that is compared with others.
#[derive(Debug, Clone)]
pub(super) struct Mode {
    /// Its name in tables.
    pub name: &'static str,
    pub config: SwimConfig,
    /// Whether members watch each other's silence beside the protocol. The papers know no such thing.
    pub phi: bool,
}

/// A protocol as its paper has it: news travels with its rounds, not as soon as it is there.
pub(super) fn of_paper(mut config: SwimConfig) -> SwimConfig {
    config.push_delay = None;
    config
}

impl Mode {
    fn of_paper(name: &'static str, config: SwimConfig) -> Self {
        Self { name, config: of_paper(config), phi: false }
    }

    /// The one that all others are measured by.
    pub(super) fn swim() -> Self {
        Self::of_paper("SWIM", SwimConfig::swim())
    }

    /// Lifeguard as its paper has it, with alpha 5 or another, and beta 6.
    pub(super) fn lifeguard(alpha: f64) -> Self {
        let suspicion = SuspicionRule { alpha, beta: 6.0, ..SuspicionRule::lifeguard() };
        Self::of_paper("Lifeguard", SwimConfig { suspicion, ..SwimConfig::lifeguard() })
    }

    /// The default of this code, whole: with phi beside it, as members run it.
    pub(super) fn verified() -> Self {
        Self { name: "Verified", config: SwimConfig { flaps: None, ..SwimConfig::verified() }, phi: true }
    }

    /// All that Lifeguard's paper compares, all at alpha 5, and the default of this code.
    pub(super) fn all() -> Vec<Self> {
        vec![
            Self::swim(),
            Self::of_paper("LHA-Probe", SwimConfig::lha_probe()),
            Self::of_paper("LHA-Suspicion", SwimConfig::lha_suspicion()),
            Self::of_paper("Buddy", SwimConfig::buddy()),
            Self::lifeguard(5.0),
            Self::verified(),
        ]
    }

    /// A group of it in which nothing happens until a script says so.
    pub(super) fn group(&self, nodes: usize) -> Scenario {
        Scenario { phi: self.phi, ..Scenario::bare(nodes, self.config.clone()) }
    }
}
