//! Tests of forgetting a member: by a command here, and by a forget update of other members.

use std::sync::Arc;
use std::time::Duration;

use kinfolk_core::{Incarnation, NodeState, NodeStatus};

use super::bench::{Bench, claim, failure, id, quiet, signer, status, tagged};
use crate::interface::config::SwimConfig;
use crate::interface::error::ForgetError;
use crate::interface::input::{Command, Input};
use crate::interface::output::{Outcome, Output};
use crate::members::Forgotten;
use crate::wire::buckets::Buckets;
use crate::wire::codec;
use crate::wire::message::Reception;
use crate::wire::message::{Message, Update};

const DAY: Duration = Duration::from_hours(24);

/// A group in which `x` has failed, at incarnation 5.
fn with_tombstone() -> Bench {
    let mut bench = Bench::new(quiet(&SwimConfig::lifeguard()), &["a", "b"]);
    bench.gossip("a", vec![claim("x", 5, NodeState::Failed, &["a"])]);
    bench
}

/// The same, and then `x` is forgotten.
fn forgotten() -> Bench {
    let mut bench = with_tombstone();
    bench.gossip("a", vec![forget_update("x", 5)]);
    assert!(!knows(&bench, "x"));
    bench.machine.queue().take(0, 4_096, 1, 1);
    bench
}

fn forget_update(name: &str, incarnation: u64) -> Update {
    forget_update_of(&status(name, incarnation, NodeState::Failed), incarnation)
}

fn forget_update_of(tombstone: &NodeStatus, up_to: u64) -> Update {
    Update::Forget { status: tombstone.without_description().into(), up_to: Incarnation::new(up_to) }
}

fn knows(bench: &Bench, name: &str) -> bool {
    bench.machine.registry().get(&id(name)).is_some()
}

fn command(name: &str) -> Command {
    Command::Forget { id: id(name), remembered: None }
}

fn end(bench: &mut Bench, command: Command) -> Result<Arc<NodeStatus>, ForgetError> {
    bench.command(command);
    let end = bench.outputs.iter().find_map(|output| match output {
        Output::Done { outcome: Outcome::Forgotten(end), .. } => Some(end.clone()),
        _ => None,
    });
    end.expect("the command has ended")
}

fn sync(nodes: Vec<NodeStatus>) -> Message {
    let nodes = nodes.into_iter().map(Arc::new).collect();
    Message::Sync { nodes, after: None, want: true, only: Buckets::ALL }
}

/// The nodes of the page among the last outputs.
fn page(bench: &Bench) -> Vec<Arc<NodeStatus>> {
    let page = bench.outputs.iter().find_map(|output| match output {
        Output::Reply { message: Message::Page { nodes, .. }, .. } => Some(nodes.clone()),
        _ => None,
    });
    page.expect("a page is the answer")
}

#[test]
fn forget_command_removes_the_tombstone_and_is_sent() {
    for state in [NodeState::Failed, NodeState::Left] {
        let mut bench = Bench::new(quiet(&SwimConfig::lifeguard()), &["a", "b"]);
        bench.gossip("a", vec![claim("x", 5, state, &[])]);
        let text = bench.command(command("x"));
        assert!(text.starts_with("forgotten x up to i5\nevent reaped x\ndone Forgotten(Ok("), "{text}");
        assert!(!knows(&bench, "x") && bench.machine.owners.members.tombstones() == 0);
        let update = forget_update_of(&status("x", 5, state), 5);
        assert!(bench.machine.queue().take(0, 4_096, 3, 3).contains(&update));
        let stats = bench.machine.stats();
        assert_eq!((stats.forgotten, stats.forgotten_names), (1, 1));
    }
}

