//! Tests of members that become known only by an exchange of views.

use std::sync::Arc;
use std::time::Duration;

use kinfolk_core::{Incarnation, NodeState, NodeStatus};

use super::bench::{Bench, claim, id, quiet, status, tagged};
use crate::detection::peek;
use crate::interface::config::SwimConfig;
use crate::interface::input::{Command, Input, NoReply};
use crate::interface::output::Output;
use crate::machine::Machine;
use crate::purpose::INTRODUCTIONS_MAX;
use crate::wire::buckets::Buckets;
use crate::wire::message::{Message, Reception, Update};

/// A time at which a tombstone from the time of incarnation 1 has been reaped.
const LATER: Duration = Duration::from_hours(25);

/// A member that knows these others, at a time when incarnation 1 is old.
fn bench(others: &[&str]) -> Bench {
    let mut bench = Bench::new(quiet(&SwimConfig::verified()), others);
    while bench.machine.poll_output().is_some() {}
    bench.input(Input::WallClock { since_epoch: LATER });
    bench
}

fn sync(names: &[&str], incarnation: u64) -> Message {
    let node = |name: &&str| Arc::new(status(name, incarnation, NodeState::Alive));
    Message::Sync { nodes: names.iter().map(node).collect(), after: None, want: false, only: Buckets::ALL }
}

/// The requests for a statement among the last outputs: their numbers and their receivers.
fn asked(bench: &Bench) -> Vec<(u64, String)> {
    let request = |output: &Output| match output {
        Output::Send { to, message: Message::Describe { id }, request: Some(request), .. } if to == id => {
            Some((request.0, to.to_string()))
        }
        _ => None,
    };
    bench.outputs.iter().filter_map(request).collect()
}

fn own_statement(name: &str, incarnation: u64, state: NodeState) -> Message {
    let nodes: Vec<Arc<NodeStatus>> = vec![status(name, incarnation, state).into()];
    Message::Page { nodes, more: false }
}

#[test]
fn old_member_enters_only_by_its_own_statement() {
    let mut bench = bench(&["a", "b"]);
    let text = bench.message("a", sync(&["old"], 1));
    assert!(!text.contains("event"), "{text}");
    let [(request, to)] = &asked(&bench)[..] else { panic!("{text}") };
    assert_eq!(to, "old");
    assert!(bench.machine.registry().get(&id("old")).is_none());
    let text = bench.reply(*request, "old", own_statement("old", 1, NodeState::Alive));
    assert!(text.contains("event joined old"), "{text}");
    assert_eq!(bench.known("old"), (1, NodeState::Alive));
}

#[test]
fn silent_or_left_old_member_never_joins() {
    for answer in [None, Some(NodeState::Left)] {
        let mut bench = bench(&["a", "b"]);
        bench.message("a", sync(&["old"], 1));
        let (request, _) = asked(&bench)[0];
        let text = match answer {
            None => bench.no_reply(request, NoReply::Silent),
            Some(state) => bench.reply(request, "old", own_statement("old", 1, state)),
        };
        assert!(!text.contains("event"), "{text}");
        let known = bench.machine.registry().get(&id("old"));
        assert_eq!(known.map(|node| node.state), answer);
        assert_eq!(bench.machine.stats().introductions_failed, u64::from(answer.is_none()));
    }
}

#[test]
fn suspicion_about_an_old_stranger_adds_no_member() {
    let mut bench = bench(&["a", "b"]);
    let text = bench.gossip("a", vec![claim("old", 1, NodeState::Suspect, &["a"])]);
    assert!(!text.contains("event"), "{text}");
    assert_eq!(asked(&bench).len(), 1);
}

#[test]
fn recently_started_members_enter_at_once() {
    let mut bench = bench(&["a", "b"]);
    let lately = u64::try_from(Duration::from_hours(25 - 11).as_millis()).unwrap();
    assert!(bench.message("a", sync(&["new"], lately)).contains("event joined new"));
    assert!(bench.message("own", sync(&["own"], 1)).contains("event joined own"), "its own statement counts");
    let gossip = bench.gossip("a", vec![claim("told", 1, NodeState::Alive, &[])]);
    assert!(gossip.contains("event joined told"), "a join spreads by gossip");
}

