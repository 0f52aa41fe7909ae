//! Arbitrary inputs in arbitrary order: the machine never panics, stays within its bounds, and
//! incarnations only grow.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use kinfolk_core::signed::simulated::assume_verified;
use kinfolk_core::signed::{Accusation, Charge, Claims as _, Proof, prove, verify_item};
use kinfolk_core::{Cause, Incarnation, NodeId, NodeState, NodeStatus, Reason, Tags};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::bench::{Bench, accusation, id, keys, signer, status, tagged};
use crate::detection::peek;
use crate::dissemination::GossipQueue;
use crate::interface::config::{Mode, SwimConfig};
use crate::interface::input::{CheckId, Command, CommandId, Input, NoReply, ReplyId, RequestId};
use crate::interface::output::Output;
use crate::purpose::{DESCRIBES_MAX, INTRODUCTIONS_MAX, JOINS_MAX, LEAVE_RECEIVERS_MAX, RELAYS_MAX};
use crate::wire::buckets::Buckets;
use crate::wire::codec::BUCKETS;
use crate::wire::message::Reception;
use crate::wire::message::{Message, Update, UserMessage};

/// The number of kinds of inputs, and of messages.
const INPUTS: usize = 12;
const MESSAGES: usize = 12;

const NAMES: [&str; 8] = ["me", "a", "b", "c", "d", "e", "f", "g"];

fn any_name() -> impl Strategy<Value = NodeId> {
    (0..NAMES.len()).prop_map(|at| id(NAMES[at]))
}

const RECEPTIONS: [Reception; 5] =
    [Reception::Seen, Reception::ClocksDiffer, Reception::FarAhead, Reception::Full, Reception::Leaving];

const CHARGES: [Charge; 4] =
    [Charge::Silent { for_ms: 9 }, Charge::Silent { for_ms: 9_000 }, Charge::PortClosed, Charge::Lossy];

fn any_incarnation() -> impl Strategy<Value = Incarnation> {
    prop_oneof![0..40_u64, Just(u64::MAX), Just(90_000_000)].prop_map(Incarnation::new)
}

/// A status that its member has signed.
fn any_status() -> impl Strategy<Value = NodeStatus> {
    let incarnation = prop_oneof![1..20_u64, Just(u64::MAX), Just(90_000_000)];
    (any_name(), incarnation, 0..4_usize, 0..3_usize).prop_map(|(name, incarnation, state, form)| {
        let state = NodeState::ALL[state];
        let node = status(name.as_str(), incarnation, state);
        match form {
            0 => node.without_description(),
            1 => node,
            _ => tagged(name.as_str(), incarnation, state, &[("k", &"v".repeat(2_000))]),
        }
    })
}

fn any_update() -> impl Strategy<Value = Update> {
    let node = (any_status(), prop::collection::vec(any_name(), 0..4))
        .prop_map(|(node, accusers)| Update::Node { status: Arc::new(node), accusers });
    let user = (any_name(), prop_oneof![0..4_u64, Just(u64::MAX)], 0..300_u64).prop_map(
        |(origin, instance, number)| {
            let (signer, proof) = (signer(origin.as_str()), Proof::default());
            let (instance, payload) = (Incarnation::new(instance), "x".into());
            let unsigned = UserMessage { origin, instance, number, payload, proof };
            Update::User(UserMessage { proof: prove(&*signer, &unsigned), ..unsigned })
        },
    );
    let forget =
        (any_name(), prop_oneof![1..20_u64, Just(u64::MAX), Just(90_000_000)], 0..3_u64, any::<bool>())
            .prop_map(|(id, incarnation, beyond, left)| {
                let state = if left { NodeState::Left } else { NodeState::Failed };
                let status =
                    status(id.as_str(), incarnation.saturating_add(beyond), state).without_description();
                Update::Forget { status: Arc::new(status), up_to: Incarnation::new(incarnation) }
            });
    let accusation = any_accusation().prop_map(Update::Accusation);
    prop_oneof![4 => node, 1 => user, 1 => forget, 4 => accusation]
}

