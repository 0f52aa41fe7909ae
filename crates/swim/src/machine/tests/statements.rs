//! What this member says leaves the machine with its signature. A machine takes in only verified
//! messages, so these tests look at what it sends. `arbitrary.rs` checks after arbitrary inputs
//! that everything verifies, also what is passed on.

use std::time::Duration;

use kinfolk_core::signed::{Proof, prove, verify_item};
use kinfolk_core::{Instant, NodeState, NodeStatus, Rng, SharedNodeRegistry, Tags};

use super::bench::{Bench, claim, describe, id, keys, quiet, signer, status};
use crate::interface::config::SwimConfig;
use crate::interface::input::{Command, Input};
use crate::interface::output::Output;
use crate::machine::Machine;
use crate::wire::buckets::Buckets;
use crate::wire::message::{Message, Reception, Update, UserMessage};

const SECOND: Duration = Duration::from_secs(1);

/// A run that keeps all outputs.
struct Run {
    bench: Bench,
    outputs: Vec<Output>,
}

/// What left the machine in signed items, each once, in order.
#[derive(Default)]
struct Told {
    statements: Vec<NodeStatus>,
    broadcasts: Vec<UserMessage>,
}

impl Run {
    fn of(bench: Bench) -> Self {
        Self { bench, outputs: Vec::new() }
    }

    fn new(config: &SwimConfig, others: &[&str]) -> Self {
        Self::of(Bench::new(config.clone(), others))
    }

    /// Does something with the bench that is one input.
    fn does(&mut self, input: impl FnOnce(&mut Bench) -> String) -> String {
        let text = input(&mut self.bench);
        self.outputs.append(&mut self.bench.outputs);
        text
    }

    fn pass(&mut self, time: Duration) {
        let end = self.bench.now + time;
        while self.bench.machine.next_timeout().is_some_and(|at| at <= end) {
            self.does(Bench::tick);
        }
        self.bench.now = end;
    }

    /// Verifies every signed item in the outputs, and the registry's entry of this member.
    fn told(&self) -> Told {
        let mut told = Told::default();
        for output in &self.outputs {
            let (Output::Send { message, .. } | Output::Reply { message, .. }) = output else { continue };
            let (nodes, users) = items(message);
            for node in nodes {
                told.add(node);
            }
            told.broadcasts.extend(users);
        }
        for status in &told.statements {
            assert_eq!(verify_item(&keys(), status), Ok(()), "{status:?}");
        }
        for message in &told.broadcasts {
            assert_eq!(verify_item(&keys(), message), Ok(()), "{message:?}");
        }
        let mine = self.bench.machine.registry().get(&id("me")).unwrap();
        assert_eq!(verify_item(&keys(), &*mine), Ok(()), "the entry of this member: {mine:?}");
        told
    }
}

impl Told {
    fn add(&mut self, status: NodeStatus) {
        if !self.statements.contains(&status) {
            self.statements.push(status);
        }
    }

    /// The incarnations and states that were told of a member.
    fn of(&self, name: &str) -> Vec<(u64, NodeState)> {
        let of_it = self.statements.iter().filter(|status| status.id.as_str() == name);
        of_it.map(|status| (status.incarnation.get(), status.state)).collect()
    }
}

fn items(message: &Message) -> (Vec<NodeStatus>, Vec<UserMessage>) {
    let (mut nodes, mut users) = (Vec::new(), Vec::new());
    match message {
        Message::Ping { gossip, .. }
        | Message::Ack { gossip, .. }
        | Message::PingReq { gossip, .. }
        | Message::Gossip { gossip } => {
            for update in gossip {
                match update {
                    Update::Node { status, .. } | Update::Forget { status, .. } => {
                        nodes.push(NodeStatus::clone(status));
                    }
                    Update::User(user) => users.push(user.clone()),
                    Update::Accusation(_) | Update::Revocation(_) => {}
                }
            }
        }
        Message::Sync { nodes: page, .. } | Message::Page { nodes: page, .. } => {
            nodes.extend(page.iter().map(|node| NodeStatus::clone(node)));
        }
        Message::Join { me, .. } => nodes.push(NodeStatus::clone(me)),
        _ => {}
    }
    (nodes, users)
}

