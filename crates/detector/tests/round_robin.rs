//! Tests of the default settings under SWIM's shuffled round-robin. A healthy group of any size
//! causes no verdict. A silence is found as soon as chance no longer explains it.

mod common;

use std::time::Duration;

use common::{SECOND, alive, at, checker, id, registry};
use kinfolk_core::{NodeId, NodeState, Rng};
use kinfolk_detector::HealthChecker;

/// A member's probes: in each round it probes every other member once, in a new order.
struct Prober {
    order: Vec<usize>,
    next: usize,
    /// When in each second the member probes.
    phase: Duration,
}

impl Prober {
    fn new(rng: &mut Rng, me: usize, size: usize) -> Self {
        let order: Vec<_> = (0..size).filter(|&other| other != me).collect();
        let phase = SECOND.mul_f64(rng.unit());
        Self { next: order.len(), order, phase }
    }

    fn target(&mut self, rng: &mut Rng) -> usize {
        if self.next == self.order.len() {
            rng.shuffle(&mut self.order);
            self.next = 0;
        }
        self.next += 1;
        self.order[self.next - 1]
    }
}

/// The messages that member 0 of a group receives in each second: the answers to its own probes,
/// and the probes of the other members.
struct Group {
    rng: Rng,
    names: Vec<NodeId>,
    probers: Vec<Prober>,
    second: u32,
    /// Members that send nothing any more.
    dead: Vec<usize>,
}

impl Group {
    fn new(size: usize, seed: u64) -> Self {
        let mut rng = Rng::from_seed(seed);
        let probers = (0..size).map(|member| Prober::new(&mut rng, member, size)).collect();
        let name = |member| if member == 0 { id("me") } else { id(&format!("n{member:03}")) };
        Self { rng, names: (0..size).map(name).collect(), probers, second: 0, dead: Vec::new() }
    }

    fn checker(&self) -> (kinfolk_core::SharedNodeRegistry, HealthChecker) {
        let registry = registry(&self.names.iter().map(NodeId::as_str).collect::<Vec<_>>());
        let checker = checker(&registry);
        (registry, checker)
    }

    /// Runs the next second, with delays of up to a quarter of a second, and ends with a check.
    /// Returns the judged members.
    fn step(&mut self, checker: &HealthChecker) -> Vec<NodeId> {
        let start = at(self.second);
        let mut heard = Vec::new();
        for member in 0..self.probers.len() {
            let target = self.probers[member].target(&mut self.rng);
            let from = if member == 0 { target } else { member };
            let delay = SECOND.mul_f64(self.rng.unit() / 4.0);
            if (member == 0 || target == 0) && !self.dead.contains(&from) {
                heard.push((start + self.probers[member].phase + delay, from));
            }
        }
        heard.sort_unstable();
        for (when, from) in heard {
            checker.heartbeat(&self.names[from], when);
        }
        self.second += 1;
        let verdicts = checker.check(start + SECOND);
        verdicts.iter().map(|verdict| verdict.event.node().expect("it is about a member").clone()).collect()
    }
}

#[test]
fn healthy_group_of_any_size_raises_no_alarm() {
    for size in 2..=64 {
        // About as many rounds for each size: many short ones in small groups.
        for seed in 0..(64 / size as u64).max(2) {
            let mut group = Group::new(size, seed);
            let (_, checker) = group.checker();
            for _ in 0..20 * size {
                let judged = group.step(&checker);
                assert!(
                    judged.is_empty(),
                    "{size} members, seed {seed}, second {}: {judged:?}",
                    group.second
                );
            }
        }
    }
}

#[test]
fn silence_is_found_once_chance_cannot_explain_it() {
    for (size, seed) in [(3, 1), (5, 2), (16, 3), (64, 4)] {
        let mut group = Group::new(size, seed);
        let (_, checker) = group.checker();
        for _ in 0..10 * size {
            assert_eq!(group.step(&checker), []);
        }
        group.dead.push(1);
        let silence_at_verdict = loop {
            let judged = group.step(&checker);
            if !judged.is_empty() {
                assert_eq!(judged, [id("n001")]);
                break checker.silence(&id("n001"), at(group.second)).expect("it is watched").as_secs_f64();
            }
            assert!(group.second < 100_000, "{size} members: the crash is never detected");
        };
        let (longest, peers) = (2.0 * (size as f64 - 1.0) + 3.0, size as f64 - 1.0);
        assert!(silence_at_verdict > longest, "{size} members: found after {silence_at_verdict} s");
        assert!(
            silence_at_verdict < longest + peers + 2.0,
            "{size} members: found after {silence_at_verdict} s"
        );
    }
}

#[test]
fn group_that_shrinks_at_once_raises_no_alarm() {
    for seed in 0..40 {
        let mut large = Group::new(48, seed);
        let (registry, checker) = large.checker();
        // Not long enough to learn much: some members have been silent all the time.
        for _ in 0..50 {
            assert_eq!(large.step(&checker), []);
        }
        // All members except the first four leave at once. The others go on with the rest of their
        // orders.
        for name in &large.names[4..] {
            let _ = registry.apply(alive(name.as_str(), 1).with_state(NodeState::Left));
        }
        large.probers.truncate(4);
        for prober in &mut large.probers {
            let probed = prober.order[..prober.next].iter().filter(|&&target| target < 4).count();
            prober.order.retain(|&target| target < 4);
            prober.next = probed;
        }
        for _ in 0..300 {
            assert_eq!(large.step(&checker), [], "seed {seed}, second {}", large.second);
        }
        assert_eq!(checker.watched(), 3);
    }
}

#[test]
fn probes_of_other_members_alone_are_enough() {
    for seed in 0..10 {
        let mut group = Group::new(8, seed);
        let (_, checker) = group.checker();
        // Member 0 stops probing: its only target is itself, so it gets no answer from another
        // member.
        group.probers[0].order = vec![0];
        group.probers[0].next = 1;
        for _ in 0..400 {
            assert_eq!(group.step(&checker), [], "seed {seed}, second {}", group.second);
        }
    }
}
