//! Tests of a member in maintenance: its silence is no failure until its time is over.

use std::time::Duration;

use kinfolk_core::{About, Condition, NodeState};
use kinfolk_detector::Finding;

use super::bench::{Bench, claim, described, id, quiet};
use crate::interface::config::SwimConfig;
use crate::interface::output::Output;
use crate::wire::message::{Message, Update};

const SECOND: Duration = Duration::from_secs(1);

/// A member that knows `a` to be in maintenance for a minute.
fn bench(config: &SwimConfig) -> Bench {
    let mut bench = Bench::new(quiet(config), &["a", "b", "c", "d"]);
    let condition = Condition::maintenance(60 * SECOND, "new kernel");
    let about = About { condition, ..About::default() };
    let claim = described("a", 2, NodeState::Alive, about);
    bench.gossip("b", vec![Update::Node { status: claim.into(), accusers: Vec::new() }]);
    bench
}

/// Runs for this time. `a` does not answer, and its port is `closed` or not. All others answer, and
/// got no answer of `a` either. Returns the events about `a`.
fn silent_for(bench: &mut Bench, time: Duration, closed: bool) -> Vec<String> {
    let (end, mut events) = (bench.now + time, Vec::new());
    while bench.machine.next_timeout().is_some_and(|at| at <= end) {
        let mut text = bench.tick();
        for output in bench.outputs.clone() {
            let Output::Send { to, request: Some(request), message, .. } = output else { continue };
            text += &match message {
                _ if to == id("a") => String::new(),
                Message::PingReq { .. } => bench.reply(
                    request.0,
                    to.as_str(),
                    Message::Nack { closed, lossy: false, accusation: None },
                ),
                _ => bench.ack(request.0, to.as_str()),
            };
        }
        events.extend(text.lines().filter(|line| line.starts_with("event ")).map(str::to_owned));
    }
    bench.now = end;
    events
}

fn modes() -> [SwimConfig; 3] {
    [SwimConfig::verified(), SwimConfig::lifeguard(), SwimConfig::swim()]
}

#[test]
fn silence_in_maintenance_is_no_suspicion() {
    for config in modes() {
        for closed in [false, true] {
            let mut bench = bench(&config);
            let events = silent_for(&mut bench, 59 * SECOND, closed);
            assert!(events.is_empty(), "{:?}, {closed}: {events:?}", config.mode);
            assert_eq!(bench.known("a"), (2, NodeState::Alive));
        }
    }
}

#[test]
fn silence_after_maintenance_is_judged_as_ever() {
    for config in modes() {
        let mut bench = bench(&config);
        silent_for(&mut bench, 59 * SECOND, false);
        let events = silent_for(&mut bench, 60 * SECOND, false);
        assert!(events[0].starts_with("event suspected a"), "{:?}: {events:?}", config.mode);
        assert!(events.iter().any(|event| event.starts_with("event failed a")), "{events:?}");
    }
}

#[test]
fn maintenance_is_named_as_the_reason() {
    let mut bench = bench(&SwimConfig::verified());
    silent_for(&mut bench, 20 * SECOND, false);
    let findings: Vec<Finding> =
        bench.machine.explain(&id("a")).iter().map(|evidence| evidence.finding).collect();
    assert!(findings.contains(&Finding::InMaintenance), "{findings:?}");
    assert!(bench.machine.stats().verdicts_held > 0);
}

#[test]
fn suspicion_from_another_member_waits_for_the_end() {
    let mut bench = bench(&SwimConfig::lifeguard());
    bench.gossip("b", vec![claim("a", 2, NodeState::Suspect, &["b"])]);
    silent_for(&mut bench, 59 * SECOND, false);
    assert_eq!(bench.known("a"), (2, NodeState::Suspect));
    silent_for(&mut bench, 60 * SECOND, false);
    assert_eq!(bench.known("a"), (2, NodeState::Failed));
}