/// A configuration of each mode. Gossip flows within a second.
fn modes() -> [SwimConfig; 3] {
    [SwimConfig::swim(), SwimConfig::lifeguard(), SwimConfig::verified()]
}

#[test]
fn first_statement_is_signed() {
    for config in modes() {
        let unsigned = NodeStatus { proof: Proof::default(), ..status("me", 10, NodeState::Alive) };
        assert!(verify_item(&keys(), &unsigned).is_err());
        let registry = SharedNodeRegistry::new();
        let _ = registry.apply(status("a", 1, NodeState::Alive));
        let (rng, now) = (Rng::from_seed(1), Instant::ORIGIN);
        let machine = Machine::new(config, unsigned, signer("me"), registry, rng, now);
        let mut run = Run::of(Bench { machine, now, outputs: Vec::new() });
        run.pass(2 * SECOND);
        assert_eq!(run.told().of("me"), [(10, NodeState::Alive)]);
    }
}

#[test]
fn refutation_is_signed() {
    for config in modes() {
        let mut run = Run::new(&config, &["a", "b"]);
        run.does(|bench| bench.gossip("a", vec![claim("me", 10, NodeState::Suspect, &["b"])]));
        run.pass(2 * SECOND);
        assert_eq!(run.told().of("me"), [(11, NodeState::Alive)]);
    }
}

#[test]
fn refutation_of_a_forget_update_is_signed() {
    let mut run = Run::new(&SwimConfig::lifeguard(), &["a"]);
    let status = status("me", 10, NodeState::Failed).without_description();
    let forget = Update::Forget { up_to: status.incarnation, status: status.into() };
    run.does(|bench| bench.gossip("a", vec![forget]));
    run.pass(2 * SECOND);
    assert_eq!(run.told().of("me"), [(11, NodeState::Alive)]);
}

#[test]
fn new_description_is_signed_whole_or_by_its_hash() {
    for (bytes, is_whole) in [(10, true), (2_000, false)] {
        let mut run = Run::new(&SwimConfig::verified(), &["a"]);
        let tags = Tags::new([("tag", "v".repeat(bytes))]).unwrap();
        run.does(|bench| bench.command(describe(tags.clone())));
        run.pass(2 * SECOND);
        let told = run.told();
        assert_eq!(told.of("me"), [(11, NodeState::Alive)]);
        assert_eq!(told.statements[0].is_complete(), is_whole);
        // A member that has only the hash asks for the rest.
        run.does(|bench| bench.message("a", Message::Describe { id: id("me") }));
        let told = run.told();
        let whole = told.statements.iter().rfind(|status| status.id == id("me")).unwrap();
        assert_eq!((whole.is_complete(), &whole.tags), (true, &tags));
        assert_eq!(whole.proof, told.statements[0].proof, "it is the same statement");
    }
}

#[test]
fn leave_is_a_new_signature_and_only_of_the_member() {
    for config in modes() {
        let mut run = Run::new(&config, &["a", "b"]);
        run.does(|bench| bench.command(Command::Leave));
        run.pass(SECOND);
        let told = run.told();
        assert_eq!(told.of("me"), [(10, NodeState::Left)]);
        let alive = told.statements[0].with_state(NodeState::Alive);
        assert!(verify_item(&keys(), &alive).is_err(), "the leave does not prove that it is alive");
        let left = status("me", 10, NodeState::Alive).with_state(NodeState::Left);
        assert!(verify_item(&keys(), &left).is_err(), "nor the other way round");
    }
}

#[test]
fn broadcast_is_signed_by_its_origin_only() {
    for config in modes() {
        let mut run = Run::new(&config, &["a", "b"]);
        for payload in ["one", "two"] {
            run.does(|bench| bench.command(Command::Broadcast(payload.into())));
        }
        run.pass(2 * SECOND);
        let mut sent: Vec<_> = run.told().broadcasts;
        sent.sort_by_key(|message| message.number);
        sent.dedup();
        assert_eq!(sent.iter().map(|message| message.number).collect::<Vec<_>>(), [0, 1]);
        // A member that passes it on sends the same proof.
        let mut other = Run::new(&config, &["me", "b"]);
        let foreign = UserMessage { origin: id("b"), ..sent[0].clone() };
        assert!(verify_item(&keys(), &foreign).is_err());
        let signed = UserMessage { proof: prove(&*signer("b"), &foreign), ..foreign };
        other.does(|bench| bench.gossip("a", vec![Update::User(signed.clone())]));
        other.pass(2 * SECOND);
        assert!(other.told().broadcasts.contains(&signed));
    }
}