#[test]
fn old_members_are_asked_in_bounded_batches() {
    let mut bench = bench(&["a"]);
    let names: Vec<String> = (0..100).map(|n| format!("old{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    bench.message("a", sync(&names, 1));
    let first = asked(&bench);
    assert_eq!(first.len(), INTRODUCTIONS_MAX);
    bench.no_reply(first[0].0, NoReply::Silent);
    assert_eq!(asked(&bench).len(), 1, "the next request replaces the one that ended");
}

#[test]
fn claim_about_known_old_member_is_believed() {
    let mut bench = bench(&["a", "b"]);
    let nodes = vec![Arc::new(tagged("b", 2, NodeState::Suspect, &[("role", "db")]))];
    let told = bench.message("a", Message::Sync { nodes, after: None, want: false, only: Buckets::ALL });
    assert!(told.contains("event updated b"), "{told}");
    assert_eq!(asked(&bench), []);
    assert_eq!(bench.known("b"), (2, NodeState::Alive), "its own word counts, the suspicion has no proof");
}

#[test]
fn at_most_64_members_outside_rings_are_watched() {
    let names: Vec<String> = (0..100).map(|number| format!("n{number:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut bench = bench(&names);
    let watched = |bench: &mut Bench| {
        let detection = &mut bench.machine.owners.detection;
        names.iter().filter(|name| peek::watches(detection, &id(name))).count()
    };
    let usual = watched(&mut bench);
    for _ in 0..2 {
        let Machine { cx, owners, .. } = &mut bench.machine;
        let all = names.iter().map(|name| id(name)).collect();
        owners.detection.rings().unwrap().watch_extra(cx, all);
        assert_eq!(watched(&mut bench), usual + 64);
    }
}

/// They are watched until they have answered once.
#[test]
fn members_that_a_peer_lacks_are_watched() {
    let names: Vec<String> = (0..20).map(|n| format!("n{n:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut bench = bench(&names);
    let unwatched =
        *names.iter().find(|name| !peek::watches(&mut bench.machine.owners.detection, &id(name))).unwrap();
    let peer = bench.machine.registry().get(&id(names[0])).unwrap();
    bench.machine.compare_with(&peer.id);
    let compare = bench.machine.cx.next_request().0 - 1;
    bench.reply(compare, names[0], Message::Differ { buckets: Buckets::ALL });
    let sync = bench.machine.cx.next_request().0 - 1;
    let lacks = |name: &&&str| **name != unwatched;
    let mut nodes: Vec<Arc<NodeStatus>> =
        names.iter().filter(lacks).map(|name| Arc::new(status(name, 1, NodeState::Alive))).collect();
    nodes.sort_unstable_by(|one, other| one.id.cmp(&other.id));
    bench.reply(sync, names[0], Message::Page { nodes, more: false });
    assert!(peek::watches(&mut bench.machine.owners.detection, &id(unwatched)));

    let end = bench.now + Duration::from_secs(10);
    while peek::watches(&mut bench.machine.owners.detection, &id(unwatched)) && bench.now < end {
        bench.tick();
        let probes = bench.outputs.iter().filter_map(|output| match output {
            Output::Send { to, message: Message::Ping { .. }, request: Some(request), .. } => {
                Some((request.0, to.to_string()))
            }
            _ => None,
        });
        for (request, to) in probes.collect::<Vec<_>>() {
            bench.ack(request, &to);
        }
    }
    assert!(
        !peek::watches(&mut bench.machine.owners.detection, &id(unwatched)),
        "a member that has answered is not watched any more"
    );
}

#[test]
fn far_ahead_introduction_is_refused() {
    let mut bench = bench(&["a", "b"]);
    bench.message("a", sync(&["old"], 1));
    let (request, _) = asked(&bench)[0];
    bench.reply(request, "old", own_statement("old", u64::MAX, NodeState::Alive));
    assert!(bench.machine.registry().get(&id("old")).is_none());
    assert_eq!(bench.machine.stats().claims_refused, 1);
}

fn forget(name: &str, up_to: u64) -> Update {
    let status = status(name, up_to, NodeState::Failed).without_description().into();
    Update::Forget { status, up_to: Incarnation::new(up_to) }
}

/// Any member can say that one is forgotten which this member does not know yet.
#[test]
fn forget_update_about_an_unknown_member_yields_to_its_own_statement() {
    let mut bench = bench(&["a", "b"]);
    let now = u64::try_from(LATER.as_millis()).unwrap();
    bench.gossip("a", vec![forget("new", now)]);
    let told = bench.message("b", sync(&["new"], now));
    let [(request, to)] = &asked(&bench)[..] else { panic!("{told}") };
    assert_eq!((to.as_str(), bench.machine.registry().get(&id("new"))), ("new", None));
    bench.reply(*request, "new", own_statement("new", now, NodeState::Alive));
    assert_eq!(bench.known("new"), (now, NodeState::Alive));
}

#[test]
fn member_that_answers_as_left_stays_forgotten() {
    let mut bench = bench(&["a", "b"]);
    bench.gossip("a", vec![forget("old", 1)]);
    bench.message("a", sync(&["old"], 1));
    let (request, _) = asked(&bench)[0];
    bench.reply(request, "old", own_statement("old", 1, NodeState::Left));
    assert!(bench.machine.registry().get(&id("old")).is_none());
}

/// This member has seen that it was gone, so an old claim does not make it dial a dead address.
#[test]
fn member_whose_tombstone_was_forgotten_here_is_not_asked() {
    let mut bench = bench(&["a", "b", "gone"]);
    bench.gossip("gone", vec![claim("gone", 1, NodeState::Left, &[])]);
    bench.gossip("a", vec![forget("gone", 1)]);
    assert!(bench.machine.registry().get(&id("gone")).is_none());
    bench.message("a", sync(&["gone"], 1));
    assert_eq!(asked(&bench), []);
    assert!(bench.machine.registry().get(&id("gone")).is_none());
}

/// A member that has started at this moment by its wall clock, at 25 h.
fn started_lately(others: &[&str]) -> Bench {
    let mut bench = Bench::new(quiet(&SwimConfig::verified()), others);
    let wrong = Duration::from_hours(75);
    bench.input(Input::WallClock { since_epoch: wrong });
    let wrong = u64::try_from(wrong.as_millis()).unwrap();
    bench.gossip("teller", vec![claim("me", wrong, NodeState::Suspect, &[])]);
    bench.input(Input::WallClock { since_epoch: LATER });
    assert_eq!(u128::from(bench.known("me").0), LATER.as_millis());
    bench
}

/// Joins through `seed`, which knows a member of incarnation 1.
fn joins(bench: &mut Bench) -> String {
    let addr = status("seed", 1, NodeState::Alive).addr;
    bench.command(Command::Join { id: id("seed"), addr });
    let last = |bench: &Bench| bench.machine.cx.next_request().0 - 1;
    let clock = Incarnation::new(u64::try_from(LATER.as_millis()).unwrap());
    bench.reply(last(bench), "seed", Message::Welcome { clock, reception: Reception::Seen });
    let nodes = vec![Arc::new(status("old", 1, NodeState::Alive))];
    bench.reply(last(bench), "seed", Message::Page { nodes, more: false })
}

#[test]
fn only_a_lone_newcomer_believes_in_old_members() {
    let mut newcomer = started_lately(&[]);
    assert!(joins(&mut newcomer).contains("event joined old"));
    let mut in_a_group = started_lately(&["a"]);
    assert!(!joins(&mut in_a_group).contains("event joined old"));
    assert_eq!(asked(&in_a_group).len(), 1);
    let mut long_alone = bench(&[]);
    assert!(!joins(&mut long_alone).contains("event joined old"));
    assert_eq!(asked(&long_alone).len(), 1);
}
