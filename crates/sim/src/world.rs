//! The world: virtual time, one ordered queue of events, and the nodes. This file dispatches.
//! `world/setup.rs` builds a world, `world/traffic.rs` carries messages, and `world/ports.rs`
//! checks ports. `world/verify.rs` verifies what arrives, and `world/hostile.rs` sends what no
//! correct member sends. `world/steps.rs` performs the script's steps, `world/faults.rs` the
//! faults, and `world/watch.rs` shows changes to the observers.

mod faults;
mod hostile;
mod load;
mod peers;
mod ports;
mod setup;
mod steps;
mod traffic;
mod verify;
mod watch;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kinfolk_core::signed::simulated::SimulatedKeys;
use kinfolk_core::{Instant, NodeId, SharedNodeRegistry};
use kinfolk_swim::{
    CheckId, CommandId, Delivery, Input, Machine, Message, NoReply, Output, ReplyId, RequestId, SwimConfig,
};

use crate::checks::{Checks, Violation};
use crate::faults::{Fault, Step};
use crate::figures::Figures;
use crate::load::Load;
use crate::network::Network;
use crate::node::{Node, NodeIndex, Process, Purpose};
use crate::observed::{Ending, Observed};
use crate::queue::Queue;
use crate::seed::Streams;
use crate::seen::Seen;
use crate::tickets::{Ticket, Tickets};
use crate::trace::Trace;
use crate::traffic::Traffic;
use crate::truth::Truth;

use self::hostile::{Hostile, Spies};
pub(crate) use self::setup::keys;
pub(crate) use self::traffic::Outgoing;

/// The interval of a node's health checker.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Many nodes in virtual time.
#[derive(Debug)]
pub struct World {
    now: Instant,
    queue: Queue<SimEvent>,
    config: Arc<SwimConfig>,
    /// Whether members also watch each other with phi accrual.
    phi: bool,
    /// Whether a node that restarts knows its last incarnation.
    remembers: bool,
    script: Vec<(Instant, Step)>,
    streams: Streams,
    /// The keys with which members sign, and by which they verify.
    keys: SimulatedKeys,
    network: Network,
    nodes: Vec<Node>,
    /// When each node's machine is woken next. Other wake-ups in the queue are obsolete.
    wakes: Vec<Option<Instant>>,
    /// The deadlines of all requests.
    tickets: Tickets,
    truth: Truth,
    trace: Trace,
    checks: Checks,
    figures: Figures,
    detail: Detail,
    /// The events that members reported; only in a light world.
    seen: Vec<Seen>,
    /// The costs of work, if the world has them.
    load: Option<Box<Load>>,
    /// The peers of each node, if the world counts them.
    peers: Option<Vec<BTreeSet<NodeIndex>>>,
    /// The node that changes its messages before it sends them, if there is one.
    hostile: Option<Hostile>,
    /// The hostile nodes that keep what they hear.
    spies: Spies,
}

/// How much the world observes, which decides its speed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Detail {
    /// Every view after every input, and every message through the codec.
    Full,
    /// The events of members, and the number of bytes that they send.
    Light,
}

/// An event that the world will process.
#[derive(Debug)]
enum SimEvent {
    /// The next step of the script.
    Step(usize),
    /// A node's machine has a timer that is due.
    Wake(NodeIndex),
    /// Something arrives at a node.
    Arrives(NodeIndex, Arrival),
    /// A blocked node cannot send a message, so its outbox is full.
    OutboxFull(NodeIndex),
    /// A port check arrives at a host.
    PortCheck(ports::PortCheck),
    /// A step of a handshake.
    Handshake(load::Handshake),
    /// A node's CPU is free for what arrived.
    Served(NodeIndex, Arrival),
    /// A second of virtual time passed.
    Second,
}

/// What can arrive at a node. It waits while the node is paused, and is dropped if its instance has
/// ended.
#[derive(Debug, Clone)]
pub(crate) enum Arrival {
    Message {
        from: NodeIndex,
        body: Box<Body>,
        reply_to: Option<ReplyId>,
    },
    Reply {
        instance: u32,
        request: RequestId,
        from: NodeIndex,
        /// `None` if the request was declined.
        body: Option<Box<Body>>,
    },
    Deadline {
        instance: u32,
        request: RequestId,
        ticket: Ticket,
    },
    /// A port check ended.
    PortChecked {
        instance: u32,
        check: CheckId,
        closed: bool,
    },
    /// The node's health checker runs.
    Check {
        instance: u32,
    },
    /// The node tries again to join.
    JoinAgain {
        instance: u32,
        via: NodeIndex,
        attempt: u32,
    },
    /// The node has left, and its process ends.
    Stop {
        instance: u32,
    },
}