/// An accusation that its accuser has signed.
fn any_accusation() -> impl Strategy<Value = Accusation> {
    let pair = (any_name(), any_name()).prop_filter("nobody accuses itself", |(one, other)| one != other);
    (pair, any_incarnation(), prop::sample::select(&CHARGES[..])).prop_map(
        |((subject, accuser), incarnation, charge)| {
            let incarnation = incarnation.get();
            accusation(subject.as_str(), incarnation, accuser.as_str(), charge)
        },
    )
}

fn any_message() -> impl Strategy<Value = Message> {
    let gossip = || prop::collection::vec(any_update(), 0..6);
    let nodes = || prop::collection::vec(any_status().prop_map(Arc::new), 0..6);
    prop_oneof![
        gossip().prop_map(|gossip| Message::Ping { digest: 0, gossip }),
        (any::<bool>(), any::<bool>(), any::<i16>(), any::<u16>(), gossip()).prop_map(
            |(stranger, differs, shift_ms, late_ms, gossip)| Message::Ack {
                stranger,
                differs,
                shift_ms,
                late_ms,
                gossip
            }
        ),
        gossip().prop_map(|gossip| Message::Gossip { gossip }),
        (any_name(), any::<u32>(), any::<bool>(), gossip()).prop_map(|(target, within_ms, nack, gossip)| {
            Message::PingReq { target, within_ms, nack, check_port: nack, gossip }
        }),
        (any::<[bool; 2]>(), prop::option::of(any_accusation()))
            .prop_map(|([closed, lossy], accusation)| Message::Nack { closed, lossy, accusation }),
        any_name().prop_map(|id| Message::Describe { id }),
        any::<u32>().prop_map(|digest| Message::Compare { buckets: vec![digest; BUCKETS] }),
        any::<bool>()
            .prop_map(|all| Message::Differ { buckets: if all { Buckets::ALL } else { Buckets::NONE } }),
        (any_incarnation(), any_status()).prop_map(|(clock, me)| Message::Join { clock, me: Arc::new(me) }),
        (any_incarnation(), 0..RECEPTIONS.len())
            .prop_map(|(clock, at)| Message::Welcome { clock, reception: RECEPTIONS[at] }),
        (nodes(), prop::option::of(any_name()), any::<bool>()).prop_map(|(nodes, after, want)| {
            Message::Sync { nodes, after, want, only: crate::wire::buckets::Buckets::ALL }
        }),
        (nodes(), any::<bool>()).prop_map(|(nodes, more)| Message::Page { nodes, more }),
    ]
}

fn any_command() -> impl Strategy<Value = Command> {
    prop_oneof![
        4 => any_name().prop_map(|id| Command::Join { addr: status("x", 1, NodeState::Alive).addr, id }),
        1 => Just(Command::Leave),
        4 => ("[a-z]{0,9}", 0..3_u64).prop_map(|(tag, revision)| Command::Describe {
            about: Tags::new([("tag", tag)]).unwrap().into(),
            revision,
        }),
        2 => any_name().prop_map(Command::Compare),
        4 => (0..2_000_usize).prop_map(|len| Command::Broadcast(vec![0; len].into())),
        4 => (any_name(), prop::option::of(any_status())).prop_map(|(id, remembered)| {
            let of_that_name = |status| NodeStatus { id: id.clone(), ..status }.signed(&*signer(id.as_str()));
            let remembered = remembered.map(|status| Arc::new(of_that_name(status)));
            Command::Forget { id, remembered }
        }),
    ]
}

/// A step of a run.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Input(Input),
    /// The health checker finds another member silent. Its verdict is about the registry as it is
    /// at this step.
    Health(NodeId),
}

