//! The world: time, one ordered queue of happenings, and the nodes. It routes: how it begins is in `world/begin.rs`, messages
//! are in `world/traffic.rs`, checks of ports in `world/ports.rs`, the script's steps in `world/steps.rs`, what goes
//! wrong in `world/trouble.rs`, and what observers see in `world/watch.rs`.

mod begin;
mod load;
mod peers;
mod ports;
mod steps;
mod traffic;
mod trouble;
mod watch;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kinfolk_core::{Instant, NodeId, SharedNodeRegistry};
use kinfolk_swim::{
    CheckId, CommandId, Delivery, Input, Machine, Message, NoReply, Output, ReplyId, RequestId, SwimConfig,
};

use crate::checks::{Checks, Violation};
use crate::faults::{Fault, Step};
use crate::figures::Figures;
use crate::load::Load;
use crate::network::Network;
use crate::node::{Asked, Node, NodeIndex, Process};
use crate::observed::{Ending, Observed};
use crate::queue::Queue;
use crate::seed::Streams;
use crate::seen::Seen;
use crate::tickets::{Ticket, Tickets};
use crate::trace::Trace;
use crate::traffic::Traffic;
use crate::truth::Truth;

pub(crate) use self::traffic::Letter;

/// How often a node's health checker looks.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Many nodes in virtual time.
#[derive(Debug)]
pub struct World {
    now: Instant,
    queue: Queue<Happening>,
    config: Arc<SwimConfig>,
    /// Whether members watch each other's silence.
    phi: bool,
    /// Whether a node that restarts remembers its last incarnation.
    remembers: bool,
    script: Vec<(Instant, Step)>,
    streams: Streams,
    network: Network,
    nodes: Vec<Node>,
    /// When the machine of each node will be woken next; what else is in the queue is of an older plan.
    wakes: Vec<Option<Instant>>,
    /// The deadlines of all requests.
    tickets: Tickets,
    truth: Truth,
    trace: Trace,
    checks: Checks,
    figures: Figures,
    detail: Detail,
    /// What members were told, in a light world.
    seen: Vec<Seen>,
    /// What work costs, if it costs anything.
    load: Option<Box<Load>>,
    /// With whom each node has exchanged messages, if that is counted.
    peers: Option<Vec<BTreeSet<NodeIndex>>>,
}

/// How much is looked at, at what cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Detail {
    /// Every view after every input, and every message through the codec.
    Full,
    /// What members tell their applications, and how much they send.
    Light,
}

/// Something that is going to happen.
#[derive(Debug)]
enum Happening {
    /// The next step of the script.
    Step(usize),
    /// The machine of a node wants to be woken.
    Wake(NodeIndex),
    /// Something comes to a node.
    Arrives(NodeIndex, Arrival),
    /// A node waits for a letter of its to go out.
    Congests(NodeIndex),
    /// Somebody asks a host whether anybody listens there.
    Knocks(ports::Knock),
    /// A handshake goes on.
    Shakes(load::Shake),
    /// The CPU of a node has time for what has come.
    Served(NodeIndex, Arrival),
    /// A second is over.
    Second,
}

/// What can come to a node. It waits while the node pauses, and is dropped if its life is over.
#[derive(Debug, Clone)]
pub(crate) enum Arrival {
    Message {
        from: NodeIndex,
        body: Box<Body>,
        reply_to: Option<ReplyId>,
    },
    Reply {
        life: u32,
        request: RequestId,
        from: NodeIndex,
        body: Box<Body>,
    },
    Deadline {
        life: u32,
        request: RequestId,
        ticket: Ticket,
    },
    /// A check of a port has ended.
    PortChecked {
        life: u32,
        check: CheckId,
        closed: bool,
    },
    /// Its health checker looks.
    Check {
        life: u32,
    },
    /// It tries to join once more.
    JoinAgain {
        life: u32,
        via: NodeIndex,
        attempt: u32,
    },
    /// It has left, and ends.
    Stop {
        life: u32,
    },
}

/// What a message says: through the codec in full detail, as it is in a light world. In a box, because nearly all that is
/// going to happen are deadlines, which are small.
#[derive(Debug, Clone)]
pub(crate) enum Body {
    Encoded(Bytes),
    Plain {
        message: Message,
        /// How many bytes it would have.
        len: usize,
    },
}

impl World {
    /// Lets everything happen that happens until then; stops early at the first violation.
    pub fn run_until(&mut self, end: Instant) {
        while self.checks.broken().is_none()
            && let Some((at, happening)) = self.queue.pop_until(end)
        {
            self.now = at;
            match happening {
                Happening::Step(step) => self.take_step(step),
                Happening::Wake(node) => self.wake(node),
                Happening::Arrives(_, Arrival::Deadline { ticket, .. }) if !self.tickets.redeem(ticket) => {}
                Happening::Arrives(node, arrival) => self.serve(node, arrival),
                Happening::Served(node, arrival) => self.arrives(node, arrival),
                Happening::Shakes(shake) => self.shakes(shake),
                Happening::Congests(node) => self.congests(node),
                Happening::Knocks(knock) => self.knocks(knock),
                Happening::Second => self.second(),
            }
        }
        self.now = self.now.max(end);
    }

    /// Shows the end to every invariant.
    pub fn finish(&mut self) {
        let views = self.nodes.iter().enumerate().filter_map(|(place, node)| {
            node.process.as_ref().map(|process| (NodeIndex(place), process.machine.registry().snapshot()))
        });
        let ending = Ending { now: self.now, truth: &self.truth, views: views.collect() };
        self.checks.finish(&ending);
    }

