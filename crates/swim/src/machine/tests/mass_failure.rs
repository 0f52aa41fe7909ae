//! Many silent members at once: which verdicts are held, for how long, and which events follow.
//! Also a member that flaps.

use std::time::Duration;

use kinfolk_core::NodeState::{Alive, Failed, Left, Suspect};
use kinfolk_detector::Finding;

use super::bench::{Bench, claim, id, proof, quiet};
use crate::interface::config::SwimConfig;
use crate::interface::input::Input;
use crate::interface::output::Output;
use crate::wire::message::Message;

const SECOND: Duration = Duration::from_secs(1);

/// This member and others, of which some do not answer. The ports of the silent members are open,
/// unless `closed` is set.
pub(super) struct Group {
    pub(super) bench: Bench,
    pub(super) silent: Vec<&'static str>,
    /// Whether the hosts of the silent members report that the port is closed.
    closed: bool,
}

impl Group {
    pub(super) fn new(others: &[&str], silent: &[&'static str]) -> Self {
        let mut bench = Bench::new(quiet(&SwimConfig::verified()), others);
        while bench.machine.poll_output().is_some() {}
        Self { bench, silent: silent.to_vec(), closed: false }
    }

    /// Lets time pass. Returns the outputs.
    pub(super) fn pass(&mut self, time: Duration) -> String {
        let (end, mut told) = (self.bench.now + time, String::new());
        while self.bench.machine.next_timeout().is_some_and(|at| at <= end) {
            told += &self.bench.tick();
            let outputs = std::mem::take(&mut self.bench.outputs);
            for output in outputs {
                told += &self.answer(output);
            }
        }
        self.bench.now = end;
        told
    }

    fn answer(&mut self, output: Output) -> String {
        let speaks = |name: &str| !self.silent.contains(&name);
        match output {
            Output::Send { to, message, request: Some(request), .. } if speaks(to.as_str()) => {
                match message {
                    Message::PingReq { target, .. } if !speaks(target.as_str()) => self.bench.reply(
                        request.0,
                        to.as_str(),
                        Message::Nack { closed: self.closed, lossy: false, accusation: None },
                    ),
                    _ => self.bench.ack(request.0, to.as_str()),
                }
            }
            Output::CheckPort { check, node, .. } => {
                let closed = self.closed && !speaks(node.as_str());
                self.bench.input(Input::PortChecked { check, closed })
            }
            _ => String::new(),
        }
    }

    fn states(&self, names: &[&str]) -> Vec<kinfolk_core::NodeState> {
        names.iter().map(|name| self.bench.known(name).1).collect()
    }
}

#[test]
fn verdicts_about_half_the_group_wait_for_grace() {
    let mut group = Group::new(&["a", "b", "c"], &["a", "b"]);
    let told = group.pass(SECOND * 30);
    assert_eq!(group.states(&["a", "b"]), [Suspect, Suspect]);
    let said = told.lines().filter(|line| line.contains("Partition")).collect::<Vec<_>>();
    assert_eq!(said, ["event PartitionDetected { minority: false, live: 2, known: 4 }"]);
    assert!(group.bench.machine.stats().verdicts_held > 0);
    let explained = group.bench.machine.explain(&id("a"));
    assert_eq!(explained.last().unwrap().finding.to_string(), "held back");

    group.pass(SECOND * 10);
    assert_eq!(group.states(&["a", "b"]), [Failed, Failed]);
    let status = group.bench.machine.partition();
    assert!(status.partitioned && !status.minority && (status.live, status.known) == (2, 4), "{status:?}");
}

#[test]
fn held_verdicts_are_shown_with_their_reason() {
    let mut group = Group::new(&["a", "b", "c"], &["a", "b"]);
    assert_eq!(group.bench.machine.suspicion_status(group.bench.now), []);
    group.pass(SECOND * 30);
    let status = group.bench.machine.suspicion_status(group.bench.now);
    assert_eq!(status.iter().map(|status| status.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    for status in status {
        assert_eq!(status.held, Some(Finding::Held));
        let (silent, suspect) = (status.silent_for.unwrap(), status.suspect_for.unwrap());
        assert!(silent > suspect && suspect > SECOND * 25 && silent < SECOND * 30, "{silent:?} {suspect:?}");
    }
}

#[test]
fn isolated_member_shows_why_it_judges_no_member() {
    let mut group = Group::new(&["a", "b", "c"], &["a", "b", "c"]);
    group.pass(SECOND * 30);
    let status = group.bench.machine.suspicion_status(group.bench.now);
    assert_eq!(status.len(), 3);
    for status in status {
        assert_eq!((status.held, status.suspect_for), (Some(Finding::Isolated), None));
        assert!(status.silent_for.unwrap() > SECOND * 25);
    }
    group.silent.clear();
    group.pass(SECOND * 5);
    assert_eq!(group.bench.machine.suspicion_status(group.bench.now), []);
}

/// The healing is reported.
#[test]
fn member_that_answers_within_grace_never_fails() {
    let mut group = Group::new(&["a", "b", "c"], &["a", "b"]);
    group.pass(SECOND * 20);
    group.silent.clear();
    let mut told = group.pass(SECOND * 2);
    for name in ["a", "b"] {
        told += &group.bench.gossip(name, vec![claim(name, 2, Alive, &[])]);
    }
    told += &group.pass(SECOND * 60);
    assert_eq!(group.states(&["a", "b"]), [Alive, Alive]);
    assert!(told.contains("PartitionHealed { live: 4, known: 4"), "{told}");
    assert!(!told.contains("event failed"), "{told}");
}

/// So is one of two.
#[test]
fn two_of_five_silent_are_judged_without_delay() {
    for (others, silent) in [(&["a", "b", "c", "d"][..], &["a", "b"][..]), (&["a"], &["a"])] {
        let mut group = Group::new(others, silent);
        let told = group.pass(SECOND * 8);
        assert_eq!(group.states(silent), vec![Failed; silent.len()]);
        assert!(!told.contains("Partition"), "{told}");
    }
}

#[test]
fn closed_ports_leaves_and_received_verdicts_never_wait() {
    let mut group = Group::new(&["a", "b", "c", "d"], &["a", "b", "c"]);
    group.closed = true;
    group.pass(SECOND * 8);
    assert_eq!(group.states(&["a", "b", "c"]), [Failed; 3]);

    let mut group = Group::new(&["a", "b", "c"], &["a", "b"]);
    group.pass(SECOND * 10);
    assert_eq!(group.states(&["a", "b"]), [Suspect, Suspect]);
    group.bench.gossip("c", proof("a", 1, &["b", "c"]));
    group.bench.gossip("c", vec![claim("b", 1, Left, &[])]);
    assert_eq!(group.states(&["a", "b"]), [Failed, Left]);
}

#[test]
fn isolated_member_reports_minority_and_waits_for_grace() {
    let mut group = Group::new(&["a", "b", "c"], &["a", "b", "c"]);
    let told = group.pass(SECOND * 30);
    assert!(told.contains("PartitionDetected { minority: true, live: 1, known: 4 }"), "{told}");
    assert_eq!(group.states(&["a", "b", "c"]), [Alive; 3]);
    group.pass(SECOND * 25);
    assert!(group.bench.machine.partition().read_only);
    assert_eq!(group.states(&["a", "b", "c"]), [Failed; 3]);
}

#[test]
fn third_return_is_flapping_until_the_member_settles() {
    let mut group = Group::new(&["a", "b", "c"], &[]);
    let mut incarnation = 1;
    let mut fail_and_return = |group: &mut Group| {
        let failed = group.bench.gossip("b", proof("a", incarnation, &["b", "c"]));
        incarnation += 1;
        failed + &group.bench.gossip("b", vec![claim("a", incarnation, Alive, &[])])
    };
    let events = |text: &str| {
        let lines = text.lines().filter(|line| line.starts_with("event"));
        lines.map(|line| line.split_whitespace().nth(1).unwrap().to_owned()).collect::<Vec<_>>()
    };
    for expected in
        [vec!["failed", "joined"], vec!["failed", "joined"], vec!["failed", "joined", "NodeFlapping"]]
    {
        assert_eq!(events(&fail_and_return(&mut group)), expected);
        group.pass(SECOND * 5);
    }
    assert_eq!(events(&fail_and_return(&mut group)), Vec::<String>::new());
    assert_eq!(group.states(&["a"]), [Alive], "the registry is not delayed");
    let told = group.pass(SECOND * 119);
    assert!(!told.contains("event"), "{told}");
    let told = group.pass(SECOND * 2);
    assert_eq!(events(&told), ["NodeSettled"]);
    assert_eq!(events(&fail_and_return(&mut group)), ["failed", "joined"]);
    assert_eq!(group.bench.machine.stats().flapping, 1);
}

#[test]
fn isolated_member_judges_after_grace_at_any_size() {
    let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
    for size in 2..=names.len() {
        let others = &names[..size];
        let mut group = Group::new(others, others);
        let told = group.pass(SECOND * 30);
        assert_eq!(group.states(others), vec![Alive; size], "the grace is not over: {told}");
        let told = group.pass(SECOND * 60);
        assert_eq!(group.states(others), vec![Failed; size], "{told}");
    }
}

#[test]
fn only_a_leave_lowers_the_known_size() {
    let mut group = Group::new(&["a", "b", "c", "d"], &[]);
    group.bench.gossip("d", proof("a", 1, &["c", "d"]));
    assert_eq!((group.states(&["a"]), group.bench.machine.partition().known), (vec![Failed], 5));
    let mut known_after = |name: &str, incarnation, state| {
        group.bench.gossip("d", vec![claim(name, incarnation, state, &[])]);
        group.bench.machine.partition().known
    };
    assert_eq!(known_after("b", 1, Left), 4);
    assert_eq!(known_after("b", 2, Left), 4, "the member has left already");
    assert_eq!(known_after("stranger", 1, Left), 4, "an unknown node never counted");
    assert_eq!(known_after("c", 2, Alive), 4, "nothing has changed");
    assert_eq!(known_after("new", 1, Alive), 4, "a new member may be the failed one under another name");
}