#[test]
fn only_a_tombstone_of_another_is_forgotten() {
    let mut bench = with_tombstone();
    bench.gossip("a", vec![claim("b", 1, NodeState::Suspect, &["a"])]);
    let still = |name, state| Err(ForgetError::StillMember { node: id(name), state });
    assert_eq!(end(&mut bench, command("a")), still("a", NodeState::Alive));
    assert_eq!(end(&mut bench, command("b")), still("b", NodeState::Suspect));
    assert_eq!(end(&mut bench, command("unknown")), Err(ForgetError::Unknown { node: id("unknown") }));
    assert_eq!(end(&mut bench, command("me")), Err(ForgetError::ThisMember { node: id("me") }));
    bench.command(Command::Leave);
    assert_eq!(end(&mut bench, command("x")), Err(ForgetError::Left { node: id("x") }));
    assert!(knows(&bench, "x"));
}

#[test]
fn remembered_status_counts_only_for_unknown_name() {
    let mut bench = with_tombstone();
    let remembered = |name| Some(Arc::new(status(name, 3, NodeState::Failed)));
    let forget = |name| Command::Forget { id: id(name), remembered: remembered(name) };
    assert_eq!(end(&mut bench, forget("y")).map(|node| node.incarnation.get()), Ok(3));
    assert!(bench.machine.queue().take(0, 4_096, 3, 3).contains(&forget_update("y", 3)));
    assert_eq!(end(&mut bench, forget("x")).map(|node| node.incarnation.get()), Ok(5));
    assert!(end(&mut bench, forget("a")).is_err());
}

#[test]
fn forget_update_counts_up_to_its_incarnation() {
    let mut bench = with_tombstone();
    assert_eq!(bench.gossip("b", vec![forget_update("x", 4)]), "");
    assert!(knows(&bench, "x"));
    assert_eq!(bench.gossip("b", vec![forget_update("x", 6)]), "forgotten x up to i6\nevent reaped x\n");
    assert!(!knows(&bench, "x"));
    bench.gossip("a", vec![claim("x", 6, NodeState::Failed, &["a"])]);
    assert!(!knows(&bench, "x"));
    assert_eq!(bench.machine.stats().forgets_ignored, 1);
}

#[test]
fn forget_update_does_not_remove_a_member() {
    let mut bench = Bench::new(quiet(&SwimConfig::lifeguard()), &["a", "b"]);
    bench.gossip("a", vec![claim("b", 1, NodeState::Suspect, &["a"])]);
    bench.machine.queue().take(0, 4_096, 1, 1);
    for name in ["a", "b"] {
        assert_eq!(bench.gossip("c", vec![forget_update(name, 9)]), "");
    }
    assert_eq!((bench.known("a"), bench.known("b")), ((1, NodeState::Alive), (1, NodeState::Suspect)));
    assert!(!bench.machine.queue().is_waiting(&id("a")), "the update is not passed on");
    let stats = bench.machine.stats();
    assert_eq!((stats.forgets_ignored, stats.forgotten_names), (2, 0));
}

#[test]
fn forget_update_about_this_member_is_refuted() {
    let mut bench = with_tombstone();
    bench.gossip("a", vec![forget_update("me", 10)]);
    assert_eq!(bench.known("me"), (11, NodeState::Alive));
    bench.gossip("a", vec![forget_update("me", 3)]);
    assert_eq!(bench.known("me"), (11, NodeState::Alive), "an old forget update needs no refutation");
}

#[test]
fn forget_update_about_unknown_name_spreads_once() {
    let mut bench = Bench::new(quiet(&SwimConfig::lifeguard()), &["a", "b"]);
    assert_eq!(bench.gossip("a", vec![forget_update("x", 5)]), "forgotten x up to i5\n");
    assert!(bench.machine.queue().take(0, 4_096, 1, 1).contains(&forget_update("x", 5)));
    assert_eq!(bench.gossip("b", vec![forget_update("x", 5)]), "");
    assert!(bench.machine.queue().is_empty());
}

#[test]
fn forget_update_far_ahead_is_refused() {
    let mut bench = with_tombstone();
    let last = 10 + 24 * 60 * 60 * 1_000;
    assert_eq!(bench.gossip("a", vec![forget_update("x", last + 1)]), "refused x of a\n");
    assert!(knows(&bench, "x"));
    bench.gossip("a", vec![forget_update("x", last)]);
    assert!(!knows(&bench, "x"));
}