/// The content of a message: encoded in full detail, or plain in a light world. It is in a box,
/// because nearly all scheduled events are deadlines, which are small.
#[derive(Debug, Clone)]
pub(crate) enum Body {
    Encoded(Bytes),
    Plain {
        message: Message,
        /// The length that its encoding would have.
        len: usize,
    },
}

impl World {
    /// Processes all events until `end`, and stops early at the first violation.
    pub fn run_until(&mut self, end: Instant) {
        while self.checks.broken().is_none()
            && let Some((at, event)) = self.queue.pop_until(end)
        {
            self.now = at;
            match event {
                SimEvent::Step(step) => self.take_step(step),
                SimEvent::Wake(node) => self.wake(node),
                // A cancelled deadline ends here, without an access to its node.
                SimEvent::Arrives(_, Arrival::Deadline { ticket, .. }) if !self.tickets.expire(ticket) => {}
                SimEvent::Arrives(node, arrival) => self.serve(node, arrival),
                SimEvent::Served(node, arrival) => self.arrives(node, arrival),
                SimEvent::Handshake(handshake) => self.handshake_step(handshake),
                SimEvent::OutboxFull(node) => self.outbox_fills(node),
                SimEvent::PortCheck(check) => self.port_check_arrives(check),
                SimEvent::Second => self.second(),
            }
        }
        self.now = self.now.max(end);
    }

    /// Passes the end of the run to every invariant.
    pub fn finish(&mut self) {
        let views = self.nodes.iter().enumerate().filter_map(|(place, node)| {
            node.process.as_ref().map(|process| (NodeIndex(place), process.machine.registry().snapshot()))
        });
        let ending = Ending { now: self.now, truth: &self.truth, views: views.collect() };
        self.checks.finish(&ending);
    }

    /// Checks that the members refused no message. Correct members pass on only what verifies.
    pub fn expect_nothing_refused(&mut self) {
        let refused = self.traffic_of_all().messages_refused;
        if refused > 0 {
            let how = format!("members refused {refused} messages");
            self.checks.violate("every message of a correct member verifies", self.now, how);
        }
    }

    /// The current virtual time.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// The view of a node; `None` if it does not run.
    pub fn registry(&self, node: NodeIndex) -> Option<&SharedNodeRegistry> {
        self.nodes[node.0].process.as_ref().map(|process| &process.registry)
    }

    /// The machine of a node; `None` if it does not run.
    pub fn machine(&self, node: NodeIndex) -> Option<&Machine> {
        self.nodes[node.0].process.as_ref().map(|process| &process.machine)
    }

    /// The subjects that a running node watches, ordered by name.
    pub fn subjects(&self, node: NodeIndex) -> &[NodeId] {
        self.nodes[node.0].process.as_ref().map_or(&[], |process| &process.subjects)
    }

    /// The true state of all nodes.
    pub fn truth(&self) -> &Truth {
        &self.truth
    }

    /// The first violation, if there is one.
    pub fn broken(&self) -> Option<&Violation> {
        self.checks.broken()
    }

    /// The figures. They are empty in a light world, which has [`seen`](Self::seen) and
    /// [`traffic`](Self::traffic) instead.
    pub fn figures(&self) -> &Figures {
        &self.figures
    }

    /// The trace so far.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// What a node has sent and received in all its instances.
    pub fn traffic(&self, node: NodeIndex) -> Traffic {
        self.nodes[node.0].traffic
    }

    /// What all nodes have sent and received.
    pub fn traffic_of_all(&self) -> Traffic {
        self.nodes.iter().map(|node| node.traffic).sum()
    }

    /// The events that members reported about others since the last [`take_seen`](Self::take_seen),
    /// in order. Only a light world keeps them.
    pub fn seen(&self) -> &[Seen] {
        &self.seen
    }

    /// Takes the reported events out, so that a long run does not keep all of them in memory.
    pub fn take_seen(&mut self) -> Vec<Seen> {
        std::mem::take(&mut self.seen)
    }

    /// Performs a step now, like a step of the script.
    pub fn act(&mut self, step: &Step) {
        self.take(step);
    }

    fn schedule(&mut self, at: Instant, event: SimEvent) {
        self.queue.push(at, event);
    }

