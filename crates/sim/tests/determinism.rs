//! A seed gives the same run, byte for byte.

use kinfolk_sim::{Kind, Scenario, Trace, run};
use kinfolk_swim::SwimConfig;

fn trace(kind: Kind, seed: u64) -> String {
    run(&Scenario::new(kind, 7, SwimConfig::lifeguard(), seed), seed, Trace::on()).trace
}

#[test]
fn two_runs_of_a_seed_give_byte_identical_traces() {
    for kind in Kind::ALL {
        let first = trace(kind, 3);
        assert!(first.lines().count() > 100, "{kind} leaves a trace");
        assert!(first == trace(kind, 3), "{kind} differs from run to run");
    }
}

#[test]
fn another_seed_gives_another_run() {
    assert_ne!(trace(Kind::Crash, 1), trace(Kind::Crash, 2));
}

#[test]
fn a_trace_changes_nothing_of_the_run() {
    let scenario = Scenario::new(Kind::Random, 7, SwimConfig::lifeguard(), 3);
    let (with, without) = (run(&scenario, 3, Trace::on()), run(&scenario, 3, Trace::off()));
    assert_eq!((with.broken, with.figures, with.lasted), (without.broken, without.figures, without.lasted));
}
