//! Each fault has its documented effect, and ends when it should.

use std::time::Duration;

use kinfolk_core::{Instant, NodeState};
use kinfolk_sim::{Checks, Fault, NodeIndex, Scenario, Step, Trace, World};
use kinfolk_swim::SwimConfig;

const A: NodeIndex = NodeIndex(0);
const B: NodeIndex = NodeIndex(1);
const C: NodeIndex = NodeIndex(2);

fn at(seconds: u64) -> Instant {
    Instant::ORIGIN + Duration::from_secs(seconds)
}

/// Three members that know each other from the start, with these faults at these seconds, at the
/// end of second `end`.
fn world(faults: &[(u64, Fault)], end: u64) -> World {
    let mut scenario = Scenario::bare(3, SwimConfig::lifeguard());
    for (second, fault) in faults {
        scenario.script.fault(Duration::from_secs(*second), fault.clone());
    }
    scenario.remembers = true;
    let mut world = World::preformed(&scenario, 1, Trace::on(), Checks::default());
    world.run_until(at(end));
    world
}

/// The number of lines of this kind that `node` has between these seconds.
fn count(world: &World, node: NodeIndex, kind: &str, seconds: std::ops::Range<f64>) -> usize {
    let is_one = |line: &&str| {
        let mut words = line.split_whitespace();
        let time = words.next().map_or(f64::NAN, time_of);
        seconds.contains(&time) && words.eq_head(&[&node.to_string(), kind])
    };
    world.trace().text().lines().filter(is_one).count()
}

/// The time at the start of a line of the trace.
fn time_of(line: &str) -> f64 {
    line.split_whitespace().next().and_then(|time| time.parse().ok()).expect("a line begins with its time")
}

trait Head {
    fn eq_head(self, head: &[&str]) -> bool;
}

impl<'a, I: Iterator<Item = &'a str>> Head for I {
    fn eq_head(self, head: &[&str]) -> bool {
        self.take(head.len()).eq(head.iter().copied())
    }
}

fn state(world: &World, of: NodeIndex, at: NodeIndex) -> NodeState {
    let view = world.registry(at).expect("the node runs");
    view.get(&of.id()).expect("all know each other from the start").state
}

#[test]
/// The blocked node's driver waits in the first message. After the block it catches up with one of
/// the eight missed periods.
fn blocked_node_receives_nothing_and_sends_once() {
    let world = world(&[(10, Fault::Block(B)), (18, Fault::Unblock(B))], 20);
    assert_eq!(count(&world, B, "recv", 10.0..17.999), 0);
    assert_eq!(count(&world, B, "send", 10.0..17.999), 1, "the driver waits in the first send");
    assert_eq!(count(&world, B, "silent", 10.0..17.999), 0, "the driver sees no time-outs");
    let silent = count(&world, A, "silent", 10.1..18.0) + count(&world, C, "silent", 10.1..18.0);
    assert!(silent >= 1, "other members see time-outs");
    let at_once = 18.0..18.000_001;
    assert!(count(&world, B, "recv", at_once.clone()) >= 3, "waiting messages arrive at once");
    let pings =
        |line: &&str| line.contains("send     to") && line.contains("ping") && !line.contains("ping-req");
    let of_b = |line: &&str| line.contains("n0001") && at_once.contains(&time_of(line));
    let pings = world.trace().text().lines().filter(of_b).filter(pings).count();
    assert_eq!(pings, 1, "one of eight missed periods is caught up");
}

#[test]
fn blocked_messages_go_out_when_the_block_ends() {
    let blocked = world(&[(10, Fault::Block(B)), (13, Fault::Unblock(B))], 15);
    let pings = |seconds| {
        let of_b = |line: &&str| line.contains("recv     of n0001  ping");
        let in_time = |line: &&str| std::ops::Range::contains(&seconds, &time_of(line));
        blocked.trace().text().lines().filter(of_b).filter(in_time).count()
    };
    assert_eq!(pings(10.1..13.0), 0);
    assert!(pings(13.0..13.1) >= 2);
}

#[test]
fn crashed_and_silent_nodes_fail_but_blocked_do_not() {
    for (fault, expected) in [
        (Fault::Crash(B), NodeState::Failed),
        (Fault::Silence(B), NodeState::Failed),
        (Fault::Block(B), NodeState::Alive),
    ] {
        let world = world(&[(10, fault.clone()), (12, Fault::Unblock(B))], 60);
        assert_eq!(state(&world, B, A), expected, "{fault}");
    }
}