    fn process(&mut self, node: NodeIndex) -> Option<&mut Process> {
        self.nodes[node.0].process.as_mut()
    }

    fn instance(&self, node: NodeIndex) -> u32 {
        self.truth.node(node).instance
    }

    /// Whether `node` still runs that instance.
    fn runs_instance(&self, node: NodeIndex, instance: u32) -> bool {
        self.nodes[node.0].process.is_some() && self.instance(node) == instance
    }

    fn wake(&mut self, node: NodeIndex) {
        let now = self.now;
        if self.wakes[node.0].take_if(|planned| *planned == now).is_none() {
            return;
        }
        if let Some(later) = self.load.as_ref().map(|load| load.free_at(node)).filter(|later| *later > now) {
            // The node's CPU is busy.
            self.wakes[node.0] = Some(later);
            return self.schedule(later, SimEvent::Wake(node));
        }
        // Timers that are due while the node is paused run when it resumes.
        if self.truth.node(node).paused {
            return;
        }
        let Node { clock, process: Some(process), .. } = &mut self.nodes[node.0] else { return };
        if process.machine.next_timeout().is_some_and(|due| due <= clock.shows(now)) {
            self.feed(node, Input::Timeout);
        } else {
            self.rearm(node);
        }
    }

    /// Passes one input to a node's machine, performs its outputs, and shows the changes to the
    /// observers.
    fn feed(&mut self, node: NodeIndex, input: Input) {
        let Node { clock, process: Some(process), .. } = &mut self.nodes[node.0] else { return };
        process.machine.handle(clock.shows(self.now), input);
        while let Some(output) = self.process(node).and_then(|process| process.machine.poll_output()) {
            self.carry_out(node, output);
        }
        self.show_changes(node);
        self.rearm(node);
    }

    fn carry_out(&mut self, node: NodeIndex, output: Output) {
        match output {
            Output::Send { to, message, request, delivery: Delivery { within, dial, .. }, .. } => {
                self.send(node, &to, message, request, (within, dial));
            }
            Output::Reply { to, message } => self.reply(node, to, message),
            Output::Decline { to } => self.decline(node, to),
            Output::CheckPort { check, node: subject, .. } => self.check_port(node, check, &subject),
            Output::Watch { subjects } => {
                let Node { clock, process: Some(process), .. } = &mut self.nodes[node.0] else { return };
                if let Some(health) = &process.health {
                    health.watch(&subjects, clock.shows(self.now));
                }
                process.subjects = subjects;
            }
            // The simulated nodes have no state directory that could limit their incarnations.
            Output::Reserve { .. }
            | Output::RefusedClaim(_)
            | Output::RefusedJoin(_)
            // No simulated node has a certificate that could be revoked.
            | Output::Revoked(_)
            // The simulated nodes keep no addresses outside the machine.
            | Output::Forgotten { .. } => {}
            Output::Event(event) => self.event(node, &event),
            Output::Done { id, outcome } => self.done(node, id, &outcome),
        }
    }

    /// Schedules the wake-up for the machine's next timer.
    fn rearm(&mut self, node: NodeIndex) {
        let Node { clock, slow, process: Some(process), .. } = &mut self.nodes[node.0] else { return };
        let Some(due) = process.machine.next_timeout() else { return };
        let at = (clock.when(due) + *slow).max(self.now);
        // The queue cannot remove events. An obsolete wake-up finds another time in `wakes` and
        // does nothing.
        if self.wakes[node.0].replace(at) != Some(at) {
            self.schedule(at, SimEvent::Wake(node));
        }
    }

    fn id(&self, node: NodeIndex) -> NodeId {
        self.nodes[node.0].id.clone()
    }

    fn find(&self, id: &NodeId) -> NodeIndex {
        self.truth.find(id).expect("machines know only the nodes of this world")
    }

    fn second(&mut self) {
        // Loss and wrong clocks last, so the fault is marked again each second while it holds.
        if self.network.is_lossy() {
            self.truth.disturb_all(self.now);
        }
        for (place, node) in self.nodes.iter().enumerate() {
            if !(node.slow.is_zero() && node.clock.is_steady()) {
                self.truth.node_mut(NodeIndex(place)).disturbed = Some(self.now);
            }
        }
        // Time itself can break a rule, when nothing happens until a deadline.
        self.observe(Observed::Second);
        self.schedule(self.now + CHECK_INTERVAL, SimEvent::Second);
    }
}