    /// What time it is.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// The view of a node that runs.
    pub fn registry(&self, node: NodeIndex) -> Option<&SharedNodeRegistry> {
        self.nodes[node.0].process.as_ref().map(|process| &process.registry)
    }

    /// The machine of a node that runs.
    pub fn machine(&self, node: NodeIndex) -> Option<&Machine> {
        self.nodes[node.0].process.as_ref().map(|process| &process.machine)
    }

    /// Whom a node watches that runs, ordered by name.
    pub fn subjects(&self, node: NodeIndex) -> &[NodeId] {
        self.nodes[node.0].process.as_ref().map_or(&[], |process| &process.subjects)
    }

    /// What is really so.
    pub fn truth(&self) -> &Truth {
        &self.truth
    }

    /// The first violation, if there is one.
    pub fn broken(&self) -> Option<&Violation> {
        self.checks.broken()
    }

    /// What was measured; nothing in a light world, which has [`seen`](Self::seen) and [`traffic`](Self::traffic).
    pub fn figures(&self) -> &Figures {
        &self.figures
    }

    /// The lines so far.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// What a node has sent and received in all its lives.
    pub fn traffic(&self, node: NodeIndex) -> Traffic {
        self.nodes[node.0].traffic
    }

    /// What all nodes have sent and received.
    pub fn traffic_of_all(&self) -> Traffic {
        self.nodes.iter().map(|node| node.traffic).sum()
    }

    /// What members have been told of others since the last [`take_seen`](Self::take_seen), in order; only a light world
    /// keeps it.
    pub fn seen(&self) -> &[Seen] {
        &self.seen
    }

    /// Takes out what members have been told, so that a long run need not hold it all.
    pub fn take_seen(&mut self) -> Vec<Seen> {
        std::mem::take(&mut self.seen)
    }

    /// Lets a step happen now, as if the script had said so.
    pub fn act(&mut self, step: &Step) {
        self.take(step);
    }

    fn schedule(&mut self, at: Instant, happening: Happening) {
        self.queue.push(at, happening);
    }

    fn process(&mut self, node: NodeIndex) -> Option<&mut Process> {
        self.nodes[node.0].process.as_mut()
    }

    fn life(&self, node: NodeIndex) -> u32 {
        self.truth.node(node).life
    }

    /// Whether `node` still runs that life.
    fn lives(&self, node: NodeIndex, life: u32) -> bool {
        self.nodes[node.0].process.is_some() && self.life(node) == life
    }

    fn wake(&mut self, node: NodeIndex) {
        let now = self.now;
        if self.wakes[node.0].take_if(|planned| *planned == now).is_none() {
            return;
        }
        if let Some(later) = self.load.as_ref().map(|load| load.free_at(node)).filter(|later| *later > now) {
            // Its CPU has no time for it.
            self.wakes[node.0] = Some(later);
            return self.schedule(later, Happening::Wake(node));
        }
        // What is due while it pauses is done when it resumes.
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

    /// Gives one input to a node's machine, carries out what it wants, and looks at what has changed.
    fn feed(&mut self, node: NodeIndex, input: Input) {
        let Node { clock, process: Some(process), .. } = &mut self.nodes[node.0] else { return };
        process.machine.handle(clock.shows(self.now), input);
        while let Some(output) = self.process(node).and_then(|process| process.machine.poll_output()) {
            self.carry_out(node, output);
        }
        self.watch(node);
        self.rearm(node);
    }

    fn carry_out(&mut self, node: NodeIndex, output: Output) {
        match output {
            Output::Send { to, message, request, delivery: Delivery { within, dial, .. }, .. } => {
                self.send(node, &to, message, request, (within, dial));
            }
            Output::Reply { to, message } => self.reply(node, to, message),
            Output::CheckPort { check, node: subject, .. } => self.check_port(node, check, &subject),
            Output::Watch { subjects } => {
                let Node { clock, process: Some(process), .. } = &mut self.nodes[node.0] else { return };
                if let Some(health) = &process.health {
                    health.watch(&subjects, clock.shows(self.now));
                }
                process.subjects = subjects;
            }
            // The nodes here have no memory that could bound their incarnations.
            Output::Reserve { .. }
            | Output::RefusedClaim(_)
            | Output::RefusedJoin(_)
            // Nothing here keeps addresses beside the machine.
            | Output::Forgotten { .. } => {}
            Output::Event(event) => self.event(node, &event),
            Output::Done { id, outcome } => self.done(node, id, &outcome),
        }
    }

    /// Sees to it that the machine is woken when it wants to be.
    fn rearm(&mut self, node: NodeIndex) {
        let Node { clock, slow, process: Some(process), .. } = &mut self.nodes[node.0] else { return };
        let Some(due) = process.machine.next_timeout() else { return };
        let at = (clock.when(due) + *slow).max(self.now);
        if self.wakes[node.0].replace(at) != Some(at) {
            self.schedule(at, Happening::Wake(node));
        }
    }

    fn id(&self, node: NodeIndex) -> NodeId {
        self.nodes[node.0].id.clone()
    }

    fn find(&self, id: &NodeId) -> NodeIndex {
        self.truth.find(id).expect("machines hear only of the nodes of this world")
    }

    fn second(&mut self) {
        if self.network.is_lossy() {
            self.truth.disturb_all(self.now);
        }
        for (place, node) in self.nodes.iter().enumerate() {
            if !(node.slow.is_zero() && node.clock.is_steady()) {
                self.truth.node_mut(NodeIndex(place)).disturbed = Some(self.now);
            }
        }
        self.observe(Observed::Second);
        self.schedule(self.now + CHECK_INTERVAL, Happening::Second);
    }
}