/// A step after some milliseconds. Requests are named relative to the newest one.
pub(super) fn any_step() -> impl Strategy<Value = (u64, Step)> {
    let request = || (0..8_u64).prop_map(RequestId);
    let why =
        prop_oneof![Just(NoReply::Silent), Just(NoReply::Late), Just(NoReply::Refused), Just(NoReply::Local)];
    let input = prop_oneof![
        6 => (any_name(), any_message(), any::<bool>()).prop_map(|(from, message, answer)| Input::Message {
            from, message: assume_verified(message), reply_to: answer.then_some(ReplyId(1)),
        }),
        6 => (request(), any_name(), any_message()).prop_map(|(request, from, message)| {
            Input::Reply { request, from, message: assume_verified(message) }
        }),
        2 => (request(), why).prop_map(|(request, why)| Input::NoReply { request, why }),
        6 => Just(Input::Timeout),
        1 => (0..2_000_u64).prop_map(|ms| Input::Late { by: Duration::from_millis(ms) }),
        1 => Just(Input::BackPressure),
        2 => Just(Input::BackPressureEnded),
        1 => (0..200_000_000_u64)
            .prop_map(|ms| Input::WallClock { since_epoch: Duration::from_millis(ms) }),
        1 => (1..60_u64).prop_map(|up_to| Input::Reserved { up_to: Incarnation::new(up_to) }),
        1 => (0..8_u64, any::<bool>())
            .prop_map(|(check, closed)| Input::PortChecked { check: CheckId(check), closed }),
        1 => any_command().prop_map(|command| Input::Command { id: CommandId(1), command }),
    ];
    let step = prop_oneof![19 => input.prop_map(Step::Input), 1 => any_name().prop_map(Step::Health)];
    (0..3_000_u64, step)
}

/// Checks the invariants after a step. An incarnation may go back only if it lies too far ahead of
/// a clock that was set back.
fn check(bench: &Bench, highest: &mut HashMap<NodeId, (Incarnation, NodeState)>) {
    let (machine, owners) = (&bench.machine, &bench.machine.owners);
    let known = machine.registry().len();
    let clock = machine.owners.admission.clock(&machine.cx);
    let forgotten = machine.stats().forgotten_names;
    assert!(machine.stats().queued <= known + GossipQueue::BROADCASTS_MAX + forgotten);
    assert!(forgotten < NAMES.len(), "a name is remembered once, and this member's own never");
    let asked = DESCRIBES_MAX + JOINS_MAX + 1 + LEAVE_RECEIVERS_MAX + INTRODUCTIONS_MAX;
    assert!(machine.owners.requests.len() <= 4 + RELAYS_MAX + asked);
    assert!(peek::suspected(&owners.detection) + owners.members.tombstones() <= known);
    assert!(
        machine.cx.timers.len() <= 3 + 2 * 16 + RELAYS_MAX + 2 * known,
        "{} timers",
        machine.cx.timers.len()
    );
    assert!(bench.outputs.len() <= 4 * NAMES.len() + LEAVE_RECEIVERS_MAX + 16);
    // A member that was removed while it lay too far ahead starts from scratch.
    highest.retain(|id, (reached, _)| reached.is_plausible(clock) || machine.registry().get(id).is_some());
    for node in machine.registry().snapshot().nodes() {
        let verdict = (node.incarnation, node.state);
        let before = highest.insert(node.id.clone(), verdict);
        let stands = before.filter(|before| before.0.is_plausible(clock));
        assert!(stands <= Some(verdict), "{} went from {before:?} to {verdict:?}", node.id);
        assert!(node.is_well_formed());
        assert!(node.incarnation.get() < u64::MAX, "{} lies too far ahead of any clock", node.id);
        let suspected = peek::is_suspected(&owners.detection, &node.id);
        assert_eq!(suspected, node.state == NodeState::Suspect, "{} and its clock", node.id);
    }
    for output in &bench.outputs {
        if let Output::Send { message, .. } | Output::Reply { message, .. } = output {
            crate::wire::codec::encode(message).expect("what the machine sends keeps the codec's bounds");
            for item in message.items() {
                verify_item(&keys(), item).expect("what is passed on verifies, if what came in did");
            }
        }
    }
}

/// The configuration of a mode.
fn config(mode: Mode) -> SwimConfig {
    match mode {
        Mode::Swim => SwimConfig::swim(),
        Mode::Lifeguard => SwimConfig::lifeguard(),
        Mode::Verified => SwimConfig::verified(),
    }
}

