//! The world: time, one ordered queue of happenings, and the nodes. It routes: messages are in `world/traffic.rs`, the
//! script's steps in `world/steps.rs`, what observers see in `world/watch.rs`.

mod steps;
mod traffic;
mod watch;

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use kinfolk_core::{Incarnation, Instant, NodeId, SharedNodeRegistry};
use kinfolk_swim::{CommandId, Input, NoReply, Output, ReplyId, RequestId, SwimConfig};

use crate::checks::{Checks, Violation};
use crate::faults::{Fault, Step};
use crate::figures::Figures;
use crate::network::Network;
use crate::node::{Asked, Node, NodeIndex, Process};
use crate::observed::{Ending, Observed};
use crate::scenario::Scenario;
use crate::seed::Streams;
use crate::trace::Trace;
use crate::truth::Truth;

/// When a node's wall clock stood at the origin, since the Unix epoch. Small, so that incarnations are easy to read.
const UNIX_AT_ORIGIN: Duration = Duration::from_secs(1);

/// How often a node's health checker looks.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// A place in the queue: by time and, at equal time, by the order of scheduling.
pub(crate) type Key = (Instant, u64);

/// Many nodes in virtual time.
#[derive(Debug)]
pub struct World {
    now: Instant,
    queue: BTreeMap<Key, Happening>,
    scheduled: u64,
    config: SwimConfig,
    script: Vec<(Instant, Step)>,
    streams: Streams,
    network: Network,
    nodes: Vec<Node>,
    /// Who waits for the answer to each request.
    asked: BTreeMap<ReplyId, Asker>,
    requests_made: u64,
    truth: Truth,
    trace: Trace,
    checks: Checks,
    figures: Figures,
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
    /// A second is over.
    Second,
}

/// What can come to a node. It waits while the node pauses, and is dropped if its life is over.
#[derive(Debug)]
pub(crate) enum Arrival {
    Message {
        from: NodeIndex,
        bytes: Bytes,
        reply_to: Option<ReplyId>,
    },
    Reply {
        life: u32,
        request: RequestId,
        from: NodeIndex,
        bytes: Bytes,
    },
    Deadline {
        life: u32,
        request: RequestId,
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

/// Who asked.
#[derive(Debug, Clone, Copy)]
struct Asker {
    node: NodeIndex,
    life: u32,
    request: RequestId,
}

impl World {
    /// The world of this scenario at its origin. Nobody has started yet.
    pub fn new(scenario: &Scenario, seed: u64, trace: Trace, checks: Checks) -> Self {
        let mut streams = Streams::new(seed);
        let network = Network::new(scenario.network, streams.network.fork());
        let nodes: Vec<Node> = (0..scenario.nodes).map(|place| Node::new(NodeIndex(place))).collect();
        let mut world = Self {
            now: Instant::ORIGIN,
            queue: BTreeMap::new(),
            scheduled: 0,
            config: scenario.config.clone(),
            script: scenario.script.steps().to_vec(),
            streams,
            network,
            truth: Truth::new(nodes.iter().map(|node| node.id.clone())),
            figures: Figures::new(nodes.len()),
            nodes,
            asked: BTreeMap::new(),
            requests_made: 0,
            trace,
            checks,
        };
        for step in 0..world.script.len() {
            world.schedule(world.script[step].0, Happening::Step(step));
        }
        world.schedule(Instant::ORIGIN + CHECK_INTERVAL, Happening::Second);
        world
    }

    /// Lets everything happen that happens until then; stops early at the first violation.
    pub fn run_until(&mut self, end: Instant) {
        while self.checks.broken().is_none()
            && let Some(entry) = self.queue.first_entry()
            && entry.key().0 <= end
        {
            self.now = entry.key().0;
            match entry.remove() {
                Happening::Step(step) => self.take_step(step),
                Happening::Wake(node) => self.wake(node),
                Happening::Arrives(node, arrival) => self.arrives(node, arrival),
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
        self.nodes[node.0].process.as_ref().map(|process| process.machine.registry())
    }

    /// What is really so.
    pub fn truth(&self) -> &Truth {
        &self.truth
    }

    /// The first violation, if there is one.
    pub fn broken(&self) -> Option<&Violation> {
        self.checks.broken()
    }

    /// What was measured.
    pub fn figures(&self) -> &Figures {
        &self.figures
    }

    /// The lines so far.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    fn schedule(&mut self, at: Instant, happening: Happening) -> Key {
        let key = (at, self.scheduled);
        self.scheduled += 1;
        self.queue.insert(key, happening);
        key
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

    /// The incarnation that a node would start with now.
    fn incarnation(&self) -> Incarnation {
        Incarnation::at_start(UNIX_AT_ORIGIN + self.now.since_origin(), None)
    }

    fn wake(&mut self, node: NodeIndex) {
        if let Some(process) = self.process(node) {
            process.wake = None;
        }
        if self.truth.node(node).paused {
            // What is due is done when it resumes.
            return;
        }
        self.feed(node, Input::Timeout);
    }

    /// Gives one input to a node's machine, carries out what it wants, and looks at what has changed.
    fn feed(&mut self, node: NodeIndex, input: Input) {
        let now = self.now;
        let Some(process) = self.process(node) else { return };
        process.machine.handle(now, input);
        while let Some(output) = self.process(node).and_then(|process| process.machine.poll_output()) {
            self.carry_out(node, output);
        }
        self.watch(node);
        self.rearm(node);
    }

    fn carry_out(&mut self, node: NodeIndex, output: Output) {
        match output {
            Output::Send { to, message, request, .. } => self.send(node, &to, &message, request),
            Output::Reply { to, message } => self.reply(node, to, &message),
            Output::CheckPort { .. } | Output::Watch { .. } => {}
            Output::Event(event) => self.event(node, &event),
            Output::Done { id, outcome } => self.done(node, id, &outcome),
        }
    }

    /// Schedules the machine's next wake-up in the place of an earlier one.
    fn rearm(&mut self, node: NodeIndex) {
        let now = self.now;
        let Some(process) = self.process(node) else { return };
        let (old, at) = (process.wake, process.machine.next_timeout().map(|at| at.max(now)));
        if old.map(|key| key.0) == at {
            return;
        }
        old.map(|key| self.queue.remove(&key));
        let wake = at.map(|at| self.schedule(at, Happening::Wake(node)));
        if let Some(process) = self.process(node) {
            process.wake = wake;
        }
    }

    fn id(&self, node: NodeIndex) -> NodeId {
        self.nodes[node.0].id.clone()
    }

    fn find(&self, id: &NodeId) -> NodeIndex {
        self.truth.find(id).expect("machines hear only of the nodes of this world")
    }

    fn second(&mut self) {
        if self.network.loss() > 0.0 {
            self.truth.disturb_all(self.now);
        }
        self.observe(Observed::Second);
        self.schedule(self.now + CHECK_INTERVAL, Happening::Second);
    }
}
