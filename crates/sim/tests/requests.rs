//! The simulated driver's contract with the machine: each request ends once, by its reply or at its
//! deadline.

use std::time::Duration;

use kinfolk_sim::{Checks, Fault, Kind, NodeIndex, Scenario, Script, Step, Trace, World};
use kinfolk_swim::SwimConfig;

const A: NodeIndex = NodeIndex(0);
const B: NodeIndex = NodeIndex(1);

/// The trace of one minute of two nodes that join at the origin, with these faults.
fn trace(faults: &[(u64, Fault)]) -> Vec<String> {
    let mut script = Script::default();
    script.at(Duration::ZERO, Step::Start { node: A, via: None });
    script.at(Duration::ZERO, Step::Start { node: B, via: Some(A) });
    for (second, fault) in faults {
        script.fault(Duration::from_secs(*second), fault.clone());
    }
    let mut scenario = Scenario::new(Kind::Join, 2, SwimConfig::lifeguard(), 1);
    scenario.script = script;
    let mut world = World::new(&scenario, 1, Trace::on(), Checks::default());
    world.run_until(scenario.end);
    world.trace().text().lines().map(str::to_owned).collect()
}

fn seconds(line: &str) -> f64 {
    let time = line.split_whitespace().next().expect("a line begins with its time");
    time.parse().expect("the time is a number")
}

fn lines<'a>(trace: &'a [String], node: &str, kind: &str) -> Vec<&'a String> {
    let of = |line: &&String| line.split_whitespace().skip(1).take(2).eq([node, kind]);
    trace.iter().filter(of).collect()
}

#[test]
fn healthy_pair_answers_every_request() {
    let trace = trace(&[]);
    let pings = trace.iter().filter(|line| line.contains("send") && line.contains("  ping")).count();
    let acks = trace.iter().filter(|line| line.contains("recv") && line.contains("  ack")).count();
    assert!(pings > 100 && pings - acks <= 1, "{pings} pings, {acks} acks");
    assert!(lines(&trace, "n0000", "silent").is_empty());
}

#[test]
fn request_to_crashed_node_ends_at_its_deadline() {
    let trace = trace(&[(10, Fault::Crash(B))]);
    let after: Vec<_> =
        lines(&trace, "n0000", "send").into_iter().filter(|line| seconds(line) > 10.0).collect();
    let silences = lines(&trace, "n0000", "silent");
    let first_ping = after.iter().find(|line| line.contains("  ping")).unwrap();
    // A reply to a probe is useful for one period.
    assert!((seconds(silences[0]) - seconds(first_ping) - 1.0).abs() < 1e-5);
    let is_request = |line: &&String| line.contains("  ping") || line.contains("  sync");
    let last = after.iter().filter(|line| is_request(line)).count();
    // One request may still be open at the end.
    assert!(last - silences.len() <= 1, "{last} requests, {} silences", silences.len());
}

#[test]
fn messages_to_paused_node_arrive_first_on_resume() {
    let trace = trace(&[(10, Fault::Pause(B)), (13, Fault::Resume(B))]);
    let of_b: Vec<_> = trace.iter().filter(|line| line.contains("  n0001   ")).collect();
    let during = of_b.iter().filter(|line| seconds(line) > 10.0 && seconds(line) < 13.0).count();
    assert_eq!(during, 0, "a paused node does nothing");
    let resumed = of_b.iter().find(|line| seconds(line) >= 13.0).unwrap();
    assert!(resumed.contains("recv"), "the messages come before due timers: {resumed}");
    assert!(lines(&trace, "n0001", "recv").iter().filter(|line| line.contains(" 13.000000 ")).count() >= 2);
}

#[test]
fn one_way_cut_passes_requests_but_no_replies() {
    let trace = trace(&[(10, Fault::Cut { from: B, to: A }), (12, Fault::Heal)]);
    let cut = |line: &&&String| seconds(line) > 10.0 && seconds(line) < 12.0;
    let heard =
        lines(&trace, "n0001", "recv").iter().filter(cut).filter(|line| line.contains("  ping")).count();
    let answered = lines(&trace, "n0000", "recv").iter().filter(cut).count();
    assert!(heard >= 1 && answered == 0, "{heard} requests received, {answered} replies");
}