fn any_mode() -> impl Strategy<Value = Mode> {
    prop_oneof![Just(Mode::Swim), Just(Mode::Lifeguard), Just(Mode::Verified)]
}

/// A machine, and the number of its newest request.
struct Run {
    bench: Bench,
    /// The newest request.
    made: u64,
}

impl Run {
    fn new(mode: Mode) -> Self {
        Self { bench: Bench::new(config(mode), &["a", "b", "c"]), made: 0 }
    }

    /// Takes a step. Returns the input that the step became.
    fn take(&mut self, (millis, step): (u64, Step)) -> Input {
        self.bench.now += Duration::from_millis(millis);
        let newest = |request: RequestId| RequestId(self.made.saturating_sub(request.0));
        let input = match step {
            Step::Input(Input::Reply { request, from, message }) => {
                Input::Reply { request: newest(request), from, message }
            }
            Step::Input(Input::NoReply { request, why }) => Input::NoReply { request: newest(request), why },
            Step::Input(input) => input,
            Step::Health(id) => {
                let registry = self.bench.machine.registry();
                let known =
                    registry.get(&id).filter(|node| node.state.is_member() && node.id.as_str() != "me");
                let claim = known.map(|node| Arc::new(node.with_state(NodeState::Suspect)));
                let reason = Reason::Phi { phi: 9.0, silence: Duration::from_secs(9) };
                Input::Health { id, claim, cause: Cause::by(super::bench::id("me"), reason) }
            }
        };
        self.bench.input(input.clone());
        for output in &self.bench.outputs {
            if let Output::Send { request: Some(request), .. } = output {
                self.made = request.0;
            }
        }
        input
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn no_input_breaks_the_machine(
        steps in prop::collection::vec(any_step(), 1..120),
        mode in any_mode(),
    ) {
        let mut run = Run::new(mode);
        let mut highest = HashMap::new();
        for step in steps {
            run.take(step);
            check(&run.bench, &mut highest);
        }
    }

    #[test]
    fn equal_inputs_give_equal_outputs(
        steps in prop::collection::vec(any_step(), 1..60),
        mode in any_mode(),
    ) {
        let outputs = || {
            let mut run = Run::new(mode);
            let mut outputs = Vec::new();
            for step in steps.clone() {
                run.take(step);
                outputs.append(&mut run.bench.outputs);
            }
            outputs
        };
        prop_assert_eq!(outputs(), outputs());
    }
}

/// The name of a value's variant.
fn variant(value: &impl std::fmt::Debug) -> String {
    let text = format!("{value:?}");
    text.split([' ', '(', '{']).next().unwrap_or_default().to_owned()
}

#[test]
fn every_message_and_input_occurs_in_every_mode() {
    let mut runner = TestRunner::deterministic();
    for mode in [Mode::Swim, Mode::Lifeguard, Mode::Verified] {
        let (mut inputs, mut asked, mut answered) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for _ in 0..60 {
            let mut run = Run::new(mode);
            let steps = prop::collection::vec(any_step(), 60).new_tree(&mut runner).unwrap().current();
            for step in steps {
                let input = run.take(step);
                inputs.insert(variant(&input));
                match &input {
                    Input::Message { message, .. } => asked.insert(variant(&**message)),
                    Input::Reply { message, .. } => answered.insert(variant(&**message)),
                    _ => false,
                };
            }
        }
        assert_eq!(inputs.len(), INPUTS, "{mode:?}: {inputs:?}");
        assert_eq!((asked.len(), answered.len()), (MESSAGES, MESSAGES), "{mode:?}: {asked:?} {answered:?}");
    }
}

#[test]
fn health_verdict_about_any_member_is_handled() {
    for (name, state) in [("a", NodeState::Alive), ("me", NodeState::Alive), ("x", NodeState::Failed)] {
        let mut bench = Bench::new(SwimConfig::lifeguard(), &["a"]);
        let claim = Some(Arc::new(status(name, 30, state)));
        let cause = Cause::by(id("me"), Reason::Phi { phi: 9.0, silence: Duration::from_secs(9) });
        bench.input(Input::Health { id: id(name), claim, cause });
    }
}
