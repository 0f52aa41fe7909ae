//! A test bench for the machine: it takes inputs, prints outputs as short lines, and runs on a
//! clock that the test sets.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use kinfolk_core::signed::simulated::{SimulatedKeys, assume_verified};
use kinfolk_core::signed::{Accusation, Charge, Proof, Sign, prove};
use kinfolk_core::{
    About, ClusterEvent, ClusterId, Incarnation, Instant, NodeAddr, NodeId, NodeState, NodeStatus, Rng,
    SharedNodeRegistry, Tags,
};

use crate::detection::may_watch;
use crate::dissemination::GossipQueue;
use crate::interface::config::SwimConfig;
use crate::interface::input::{Command, CommandId, Input, NoReply, ReplyId, RequestId};
use crate::interface::output::Output;
use crate::machine::Machine;
use crate::repair::compare;
use crate::wire::message::{Message, Update};

/// A machine, its clock, and the outputs of its last input.
pub(super) struct Bench {
    pub machine: Machine,
    pub now: Instant,
    /// The outputs of the last input.
    pub outputs: Vec<Output>,
}

/// A configuration in which nothing happens by itself except probes.
pub(super) fn quiet(config: &SwimConfig) -> SwimConfig {
    let never = Duration::from_hours(10_000);
    SwimConfig {
        gossip_fanout: 0,
        gossip_interval: never,
        sync_interval: never,
        heal_interval: None,
        ..config.clone()
    }
}

/// The keys of the group.
pub(super) fn keys() -> SimulatedKeys {
    SimulatedKeys::new(ClusterId::new("test").unwrap(), 1)
}

/// The key of a member.
pub(super) fn signer(name: &str) -> Arc<dyn Sign> {
    Arc::new(keys().key_of(id(name)))
}

pub(super) fn id(name: &str) -> NodeId {
    NodeId::new(name).unwrap()
}

/// The statement that `name` is in `state` at `incarnation`, signed. Its port is the code of the
/// name's first letter.
pub(super) fn status(name: &str, incarnation: u64, state: NodeState) -> NodeStatus {
    described(name, incarnation, state, About::default())
}

/// A status with these tags.
pub(super) fn tagged(name: &str, incarnation: u64, state: NodeState, tags: &[(&str, &str)]) -> NodeStatus {
    described(name, incarnation, state, Tags::new(tags.iter().copied()).unwrap().into())
}

/// A status with this description.
pub(super) fn described(name: &str, incarnation: u64, state: NodeState, about: About) -> NodeStatus {
    let addr = NodeAddr::new(([127, 0, 0, 1], u16::from(name.as_bytes()[0])).into());
    let alive = NodeStatus::described(id(name), addr, Incarnation::new(incarnation), about);
    alive.with_state(state).signed(&*signer(name))
}

pub(super) fn claim(name: &str, incarnation: u64, state: NodeState, accusers: &[&str]) -> Update {
    let accusers = accusers.iter().map(|name| id(name)).collect();
    Update::Node { status: status(name, incarnation, state).into(), accusers }
}

/// The accusation of this statement of `subject`, signed.
pub(super) fn accusation(subject: &str, incarnation: u64, accuser: &str, charge: Charge) -> Accusation {
    let (subject, incarnation) = (id(subject), Incarnation::new(incarnation));
    let accuser_incarnation = Incarnation::new(1);
    let (signer, accuser, proof) = (signer(accuser), id(accuser), Proof::default());
    let unsigned = Accusation { subject, incarnation, accuser, accuser_incarnation, charge, proof };
    Accusation { proof: prove(&*signer, &unsigned), ..unsigned }
}

/// The update in which `accuser` suspects `subject`: not grave enough for a failure.
pub(super) fn suspicion(subject: &str, incarnation: u64, accuser: &str) -> Update {
    Update::Accusation(accusation(subject, incarnation, accuser, Charge::Silent { for_ms: 1_000 }))
}

/// The updates that prove a failure of `subject` in `Mode::Verified`, if these accusers are a
/// quorum and may watch it.
pub(super) fn proof(subject: &str, incarnation: u64, accusers: &[&str]) -> Vec<Update> {
    let grave = |accuser: &&str| accusation(subject, incarnation, accuser, Charge::PortClosed);
    accusers.iter().map(grave).map(Update::Accusation).collect()
}

