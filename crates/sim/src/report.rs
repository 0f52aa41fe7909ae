//! One run from begin to end, and its report.

use std::time::Duration;

use kinfolk_core::Instant;
use kinfolk_swim::Mode;

use crate::checks::{Checks, Violation};
use crate::figures::Figures;
use crate::invariants::{
    Bounded, CrashKnown, Incarnations, Invariant, NoFalseFailure, NoResurrection, PartitionHeld,
    PauseTolerated, Precedence, ReachesAll, ViewsAgree, ViewsTrue,
};
use crate::scenario::Scenario;
use crate::trace::Trace;
use crate::world::World;

/// The result of a run.
#[derive(Debug)]
pub struct Report {
    /// The first violation; `None` if every invariant held.
    pub broken: Option<Violation>,
    /// What was measured.
    pub figures: Figures,
    /// The virtual time of the run, up to the violation if there was one.
    pub lasted: Duration,
    /// The lines of the trace, if it was on.
    pub trace: String,
}

/// Runs a scenario from a seed, and checks every invariant. The same arguments give the same
/// report.
pub fn run(scenario: &Scenario, seed: u64, trace: Trace) -> Report {
    let mut world = World::new(scenario, seed, trace, checks(scenario));
    world.run_until(scenario.end);
    // The invariants about the end assume that the run reached it.
    if world.broken().is_none() {
        world.finish();
        world.expect_nothing_refused();
    }
    let broken = world.broken().cloned();
    let lasted = broken.as_ref().map_or(scenario.end, |broken| broken.at).since(Instant::ORIGIN);
    Report { broken, figures: world.figures().clone(), lasted, trace: world.trace().text().to_owned() }
}

/// Every invariant, with the bounds of this scenario.
pub fn checks(scenario: &Scenario) -> Checks {
    let no_false_failure = scenario.excuse.map_or(NoFalseFailure::strict(), NoFalseFailure::excused_for);
    let mut invariants: Vec<Box<dyn Invariant>> = vec![
        // Only the first violation counts, so rules about single claims come before rules about
        // whole views.
        Box::new(Incarnations::default()),
        Box::new(Precedence),
        Box::new(NoResurrection::default()),
        Box::new(Bounded),
        Box::new(no_false_failure),
        Box::new(CrashKnown::within(scenario.crash_within, scenario.config.partition_grace)),
        Box::new(ReachesAll::within(scenario.spread_within)),
        Box::new(ViewsAgree),
        Box::new(ViewsTrue),
    ];
    // Only Verified mode promises these two.
    if let Some(tolerated) = scenario.tolerated_pause {
        invariants.push(Box::new(PauseTolerated::below(tolerated)));
    }
    if scenario.config.mode == Mode::Verified {
        invariants.push(Box::new(PartitionHeld::by(&scenario.config)));
    }
    Checks::new(invariants)
}