#[test]
fn statement_after_a_clock_set_back_is_signed() {
    let ahead = 2 * (10 + 24 * 60 * 60 * 1_000);
    let mut run = Run::new(&SwimConfig::verified(), &["a", "b"]);
    let clock = |millis| Input::WallClock { since_epoch: Duration::from_millis(millis) };
    run.does(|bench| bench.input(clock(ahead)));
    run.does(|bench| bench.gossip("b", vec![claim("me", ahead, NodeState::Left, &[])]));
    run.pass(SECOND);
    run.does(|bench| bench.input(clock(2_000)));
    run.does(|bench| bench.command(Command::Broadcast("x".into())));
    run.pass(SECOND);
    let told = run.told();
    assert_eq!(told.of("me"), [(ahead + 1, NodeState::Alive), (2_000, NodeState::Alive)]);
    assert!(told.broadcasts.iter().all(|message| message.instance.get() == 2_000));
    assert!(!told.broadcasts.is_empty());
}

#[test]
fn statement_that_waited_for_its_reserve_is_signed() {
    let mut run = Run::new(&SwimConfig::lifeguard(), &["a"]);
    run.does(|bench| bench.input(Input::Reserved { up_to: status("me", 10, NodeState::Alive).incarnation }));
    run.does(|bench| bench.gossip("a", vec![claim("me", 10, NodeState::Suspect, &["a"])]));
    run.pass(SECOND);
    assert!(!run.told().of("me").contains(&(11, NodeState::Alive)));
    run.does(|bench| bench.input(Input::Reserved { up_to: status("me", 99, NodeState::Alive).incarnation }));
    run.pass(2 * SECOND);
    assert!(run.told().of("me").contains(&(11, NodeState::Alive)));
}

#[test]
fn join_and_pages_carry_signed_statements() {
    let mut run = Run::new(&quiet(&SwimConfig::lifeguard()), &["a"]);
    let addr = status("seed", 1, NodeState::Alive).addr;
    run.does(|bench| bench.command(Command::Join { id: id("seed"), addr }));
    let seen =
        Message::Welcome { clock: status("x", 10, NodeState::Alive).incarnation, reception: Reception::Seen };
    run.does(|bench| bench.reply(0, "seed", seen));
    run.does(|bench| {
        let sync = Message::Sync { nodes: Vec::new(), after: None, want: true, only: Buckets::ALL };
        bench.message("a", sync)
    });
    let sent: Vec<_> = run.outputs.iter().filter(|output| !matches!(output, Output::Event(_))).collect();
    assert!(sent.len() >= 3, "a join, a page, and an answer: {sent:?}");
    let told = run.told();
    assert_eq!((told.of("me"), told.of("a")), (vec![(10, NodeState::Alive)], vec![(1, NodeState::Alive)]));
}

/// A verdict needs no signature of its own: the statement that it is about keeps its proof.
#[test]
fn verdict_and_forget_update_keep_the_proof_of_the_member() {
    let mut run = Run::new(&SwimConfig::lifeguard(), &["a", "b", "c"]);
    run.does(|bench| bench.gossip("b", vec![claim("a", 1, NodeState::Suspect, &["b"])]));
    run.pass(120 * SECOND);
    assert_eq!(run.bench.known("a"), (1, NodeState::Failed));
    let text = run.does(|bench| bench.command(Command::Forget { id: id("a"), remembered: None }));
    assert!(text.contains("done Forgotten(Ok"), "{text}");
    run.pass(2 * SECOND);
    let told = run.told();
    assert!(
        told.of("a").contains(&(1, NodeState::Suspect)) && told.of("a").contains(&(1, NodeState::Failed))
    );
    let proof = status("a", 1, NodeState::Alive).proof;
    let of_a = told.statements.iter().filter(|status| status.id == id("a"));
    assert!(of_a.clone().all(|status| status.proof == proof));
    assert!(of_a.clone().any(|status| !status.is_complete()), "the forget update has no description");
}