#[test]
fn slow_node_answers_late_until_the_fault_ends() {
    let slow = Duration::from_millis(400);
    let world = world(
        &[(5, Fault::Slow { node: B, by: slow }), (20, Fault::Slow { node: B, by: Duration::ZERO })],
        40,
    );
    // The time from each ping from A to B until the ack.
    let mut sent = None;
    let (mut early, mut late) = (Vec::new(), Vec::new());
    for line in world.trace().text().lines() {
        let time = time_of(line);
        if line.contains("n0000   send     to n0001  ping") {
            sent = Some(time);
        } else if line.contains("n0000   recv     of n0001  ack")
            && let Some(sent) = sent.take()
        {
            let of = if (5.5..19.0).contains(&time) { &mut late } else { &mut early };
            of.push(time - sent);
        }
    }
    assert!(late.len() > 3 && late.iter().all(|took| (0.4..0.5).contains(took)), "{late:?}");
    let healthy = early.iter().filter(|took| **took < 0.1).count();
    assert!(healthy > 5 && early.len() - healthy <= 1, "{early:?}");
}

#[test]
fn fast_clock_probes_more_often() {
    let world =
        world(&[(10, Fault::Drift { node: B, rate: 2.0 }), (30, Fault::Drift { node: B, rate: 1.0 })], 50);
    let probes =
        |node, seconds| world.trace().text().lines().filter(|line| is_probe(line, node, &seconds)).count();
    assert!((9..=11).contains(&probes(B, 0.0..10.0)), "{}", probes(B, 0.0..10.0));
    assert!((38..=42).contains(&probes(B, 10.0..30.0)), "{}", probes(B, 10.0..30.0));
    assert!((19..=21).contains(&probes(B, 30.0..50.0)), "{}", probes(B, 30.0..50.0));
    assert!((19..=21).contains(&probes(A, 10.0..30.0)), "{}", probes(A, 10.0..30.0));
}

fn is_probe(line: &str, node: NodeIndex, seconds: &std::ops::Range<f64>) -> bool {
    seconds.contains(&time_of(line)) && line.contains(&format!("{node}   send ")) && line.contains("  ping")
}

#[test]
fn clock_jump_makes_timers_due_once() {
    let world = world(&[(10, Fault::Jump { node: B, by: Duration::from_secs(5) })], 12);
    let probes = world.trace().text().lines().filter(|line| is_probe(line, B, &(10.0..10.000_001))).count();
    assert_eq!(probes, 1, "timers of the next five seconds fire at once, and once");
}

#[test]
fn remembered_incarnation_beats_a_clock_set_back() {
    let faults = |set_back| {
        [
            (10, Fault::Crash(B)),
            (40, Fault::SetBack { node: B, by: Duration::from_secs(set_back) }),
            (60, Fault::Restart { node: B, via: A }),
        ]
    };
    for set_back in [0, 61] {
        let world = world(&faults(set_back), 70);
        let own = world.registry(B).unwrap().get(&B.id()).unwrap();
        assert!(own.incarnation.get() > 1_000, "set back by {set_back} s: {:?}", own.incarnation);
        assert_eq!(state(&world, B, A), NodeState::Alive);
    }
}

#[test]
fn light_world_sends_and_reports_like_a_full_world() {
    let mut scenario = Scenario::bare(8, SwimConfig::lifeguard());
    scenario.script.fault(Duration::from_secs(10), Fault::Crash(B));
    scenario.script.at(Duration::from_secs(12), Step::Leave(C));
    let mut full = World::preformed(&scenario, 5, Trace::on(), Checks::default());
    let mut light = World::light_preformed(&scenario, 5);
    full.run_until(at(60));
    light.run_until(at(60));
    assert_eq!(full.traffic_of_all(), light.traffic_of_all());
    assert_eq!(full.traffic(A), light.traffic(A));
    assert!(light.traffic(A).messages_sent > 60 && light.traffic(A).bytes_received > 60);
    let traced = |kind: &str| full.trace().text().lines().filter(|line| line.contains(kind)).count();
    let seen = |of: fn(&kinfolk_sim::What) -> bool| light.seen().iter().filter(|seen| of(&seen.what)).count();
    assert_eq!(traced("event    failed"), seen(|what| matches!(what, kinfolk_sim::What::Failed(_))));
    assert_eq!(traced("event    left"), seen(|what| matches!(what, kinfolk_sim::What::Left)));
    assert!(seen(|what| matches!(what, kinfolk_sim::What::Failed(_))) >= 6);
}
