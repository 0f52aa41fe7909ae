//! While many members are silent, the rings close around them, and verdicts wait for one interval.

use std::collections::BTreeSet;
use std::time::Duration;

use kinfolk_core::{NodeId, NodeState};

use super::bench::{claim, id, suspicion};
use super::mass_failure::Group;
use crate::detection::peek;

const SECOND: Duration = Duration::from_secs(1);

const NAMES: [&str; 20] =
    ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s", "t"];

impl Group {
    fn subjects(&mut self) -> BTreeSet<NodeId> {
        let detection = &mut self.bench.machine.owners.detection;
        NAMES.into_iter().map(id).filter(|id| peek::watches(detection, id)).collect()
    }

    /// Makes these members silent. A member that may watch it suspects each that this member does
    /// not watch.
    fn fall_silent(&mut self, silent: &[&'static str]) {
        let subjects = self.subjects();
        self.silent = silent.to_vec();
        for name in silent.iter().filter(|name| !subjects.contains(&id(name))) {
            let entitled = self.bench.entitled(name);
            let accuser = entitled.iter().rfind(|accuser| !silent.contains(&accuser.as_str())).unwrap();
            self.bench.gossip(accuser.as_str(), vec![suspicion(name, 1, accuser.as_str())]);
            assert_eq!(self.bench.known(name).1, NodeState::Suspect);
        }
    }

    /// Makes these members answer again. Each refutes.
    fn speak_again(&mut self, names: &[&'static str]) {
        self.silent.retain(|name| !names.contains(name));
        for name in names {
            self.bench.gossip(name, vec![claim(name, 2, NodeState::Alive, &[])]);
        }
    }

    /// Chooses `count` members: the first `watched` that this member watches, and others.
    fn choose(&mut self, watched: usize, count: usize) -> Vec<&'static str> {
        let subjects = self.subjects();
        let (ours, others): (Vec<_>, Vec<_>) =
            NAMES.into_iter().partition(|name| subjects.contains(&id(name)));
        let others = others.into_iter().take(count - watched);
        ours.into_iter().take(watched).chain(others).collect()
    }
}

#[test]
fn rings_close_while_a_quarter_is_silent() {
    let mut group = Group::new(&NAMES, &[]);
    group.pass(SECOND * 10);
    let (usual, silent) = (group.subjects(), group.choose(2, 6));
    group.fall_silent(&silent);
    let told = group.pass(SECOND * 5);
    let closed = group.subjects();
    let more = closed.difference(&usual);
    let (suspects, live): (Vec<_>, Vec<_>) = more.partition(|name| silent.contains(&name.as_str()));
    assert!(closed.is_superset(&usual) && !live.is_empty(), "{closed:?}");
    assert!(!suspects.is_empty(), "a suspect may have lost other watchers: {closed:?}");
    assert!(
        told.contains(&format!("Compare -> {}", live[0])),
        "a new subject may have missed updates: {told}"
    );

    group.speak_again(&silent[1..]);
    group.pass(SECOND);
    assert!(group.subjects().len() > usual.len(), "one subject is still silent");
    group.speak_again(&silent[..1]);
    group.pass(SECOND * 2);
    assert_eq!(group.subjects(), usual);
}

#[test]
fn rings_stay_open_below_a_quarter_silent() {
    let mut group = Group::new(&NAMES, &[]);
    group.pass(SECOND * 10);
    let (usual, silent) = (group.subjects(), group.choose(1, 5));
    group.fall_silent(&silent);
    group.pass(SECOND * 5);
    assert_eq!(group.subjects(), usual);
}

#[test]
fn verdict_waits_while_a_quarter_is_silent() {
    for (count, least) in [(5, 5.0), (6, 6.0)] {
        let mut group = Group::new(&NAMES, &[]);
        group.pass(SECOND * 10);
        let silent = group.choose(1, count);
        group.fall_silent(&silent);
        let told = group.pass(SECOND * 9);
        let verdict = format!("event failed {}: silent for ", silent[0]);
        let (_, after) = told.split_once(&verdict).unwrap_or_else(|| panic!("no verdict: {told}"));
        let seconds: f64 = after.split_whitespace().next().unwrap().parse().unwrap();
        assert!((least..least + 1.0).contains(&seconds), "{count} silent: {seconds}");
        assert_eq!(group.bench.machine.stats().verdicts_held > 0, count == 6);
    }
}

/// In a group of six each member watches at most four others.
#[test]
fn up_to_five_members_all_watch_each_other() {
    for others in 1..=5 {
        let mut group = Group::new(&NAMES[..others], &[]);
        let watched = group.subjects().len();
        assert!(if others < 5 { watched == others } else { watched <= 4 }, "{watched} of {others}");
    }
}