/// The updates that make a member of either mode believe a failure: the claim, and the proof.
pub(super) fn failure(subject: &str, incarnation: u64, accusers: &[&str]) -> Vec<Update> {
    let claim = claim(subject, incarnation, NodeState::Failed, accusers);
    proof(subject, incarnation, accusers).into_iter().chain([claim]).collect()
}

/// The command that sets these tags.
pub(super) fn describe(tags: Tags) -> Command {
    Command::Describe { about: tags.into(), revision: 0 }
}

impl Machine {
    /// The updates that wait to be sent.
    pub(super) fn queue(&mut self) -> &mut GossipQueue {
        self.owners.dissemination.queue()
    }

    /// Starts an anti-entropy round with a member now.
    pub(super) fn compare_with(&mut self, id: &NodeId) {
        compare::begin_with(&mut self.cx, id);
        self.owners.settle(&mut self.cx);
    }
}

impl Bench {
    /// The member `me`, at incarnation 10, that knows `others`, alive at incarnation 1.
    pub(super) fn new(config: SwimConfig, others: &[&str]) -> Self {
        let registry = SharedNodeRegistry::new();
        for other in others {
            let _ = registry.apply(status(other, 1, NodeState::Alive));
        }
        let me = status("me", 10, NodeState::Alive);
        let (signer, rng) = (signer("me"), Rng::from_seed(1));
        let mut machine = Machine::new(config, me, signer, registry, rng, Instant::ORIGIN);
        // These tests do not look at this member's first statement.
        while !machine.queue().is_empty() {
            machine.queue().take(0, 4_096, 1, 1);
        }
        Self { machine, now: Instant::ORIGIN, outputs: Vec::new() }
    }

    pub(super) fn input(&mut self, input: Input) -> String {
        self.machine.handle(self.now, input);
        self.outputs = std::iter::from_fn(|| self.machine.poll_output()).collect();
        self.outputs.iter().fold(String::new(), |mut text, output| {
            writeln!(text, "{}", line(output)).unwrap();
            text
        })
    }

    /// Advances the clock to the next timer. Returns its outputs.
    pub(super) fn tick(&mut self) -> String {
        self.now = self.machine.next_timeout().unwrap();
        self.input(Input::Timeout)
    }

    /// Lets `time` pass, and runs every timer in it. Returns the outputs.
    pub(super) fn pass(&mut self, time: Duration) -> String {
        let (end, mut text) = (self.now + time, String::new());
        while self.machine.next_timeout().is_some_and(|at| at <= end) {
            text += &self.tick();
        }
        self.now = end;
        text
    }

    pub(super) fn gossip(&mut self, from: &str, gossip: Vec<Update>) -> String {
        let message = assume_verified(Message::Gossip { gossip });
        self.input(Input::Message { from: id(from), message, reply_to: None })
    }

    pub(super) fn message(&mut self, from: &str, message: Message) -> String {
        let message = assume_verified(message);
        self.input(Input::Message { from: id(from), message, reply_to: Some(ReplyId(7)) })
    }

    pub(super) fn reply(&mut self, request: u64, from: &str, message: Message) -> String {
        let message = assume_verified(message);
        self.input(Input::Reply { request: RequestId(request), from: id(from), message })
    }

    pub(super) fn ack(&mut self, request: u64, from: &str) -> String {
        self.reply(request, from, Message::ack(Vec::new()))
    }

    pub(super) fn no_reply(&mut self, request: u64, why: NoReply) -> String {
        self.input(Input::NoReply { request: RequestId(request), why })
    }

    pub(super) fn command(&mut self, command: Command) -> String {
        self.input(Input::Command { id: CommandId(1), command })
    }

    /// The members that may watch `subject`, by this member's view.
    pub(super) fn entitled(&self, subject: &str) -> Vec<NodeId> {
        let Machine { cx, .. } = &self.machine;
        let may_watch =
            |other: &&NodeId| **other != id(subject) && may_watch(cx, other, &id(subject), &BTreeSet::new());
        cx.roster.ids().iter().filter(may_watch).cloned().collect()
    }

    pub(super) fn known(&self, name: &str) -> (u64, NodeState) {
        let node = self.machine.registry().get(&id(name)).unwrap();
        (node.incarnation.get(), node.state)
    }
}