#[test]
fn far_ahead_tombstone_is_forgotten_to_the_clock() {
    let mut bench = with_tombstone();
    let ahead = 48 * 60 * 60 * 1_000;
    let since_epoch = Duration::from_millis;
    bench.input(Input::WallClock { since_epoch: since_epoch(ahead) });
    bench.gossip("a", vec![claim("x", ahead, NodeState::Failed, &["a"])]);
    bench.input(Input::WallClock { since_epoch: since_epoch(1_000) });
    assert!(end(&mut bench, command("x")).is_ok());
    let update = forget_update_of(&status("x", ahead, NodeState::Failed), 1_000);
    assert!(bench.machine.queue().take(0, 4_096, 3, 3).contains(&update));
    bench.gossip("b", vec![claim("x", 1_001, NodeState::Alive, &[])]);
    assert_eq!(bench.known("x"), (1_001, NodeState::Alive));
}

#[test]
fn peer_with_the_tombstone_receives_the_forget_update() {
    let mut bench = forgotten();
    let failed = || claim("x", 5, NodeState::Failed, &["a"]);
    assert_eq!(bench.gossip("b", vec![failed(), failed()]), "Gossip[forget x i5; forget x i5] -> b\n");
    let text = bench.message("b", sync(vec![status("x", 4, NodeState::Failed)]));
    assert!(text.contains("Gossip[forget x i5] -> b"), "{text}");
    assert!(!knows(&bench, "x") && page(&bench).iter().all(|node| node.id != id("x")));
    assert_eq!(bench.machine.stats().forgets_repeated, 3);
    assert_eq!(bench.gossip("stranger", vec![failed()]), "", "its address is not known");
}

#[test]
fn peer_that_claims_alive_receives_the_tombstone() {
    let mut bench = forgotten();
    assert_eq!(bench.gossip("b", vec![claim("x", 5, NodeState::Alive, &[])]), "");
    for claimed in [5, 4] {
        bench.message("b", sync(vec![status("x", claimed, NodeState::Alive)]));
        let about_x: Vec<_> = page(&bench).into_iter().filter(|node| node.id == id("x")).collect();
        assert_eq!(about_x.len(), 1);
        assert_eq!((about_x[0].incarnation.get(), about_x[0].state), (5, NodeState::Failed));
    }
    assert!(!knows(&bench, "x"));
}

#[test]
fn forgotten_member_returns_with_higher_incarnation() {
    let mut bench = forgotten();
    // The member learns of it when it probes this member, and when it joins.
    let text = bench.message("x", Message::Ping { digest: 0, gossip: Vec::new() });
    assert_eq!(text, "Ack?[forget x i5] -> reply 7\n");
    let me = Arc::new(status("x", 5, NodeState::Alive));
    bench.message("x", Message::Join { clock: Incarnation::new(10), me });
    let seen = Message::Welcome { clock: Incarnation::new(10), reception: Reception::Seen };
    assert!(
        bench
            .outputs
            .iter()
            .any(|output| matches!(output, Output::Reply { message, .. } if *message == seen))
    );
    assert!(!knows(&bench, "x"));
    bench.message("x", sync(vec![status("x", 5, NodeState::Alive)]));
    assert!(page(&bench).iter().any(|node| node.id == id("x") && node.state == NodeState::Failed));

    assert_eq!(bench.gossip("x", vec![claim("x", 6, NodeState::Alive, &[])]), "event joined x\n");
    assert_eq!(bench.machine.stats().forgotten_names, 0, "the registry outranks what was forgotten");
}

#[test]
fn forget_update_expires_after_a_day() {
    let mut bench = forgotten();
    bench.pass(DAY);
    bench.gossip("b", vec![claim("x", 5, NodeState::Failed, &["b"])]);
    assert!(knows(&bench, "x"));
}

