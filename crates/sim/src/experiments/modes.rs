//! Shared set-ups of the experiments: the modes that they compare, and a group in one of them.

use kinfolk_detector::SuspicionRule;
use kinfolk_swim::SwimConfig;

use crate::scenario::Scenario;

/// A protocol that experiments run.
#[derive(Debug, Clone)]
pub(super) struct Mode {
    /// The name in tables.
    pub name: &'static str,
    pub config: SwimConfig,
    /// Whether members also watch each other with phi accrual. The papers do not use it.
    pub phi: bool,
}

/// A protocol as in its paper: updates spread with its rounds, and are not pushed at once.
pub(super) fn of_paper(mut config: SwimConfig) -> SwimConfig {
    config.push_delay = None;
    config
}

impl Mode {
    fn of_paper(name: &'static str, config: SwimConfig) -> Self {
        Self { name, config: of_paper(config), phi: false }
    }

    /// SWIM, the reference for all other modes.
    pub(super) fn swim() -> Self {
        Self::of_paper("SWIM", SwimConfig::swim())
    }

    /// Lifeguard as in its paper, with this alpha (5 in the paper) and beta 6.
    pub(super) fn lifeguard(alpha: f64) -> Self {
        let suspicion = SuspicionRule { alpha, beta: 6.0, ..SuspicionRule::lifeguard() };
        Self::of_paper("Lifeguard", SwimConfig { suspicion, ..SwimConfig::lifeguard() })
    }

    /// The default mode of this code, with phi accrual beside it, as members run it.
    pub(super) fn verified() -> Self {
        // Without flap damping, so that the events show every failure.
        Self { name: "Verified", config: SwimConfig { flaps: None, ..SwimConfig::verified() }, phi: true }
    }

    /// All modes that Lifeguard's paper compares, at alpha 5, and the default mode of this code.
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

    /// A group in this mode, in which nothing happens until a script adds steps.
    pub(super) fn group(&self, nodes: usize) -> Scenario {
        Scenario { phi: self.phi, ..Scenario::bare(nodes, self.config.clone()) }
    }
}