fn line(output: &Output) -> String {
    match output {
        Output::Send { to, message, request: Some(request), .. } => {
            format!("{} -> {to} #{}", short(message), request.0)
        }
        Output::Send { to, message, request: None, .. } => format!("{} -> {to}", short(message)),
        Output::Reply { to, message } => format!("{} -> reply {}", short(message), to.0),
        Output::Decline { to } => format!("decline {}", to.0),
        Output::CheckPort { node, .. } => format!("check the port of {node}"),
        Output::Watch { subjects } => format!("watch {subjects:?}"),
        Output::Reserve { at_least } => format!("reserve {at_least:?}"),
        Output::RefusedClaim(claim) => format!("refused {} of {}", claim.about, claim.from),
        Output::RefusedJoin(join) => format!("refused the join of {}", join.from),
        Output::Forgotten { id, incarnation } => format!("forgotten {id} up to {incarnation:?}"),
        Output::Revoked(revocation) => format!("revoked {}", revocation.node),
        Output::Event(event) => format!("event {}", short_event(event)),
        Output::Done { outcome, .. } => format!("done {outcome:?}"),
    }
}

fn short(message: &Message) -> String {
    match message {
        Message::Ping { gossip, .. } => format!("Ping{}", updates(gossip)),
        Message::Ack { stranger, gossip, .. } => {
            format!("Ack{}{}", if *stranger { "?" } else { "" }, updates(gossip))
        }
        Message::PingReq { target, within_ms, nack, gossip, .. } => {
            format!("PingReq({target}, {within_ms} ms, nack {nack}){}", updates(gossip))
        }
        Message::Nack { closed, .. } => {
            if *closed {
                "Nack(port closed)".into()
            } else {
                "Nack".into()
            }
        }
        Message::Gossip { gossip } => format!("Gossip{}", updates(gossip)),
        Message::Sync { nodes, after, want, .. } => {
            format!("Sync({} nodes, after {after:?}, want {want})", nodes.len())
        }
        Message::Join { .. } => "Join".into(),
        Message::Welcome { reception, .. } => format!("Welcome({reception:?})"),
        Message::Compare { .. } => "Compare".into(),
        Message::Differ { buckets } => format!("Differ({})", *buckets != crate::wire::buckets::Buckets::NONE),
        Message::Describe { id } => format!("Describe({id})"),
        Message::Page { nodes, more } => format!("Page({} nodes, more {more})", nodes.len()),
    }
}

fn updates(gossip: &[Update]) -> String {
    let text = |update: &Update| match update {
        Update::Node { status, accusers } if accusers.is_empty() => {
            format!("{} {:?} {}", status.id, status.incarnation, status.state)
        }
        Update::Node { status, accusers } => {
            format!("{} {:?} {} by {accusers:?}", status.id, status.incarnation, status.state)
        }
        Update::Revocation(revocation) => format!("revoke {}", revocation.node),
        Update::User(user) => format!("user {} {}", user.origin, user.number),
        Update::Accusation(accusation) => {
            let Accusation { subject, incarnation, accuser, charge, .. } = accusation;
            format!("{accuser} accuses {subject} {incarnation:?}: {charge:?}")
        }
        Update::Forget { status, up_to } => format!("forget {} {up_to:?}", status.id),
    };
    format!("[{}]", gossip.iter().map(text).collect::<Vec<_>>().join("; "))
}

fn short_event(event: &ClusterEvent) -> String {
    match event {
        ClusterEvent::NodeSuspected { node, cause } => format!("suspected {}: {cause}", node.id),
        ClusterEvent::NodeFailed { node, cause } => format!("failed {}: {cause}", node.id),
        ClusterEvent::NodeJoined { node } => format!("joined {}", node.id),
        ClusterEvent::NodeUpdated { node } => format!("updated {} {:?}", node.id, node.tags),
        ClusterEvent::NodeRecovered { node } => format!("recovered {}", node.id),
        ClusterEvent::NodeLeft { node } => format!("left {}", node.id),
        ClusterEvent::NodeReaped { id } => format!("reaped {id}"),
        ClusterEvent::NameConflict { id, addr, count } => format!("conflict of {id} with {addr}, {count}"),
        other => format!("{other:?}"),
    }
}