#[test]
fn returning_member_receives_missed_forget_updates() {
    for config in [SwimConfig::lifeguard(), SwimConfig::verified()] {
        let mut bench = Bench::new(quiet(&config), &["a", "b", "c"]);
        bench.gossip("a", vec![forget_update("old", 1)]);
        bench.now += Duration::from_hours(1);
        bench.gossip("a", failure("b", 1, &["a", "c"]));
        bench.gossip("a", vec![forget_update("x", 5), forget_update("y", 5)]);
        let text = bench.gossip("a", vec![claim("b", 2, NodeState::Alive, &[])]);
        assert!(text.contains("Gossip[forget y i5; forget x i5] -> b\n"), "{text}");
    }
}

#[test]
fn page_holds_members_and_needed_corrections() {
    let mut bench = with_tombstone();
    bench.message("b", sync(vec![status("b", 1, NodeState::Alive)]));
    assert!(page(&bench).iter().all(|node| node.state.is_member()));
    bench.message("b", sync(vec![status("x", 5, NodeState::Alive), status("x", 6, NodeState::Alive)]));
    let first = page(&bench).remove(0);
    assert_eq!((first.id.clone(), first.state), (id("x"), NodeState::Failed));
}

#[test]
fn asker_corrects_the_page_that_it_receives() {
    let mut bench = with_tombstone();
    let addr = status("b", 1, NodeState::Alive).addr;
    bench.command(Command::Join { id: id("b"), addr });
    bench.reply(0, "b", Message::Welcome { clock: Incarnation::new(10), reception: Reception::Seen });
    let nodes = vec![Arc::new(status("x", 4, NodeState::Alive))];
    let text = bench.reply(1, "b", Message::Page { nodes, more: false });
    assert_eq!(text, "Sync(1 nodes, after None, want false) -> b #2\n");
    let Some(Output::Send { message: Message::Sync { nodes, .. }, .. }) = bench.outputs.first() else {
        panic!("a correction follows")
    };
    assert_eq!((nodes[0].id.clone(), nodes[0].state), (id("x"), NodeState::Failed));
    let text = bench.reply(2, "b", Message::Page { nodes: Vec::new(), more: false });
    assert!(text.contains("done Joined"), "{text}");
}

#[test]
fn page_adds_no_tombstone_of_unknown_name() {
    let mut bench = with_tombstone();
    let tombstones = vec![status("old", 3, NodeState::Failed), status("older", 2, NodeState::Left)];
    bench.message("b", sync(tombstones));
    assert!(!knows(&bench, "old") && !knows(&bench, "older"));
    bench.message("b", sync(vec![status("a", 1, NodeState::Left)]));
    assert_eq!(bench.known("a"), (1, NodeState::Left), "the tombstone of a known member counts");
}

#[test]
fn initial_tombstones_are_reaped_too() {
    let mut bench = Bench::new(quiet(&SwimConfig::lifeguard()), &["a"]);
    let registry = bench.machine.registry().duplicate();
    let _ = registry.apply(status("x", 5, NodeState::Failed));
    let me = NodeStatus::clone(&registry.get(&id("me")).unwrap());
    let rng = kinfolk_core::Rng::from_seed(1);
    let config = quiet(&SwimConfig::lifeguard());
    bench.machine = crate::machine::Machine::new(config, me, signer("me"), registry, rng, bench.now);
    assert!(bench.pass(DAY).contains("event reaped x"));
}

