//! Every scenario keeps every invariant, in groups of five and of the smallest size, in all modes.
//! `kinfolk-sim smoke` runs more sizes and seeds.

use kinfolk_sim::{Kind, Scenario, Trace, run};
use kinfolk_swim::SwimConfig;

#[test]
fn every_scenario_keeps_every_invariant() {
    for kind in Kind::ALL {
        for nodes in [kind.nodes_min(), 5] {
            for (mode, config) in Scenario::modes() {
                let report = run(&Scenario::new(kind, nodes, config, 1), 1, Trace::off());
                assert_eq!(report.broken, None, "{kind}, {nodes} nodes, {mode}");
            }
        }
    }
}

#[test]
fn each_scenario_measures_its_subject() {
    let figures = |kind| run(&Scenario::new(kind, 5, SwimConfig::default(), 1), 1, Trace::off()).figures;
    assert!(figures(Kind::Join).join.is_some() && figures(Kind::Join).messages > 0);
    let crash = figures(Kind::Crash);
    assert!(crash.crash_first.is_some() && crash.crash_first <= crash.crash_last);
    assert!(figures(Kind::Leave).leave_last.is_some());
    assert!(figures(Kind::Tags).tags_last.is_some() && figures(Kind::BigTags).tags_last.is_some());
    assert!(figures(Kind::Broadcast).broadcast_last.is_some());
    assert!(figures(Kind::Pause).suspected > 0 && figures(Kind::Partition).suspected > 0);
    assert_eq!(figures(Kind::Pause).false_failures, 0);
}
