//! Back-pressure: what waits while the driver can take no more messages, and what continues.

use std::time::Duration;

use kinfolk_core::NodeState;

use super::bench::{Bench, claim, quiet};
use crate::interface::config::SwimConfig;
use crate::interface::input::{Input, NoReply};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn rounds_wait_under_back_pressure_then_run_once() {
    let mut bench =
        Bench::new(SwimConfig { heal_interval: None, ..SwimConfig::swim() }, &["a", "b", "c", "d"]);
    while !bench.tick().contains("Ping[") {}
    assert_eq!(bench.input(Input::BackPressure), "");
    assert_eq!(bench.machine.next_timeout(), None, "no timer is due for a round that waits");
    bench.now += SECOND * 100;
    assert_eq!(
        (bench.input(Input::Timeout), bench.input(Input::BackPressure)),
        (String::new(), String::new())
    );
    let text = bench.input(Input::BackPressureEnded);
    let count = |what: &str| text.matches(what).count();
    assert_eq!((count("PingReq("), count("event suspected"), count("Ping[")), (3, 1, 1), "{text}");
    assert!(bench.machine.next_timeout().is_some_and(|at| at > bench.now));
    assert_eq!(
        (bench.input(Input::BackPressureEnded), bench.machine.stats().back_pressures),
        (String::new(), 1)
    );
}

#[test]
fn suspicion_clock_runs_under_back_pressure() {
    let mut bench = Bench::new(quiet(&SwimConfig::swim()), &["a", "b"]);
    bench.gossip("b", vec![claim("a", 1, NodeState::Suspect, &["b"])]);
    bench.input(Input::BackPressure);
    let text = bench.pass(SECOND * 60);
    assert!(text.starts_with("event failed a:") && !text.contains(" -> "), "{text}");
}

/// A member that could not ask judges no subject. Afterwards it probes its subjects one after
/// another.
#[test]
fn back_pressure_voids_probes_in_verified_mode() {
    let mut bench = Bench::new(quiet(&SwimConfig::verified()), &["a", "b", "c"]);
    let mut sent = 0;
    // No member answers, so all of them are about to be asked about.
    while sent < 3 {
        sent += bench.tick().matches("Ping[").count();
    }
    bench.input(Input::BackPressure);
    bench.now += SECOND * 60;
    assert_eq!(bench.input(Input::Timeout), "");
    for request in 0..3 {
        bench.no_reply(request, NoReply::Local);
    }
    let text = bench.input(Input::BackPressureEnded);
    assert!(!text.contains("Ping[") && !text.contains("failed"), "{text}");
    assert_eq!((bench.machine.stats().pauses, bench.machine.stats().failures), (1, 0));
    let probes = bench.machine.stats().probes;
    bench.pass(SECOND * 4);
    assert!(bench.machine.stats().probes >= probes + 3);
}
