//! The same seed gives the same run, byte for byte.

use kinfolk_sim::{Kind, Scenario, Trace, run};
use kinfolk_swim::SwimConfig;

fn trace(kind: Kind, seed: u64) -> String {
    run(&Scenario::new(kind, 7, SwimConfig::lifeguard(), seed), seed, Trace::on()).trace
}

#[test]
fn same_seed_gives_identical_traces() {
    for kind in Kind::ALL {
        let first = trace(kind, 3);
        assert!(first.lines().count() > 100, "the trace of {kind} is too short");
        assert!(first == trace(kind, 3), "{kind} differs from run to run");
    }
}

#[test]
fn another_seed_gives_another_run() {
    assert_ne!(trace(Kind::Crash, 1), trace(Kind::Crash, 2));
}

#[test]
fn trace_does_not_change_the_run() {
    let scenario = Scenario::new(Kind::Random, 7, SwimConfig::lifeguard(), 3);
    let (with, without) = (run(&scenario, 3, Trace::on()), run(&scenario, 3, Trace::off()));
    assert_eq!((with.broken, with.figures, with.lasted), (without.broken, without.figures, without.lasted));
}
