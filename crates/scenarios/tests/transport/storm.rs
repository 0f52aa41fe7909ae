//! A part of the storm that the gate has time for. `cargo xtask storm` runs all of it.

use kinfolk_scenarios::run;
use kinfolk_scenarios::storm::storm;

#[test]
fn storm_over_simulated_quic_leaves_nothing_behind() {
    let requests = 6_000;
    let tally = run(1, async |world| storm(world, requests).await);
    assert_eq!(tally.ended(), requests, "each request has one outcome: {tally}");
    assert!(tally.answered > requests / 2, "{tally}");
    // Each kind of outcome occurred. Else the storm would test less than it claims.
    let rare = [tally.timed_out, tally.cancelled, tally.full, tally.failed, tally.crashes];
    assert!(!rare.contains(&0) && tally.evicted.min(tally.unresponsive) > 0, "{tally}");
}
