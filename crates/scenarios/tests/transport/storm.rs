//! The storm, in the share of it that the gate has time for. `cargo xtask storm` runs all of it.

use kinfolk_scenarios::run;
use kinfolk_scenarios::storm::storm;

#[test]
fn a_storm_over_simulated_quic_leaves_nothing_behind() {
    let requests = 6_000;
    let tally = run(1, async |world| storm(world, requests).await);
    assert_eq!(tally.ended(), requests, "each request has ended, in one way: {tally}");
    assert!(tally.answered > requests / 2, "{tally}");
    // The storm was one: whatever can happen came about.
    let rare = [tally.timed_out, tally.cancelled, tally.full, tally.failed, tally.crashes];
    assert!(!rare.contains(&0) && tally.evicted.min(tally.doubtful) > 0, "{tally}");
}
