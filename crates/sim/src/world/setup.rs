//! Builds a world: empty, with a script that starts its nodes, or with a group that has already
//! formed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kinfolk_core::signed::simulated::{SimulatedKey, SimulatedKeys};
use kinfolk_core::{ClusterId, Incarnation, Instant, NodeState, NodeStatus, SharedNodeRegistry, Tags};

use super::{Arrival, CHECK_INTERVAL, Checks, Detail, Figures, Network, Node, NodeIndex, Observed, SimEvent};
use super::{Process, Queue, Streams, Trace, Truth, World};
use crate::scenario::Scenario;
use crate::tickets::Tickets;

/// The time of a node's wall clock at the origin, since the Unix epoch. It is small so that
/// incarnations are easy to read.
const UNIX_AT_ORIGIN: Duration = Duration::from_secs(1);

impl World {
    /// The world of this scenario at its origin, in full detail. No node runs yet: the script
    /// starts them.
    pub fn new(scenario: &Scenario, seed: u64, trace: Trace, checks: Checks) -> Self {
        Self::empty(scenario, seed, Detail::Full, trace, checks)
    }

    /// Like [`new`](Self::new), but all nodes run at the origin as a group that has formed. Each
    /// knows all others, and no update is on its way. The script must not start the nodes.
    pub fn preformed(scenario: &Scenario, seed: u64, trace: Trace, checks: Checks) -> Self {
        let mut world = Self::new(scenario, seed, trace, checks);
        world.form(scenario.nodes, scenario.nodes);
        world
    }

    /// The world of this scenario for experiments with many nodes or runs. It has no trace,
    /// invariants, and figures, and messages are not encoded. The reported events are in
    /// [`seen`](Self::seen), and the number of bytes sent is in [`traffic`](Self::traffic).
    /// Machines, network, and faults are those of a full world, so a seed gives the same run.
    pub fn light(scenario: &Scenario, seed: u64) -> Self {
        Self::empty(scenario, seed, Detail::Light, Trace::off(), Checks::default())
    }

    /// Like [`light`](Self::light), with a group that has already formed, like
    /// [`preformed`](Self::preformed).
    pub fn light_preformed(scenario: &Scenario, seed: u64) -> Self {
        let mut world = Self::light(scenario, seed);
        world.form(scenario.nodes, scenario.nodes);
        world
    }

    /// Like [`light`](Self::light), where the first `running` nodes run as a group that has formed.
    /// All nodes from index `old` on are tombstones in each of their views. The script may start
    /// the nodes between.
    pub fn light_among_tombstones(scenario: &Scenario, running: usize, old: usize, seed: u64) -> Self {
        let mut world = Self::light(scenario, seed);
        world.form(running, old);
        world
    }

    fn empty(scenario: &Scenario, seed: u64, detail: Detail, trace: Trace, checks: Checks) -> Self {
        let mut streams = Streams::new(seed);
        let network = Network::new(scenario.network, streams.network.fork());
        let nodes: Vec<Node> = (0..scenario.nodes).map(|place| Node::new(NodeIndex(place))).collect();
        let mut world = Self {
            now: Instant::ORIGIN,
            queue: Queue::default(),
            config: scenario.config.clone().into(),
            phi: scenario.phi,
            remembers: scenario.remembers,
            script: scenario.script.steps().to_vec(),
            streams,
            keys: keys(seed),
            network,
            truth: Truth::new(nodes.iter().map(|node| node.id.clone())),
            wakes: vec![None; nodes.len()],
            tickets: Tickets::default(),
            figures: Figures::new(nodes.len()),
            nodes,
            trace,
            checks,
            detail,
            seen: Vec::new(),
            load: None,
            peers: None,
            hostile: None,
            spies: BTreeMap::default(),
        };
        for step in 0..world.script.len() {
            world.schedule(world.script[step].0, SimEvent::Step(step));
        }
        world.schedule(Instant::ORIGIN + CHECK_INTERVAL, SimEvent::Second);
        world
    }

    /// Starts the first `running` nodes at once. Each has a view of all of them, in which the nodes
    /// from `old` on have failed. Equal entries of the views share their memory, because thousands
    /// of separate views would not fit.
    fn form(&mut self, running: usize, old: usize) {
        let incarnation = self.incarnation(NodeIndex(0));
        let all = SharedNodeRegistry::new();
        let signed =
            |node: &Node| own_statement(node, incarnation).signed(&self.keys.key_of(node.id.clone()));
        let members = self.nodes[..running].iter().map(signed);
        let failed = |node| signed(node).with_state(NodeState::Failed);
        for status in members.chain(self.nodes[old..].iter().map(failed)) {
            let known = all.apply(status);
            assert!(known.after().is_some(), "the registry has room for a whole world");
        }
        // All nodes share this snapshot until their views change.
        let snapshot = all.snapshot();
        for node in (0..running).map(NodeIndex) {
            self.begin_instance(node, incarnation, all.duplicate());
            self.truth.node_mut(node).joined = true;
            let own = snapshot.get(&self.nodes[node.0].id).map(|own| &**own);
            self.observe(Observed::View { node, before: None, after: own });
            if let Some(process) = self.process(node) {
                process.seen = snapshot.clone();
            }
            self.rearm(node);
        }
        self.figures.join = Some(Duration::ZERO);
    }

    /// The incarnation with which a node would start now.
    pub(super) fn incarnation(&self, node: NodeIndex) -> Incarnation {
        let node = &self.nodes[node.0];
        let time_of_day = (UNIX_AT_ORIGIN + self.now.since_origin()).saturating_sub(node.set_back);
        Incarnation::at_start(time_of_day, node.remembered)
    }

    /// Starts the process of a node with the given view.
    pub(super) fn begin_instance(
        &mut self,
        node: NodeIndex,
        incarnation: Incarnation,
        registry: SharedNodeRegistry,
    ) {
        let truth = self.truth.node_mut(node);
        assert!(!truth.running, "the script starts only what does not run");
        truth.instance += 1;
        (truth.running, truth.silent, truth.left, truth.forgotten) = (true, false, false, false);
        truth.born = incarnation;
        let instance = truth.instance;
        let rng = self.streams.node(node.0, instance);
        let of = &self.nodes[node.0];
        let now = of.clock.shows(self.now);
        let me = own_statement(of, incarnation);
        let signer = Arc::new(self.key(node));
        let process = Process::start(me, signer, registry, &self.config, self.phi, rng, now);
        self.nodes[node.0].process = Some(process);
        if self.phi {
            self.after(node, CHECK_INTERVAL, Arrival::Check { instance });
        }
    }

    /// The key of a node. All its instances have the same. Tests sign with it what they plant.
    pub fn key(&self, node: NodeIndex) -> SimulatedKey {
        self.keys.key_of(node.id())
    }

    /// Schedules an arrival at a node for when its own clock has advanced by `wait`.
    pub(super) fn after(&mut self, node: NodeIndex, wait: Duration, arrival: Arrival) {
        let clock = &self.nodes[node.0].clock;
        let at = clock.when(clock.shows(self.now) + wait);
        self.schedule(at, SimEvent::Arrives(node, arrival));
    }
}

/// The keys of the nodes. They come from the seed alone, so they take no value from any stream.
pub(crate) fn keys(seed: u64) -> SimulatedKeys {
    SimulatedKeys::new(ClusterId::new("simulated").expect("letters are a label"), seed)
}

fn own_statement(node: &Node, incarnation: Incarnation) -> NodeStatus {
    NodeStatus::alive(node.id.clone(), node.addr, incarnation, Tags::empty())
}