#[test]
fn unsent_forget_update_is_kept_at_the_bound() {
    let mut bench = Bench::new(quiet(&SwimConfig::lifeguard()), &["a", "b"]);
    let forget = |bench: &mut Bench, number: usize| {
        let name = format!("x{number}");
        let remembered = Some(Arc::new(status(&name, 1, NodeState::Failed)));
        end(bench, Command::Forget { id: id(&name), remembered })
    };
    assert!((0..Forgotten::NAMES_MAX).all(|number| forget(&mut bench, number).is_ok()));
    let busy = ForgetError::Busy { node: id("y"), waiting: Forgotten::NAMES_MAX };
    let remembered = Some(Arc::new(status("y", 1, NodeState::Failed)));
    let one_more = Command::Forget { id: id("y"), remembered };
    assert_eq!(end(&mut bench, one_more.clone()), Err(busy));
    while bench.machine.queue().has_fresh(1) {
        bench.machine.queue().take(0, 4_096, 2, 3);
    }
    // Each new forget update replaces the oldest one: first for a name that is only remembered,
    // then for a tombstone that is known here.
    assert!(end(&mut bench, one_more).is_ok());
    bench.gossip("a", vec![claim("z", 1, NodeState::Failed, &["a"])]);
    while bench.machine.queue().has_fresh(1) {
        bench.machine.queue().take(0, 4_096, 2, 3);
    }
    assert!(end(&mut bench, Command::Forget { id: id("z"), remembered: None }).is_ok());
    let queue = bench.machine.queue();
    assert!(queue.is_waiting(&id("y")) && queue.is_waiting(&id("z")));
    assert!(!queue.is_waiting(&id("x0")) && !queue.is_waiting(&id("x1")));
    let stats = bench.machine.stats();
    assert_eq!((stats.forgotten_names, stats.forgets_dropped), (Forgotten::NAMES_MAX, 2));
    assert_eq!(
        bench.machine.queue().len(),
        Forgotten::NAMES_MAX,
        "the forget update of a dropped name is dropped too"
    );
}

#[test]
fn corrections_without_large_tags_fit_into_a_page() {
    let mut bench = Bench::new(quiet(&SwimConfig::lifeguard()), &["b"]);
    let tagged = |number: usize, bytes: usize| {
        tagged(&format!("x{number}"), 5, NodeState::Failed, &[("k", &"v".repeat(bytes))])
    };
    for number in 0..1_000 {
        let node = tagged(number, if number == 0 { 9_000 } else { 400 });
        let _ = bench.machine.owners.members.apply(node);
    }
    let claims = (0..1_000).map(|number| status(&format!("x{number}"), 4, NodeState::Alive)).collect();
    bench.message("b", sync(claims));
    let told: Vec<_> = page(&bench).into_iter().filter(|node| node.state == NodeState::Failed).collect();
    assert!(!told[0].is_complete() && told[1].is_complete());
    let bytes = told.iter().map(codec::encoded_len).sum::<usize>();
    let one = codec::encoded_len(&told[1]);
    assert!((codec::PAGE_BYTES_MAX - 2 * one..=codec::PAGE_BYTES_MAX).contains(&bytes), "{bytes}");
}

/// The corrections of a peer's page: what the answer holds besides members.
fn corrections(bench: &mut Bench, claims: Vec<NodeStatus>) -> Vec<Arc<NodeStatus>> {
    let nodes = claims.into_iter().map(Arc::new).collect();
    bench.message("b", Message::Sync { nodes, after: None, want: false, only: Buckets::ALL });
    page(bench)
}

#[test]
fn only_an_outranked_claim_is_corrected() {
    let mut bench = with_tombstone();
    bench.gossip("a", vec![claim("a", 2, NodeState::Alive, &[])]);
    let about = |name, incarnation| vec![status(name, incarnation, NodeState::Alive)];
    assert_eq!(corrections(&mut bench, about("a", 1)), [], "a member needs no tombstone");
    assert_eq!(corrections(&mut bench, about("x", 5)).len(), 1);
    assert_eq!(corrections(&mut bench, about("x", 6)), [], "the claim is newer");
}

#[test]
fn correction_of_1024_bytes_keeps_its_description() {
    let tagged = |len: usize| tagged("y", 5, NodeState::Failed, &[("k", &"v".repeat(len))]);
    let largest = 900 + codec::INLINE_CLAIM_MAX - codec::encoded_len(&tagged(900));
    for (len, complete) in [(largest, true), (largest + 1, false)] {
        let mut bench = with_tombstone();
        let _ = bench.machine.owners.members.apply(tagged(len));
        let told = corrections(&mut bench, vec![status("y", 4, NodeState::Alive)]);
        assert_eq!(told[0].is_complete(), complete);
    }
}
