//! The protocol as one pure state machine. This file holds its state and only routes: each input goes to its handler.
//!
//! ```text
//!   Input ──> handle(now, input) ──> the handler's file ──> outputs ──> poll_output()
//!
//!   Message      on_message.rs ─┬─ Ping, Gossip   on_gossip.rs    a claim about us      refute.rs
//!   Reply        on_reply.rs    ├─ PingReq        relay.rs        a change of state     on_change.rs
//!   NoReply      on_reply.rs    ├─ Sync           sync.rs         a suspicion           suspect.rs
//!                               └─ Describe       describe.rs     back after a failure  comeback.rs
//!                                                                 an old verdict        dispute.rs
//!                                                                 an old member         introduction.rs
//!                                                                 two of one name       name_conflicts.rs
//!                                                                 why                   explain.rs
//!                                                                 forgotten for good    forget.rs
//!   Timeout      on_timeout.rs ──── on_gossip.rs, flood.rs, sync.rs, healer.rs, relay.rs, and
//!                                   round-robin:  probe.rs, suspect.rs        (Swim, Lifeguard)
//!                                   rings:        watch.rs, witness.rs, verdict.rs, loss.rs   (Verified)
//!                                   many silent:  brake.rs      what is told: flaps.rs
//!   PortChecked  port.rs
//!   Health       on_change.rs
//!   Command      on_command.rs
//!   Reserved     reserve.rs
//!   WallClock    wall_clock.rs
//!   Congested    congestion.rs
//!   Clear        congestion.rs
//! ```

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use kinfolk_core::{Incarnation, Instant, NodeId, NodeState, NodeStatus, Rng, SharedNodeRegistry};
use kinfolk_detector::{FlapDamper, LocalHealth, PartitionConfig, PartitionDetector};

use crate::brake::Mass;
use crate::broadcast::Seen;
use crate::comeback::Comeback;
use crate::config::SwimConfig;
use crate::dispute::Dispute;
use crate::explain::Findings;
use crate::forget::Forgotten;
use crate::input::{CommandId, Input, RequestId};
use crate::introduction::Introductions;
use crate::message::Message;
use crate::name_conflicts::NameConflicts;
use crate::output::{Outcome, Output};
use crate::overlay::Overlay;
use crate::probe::Probe;
use crate::queue::GossipQueue;
use crate::requests::{Purpose, Requests};
use crate::reserve::Reserve;
use crate::stats::SwimStats;
use crate::suspect::Suspected;
use crate::timer::{Timer, TimerKey, Timers};
use crate::wall_clock::WallClock;
use crate::watch::Watch;

/// One member's protocol: pure, without clock, socket, runtime or randomness of its own.
///
/// Feed it with [`handle`](Self::handle), then take every output with [`poll_output`](Self::poll_output), and feed
/// [`Input::Timeout`] when [`next_timeout`](Self::next_timeout) has come. The same inputs at the same times from the
/// same seed give the same outputs. The same machine runs in the real driver, the simulator and the tests.
///
/// Every [`Output::Send`] with a `request` must come back as one [`Input::Reply`] or [`Input::NoReply`].
#[derive(Debug)]
#[repr(C)]
pub struct Machine {
    // First what every input looks at, in this order, so that it takes few lines of the cache.
    pub(crate) timers: Timers,
    pub(crate) config: Arc<SwimConfig>,
    pub(crate) registry: SharedNodeRegistry,
    pub(crate) requests: Requests,
    outputs: VecDeque<Output>,
    pub(crate) watch: Watch,
    pub(crate) overlay: Overlay,
    /// When waiting updates are sent next; `None` where that is not scheduled before there is one.
    pub(crate) next_gossip: Option<(Instant, TimerKey)>,
    pub(crate) queue: GossipQueue,
    pub(crate) local_health: LocalHealth,
    /// Since when the driver can take no more messages.
    pub(crate) congested: Option<Instant>,
    pub(crate) stats: SwimStats,
    pub(crate) mass: Mass,
    pub(crate) comeback: Comeback,
    pub(crate) me: Me,
    pub(crate) rng: Rng,
    /// The probe of the round-robin, in the modes that have one.
    pub(crate) probe: Option<Probe>,
    pub(crate) flaps: Option<FlapDamper>,
    pub(crate) name_conflicts: NameConflicts,
    pub(crate) findings: Findings,
    pub(crate) suspicions: BTreeMap<NodeId, Suspected>,
    /// Verdicts that came by an exchange, by their subjects, who have been asked.
    pub(crate) disputes: BTreeMap<NodeId, Dispute>,
    /// When each failed or left member is forgotten.
    pub(crate) tombstones: BTreeMap<NodeId, TimerKey>,
    /// Which members were forgotten before that.
    pub(crate) forgotten: Forgotten,
    pub(crate) seen: Seen,
    pub(crate) wall_clock: WallClock,
    pub(crate) introductions: Introductions,
    pub(crate) next_sync: TimerKey,
}

/// What the machine knows of itself beyond its entry in the registry.
#[derive(Debug)]
pub(crate) struct Me {
    pub id: NodeId,
    /// The incarnation that this instance started with; numbers our broadcasts.
    pub life: Incarnation,
    /// How many broadcasts we have sent.
    pub broadcasts: u64,
    /// How high our incarnation may rise, and what waits until it may rise higher.
    pub reserve: Reserve,
    /// Set once we have said that we leave.
    pub leave: Option<Leave>,
}

/// How far our leave has got.
#[derive(Debug)]
pub(crate) struct Leave {
    pub command: CommandId,
    pub told: usize,
    pub confirmed: usize,
    pub waiting: usize,
}

impl Machine {
    /// For how long gossip that nobody answers is worth delivering, and how long one waits for an answer where no
    /// period of the protocol sets the time.
    pub(crate) const DELIVERED_WITHIN: Duration = Duration::from_secs(5);

    /// A machine for the member `me`, which must be a statement that it is alive. Enters it into `registry`, which may
    /// already know others. Many machines may share one configuration.
    ///
    /// # Panics
    /// If `me` is not alive and complete ([`NodeStatus::alive`] makes one that is).
    pub fn new(
        config: impl Into<Arc<SwimConfig>>,
        me: NodeStatus,
        registry: SharedNodeRegistry,
        mut rng: Rng,
        now: Instant,
    ) -> Self {
        let config = config.into();
        assert!(
            me.state == NodeState::Alive && me.is_complete(),
            "a member starts with its own Alive statement"
        );
        let mut timers = Timers::default();
        // Members that start together should not probe and exchange in step.
        let spread = |rng: &mut Rng, interval: Duration| now + interval.mul_f64(rng.unit());
        let next_sync = timers.schedule(spread(&mut rng, config.sync_interval), Timer::Sync);
        let mut next_gossip = None;
        if !config.is_verified() {
            timers.schedule(spread(&mut rng, config.probe_interval), Timer::Probe);
            let at = spread(&mut rng, config.gossip_interval);
            next_gossip = Some((at, timers.schedule(at, Timer::Gossip)));
        }
        let snapshot = registry.snapshot();
        let others = snapshot.members().filter(|node| node.id != me.id).map(|node| node.id.clone());
        let overlay = Overlay::of(others, &mut rng);
        let mut watch = Watch::new(&me.id);
        overlay.ids().iter().for_each(|id| watch.rings.insert(id));
        let partition = PartitionConfig {
            quorum_percent: config.quorum_percent,
            notice: config.tolerated_pause,
            grace: config.partition_grace,
        };
        let mass = Mass::new(PartitionDetector::new(partition), now);
        let flaps = config.flaps.map(FlapDamper::new);
        let myself = Me {
            id: me.id.clone(),
            life: me.incarnation,
            broadcasts: 0,
            reserve: Reserve::default(),
            leave: None,
        };
        let wall_clock = WallClock::new(now, me.incarnation);
        let mut machine = Self {
            local_health: LocalHealth::new(config.local_health_max),
            config,
            me: myself,
            registry,
            rng,
            timers,
            requests: Requests::default(),
            overlay,
            probe: None,
            watch,
            mass,
            flaps,
            name_conflicts: NameConflicts::default(),
            comeback: Comeback::default(),
            findings: Findings::default(),
            suspicions: BTreeMap::new(),
            disputes: BTreeMap::new(),
            tombstones: BTreeMap::new(),
            forgotten: Forgotten::default(),
            queue: GossipQueue::new(),
            seen: Seen::default(),
            wall_clock,
            introductions: Introductions::default(),
            next_gossip,
            next_sync,
            congested: None,
            stats: SwimStats::default(),
            outputs: VecDeque::new(),
        };
        for node in snapshot.nodes().iter().filter(|node| !node.state.is_member()) {
            machine.keep_tombstone(now, node);
        }
        machine.introduce(me);
        machine.recount(now);
        machine.rewatch(now);
        machine.schedule_heal(now);
        machine
    }

    /// Takes one input. Outputs that it causes wait in [`poll_output`](Self::poll_output).
    pub fn handle(&mut self, now: Instant, input: Input) {
        self.guard_against_pause(now);
        if matches!(input, Input::Message { .. } | Input::Reply { .. }) {
            self.mass.heard(now);
        }
        match input {
            Input::Message { from, message, reply_to } => self.on_message(now, &from, message, reply_to),
            Input::Reply { request, from, message } => self.on_reply(now, request, &from, message),
            Input::NoReply { request, why } => self.on_no_reply(now, request, why),
            Input::PortChecked { check, closed } => self.on_port_checked(now, check, closed),
            Input::Timeout => self.on_timeout(now),
            Input::Health { id, change, cause } => self.on_health(now, &id, &change, &cause),
            Input::Reserved { up_to } => self.on_reserved(now, up_to),
            Input::WallClock { since_epoch } => self.on_wall_clock(now, since_epoch),
            Input::Congested => self.on_congested(now),
            Input::Clear => self.on_clear(now),
            Input::Command { id, command } => self.on_command(now, id, command),
        }
        self.tell_forgotten();
        self.hurry_gossip(now);
    }

    /// The next thing to be done, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        let next = self.outputs.pop_front();
        if next.is_none() {
            // It begins anew at the front, so that the same memory is used again.
            self.outputs.clear();
        }
        next
    }

    /// When [`Input::Timeout`] is due next; `None` only after a leave.
    pub fn next_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// Our name.
    pub fn id(&self) -> &NodeId {
        &self.me.id
    }

    /// The view of the group, shared with whoever was given the registry.
    pub fn registry(&self) -> &SharedNodeRegistry {
        &self.registry
    }

    /// The configuration.
    pub fn config(&self) -> &SwimConfig {
        &self.config
    }

    /// Counters and gauges.
    pub fn stats(&self) -> SwimStats {
        SwimStats {
            local_health: self.local_health.score(),
            queued: self.queue.len(),
            forgotten_names: self.forgotten.len(),
            forgets_dropped: self.forgotten.dropped(),
            claims_refused: self.wall_clock.refused(),
            broadcasts_dropped: self.queue.broadcasts_dropped(),
            ..self.stats
        }
    }

    pub(crate) fn has_left(&self) -> bool {
        self.me.leave.is_some()
    }

    pub(crate) fn output(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    pub(crate) fn done(&mut self, id: CommandId, outcome: Outcome) {
        self.output(Output::Done { id, outcome });
    }

    /// Sends a message that nobody answers.
    pub(crate) fn send(&mut self, to: &NodeStatus, message: Message) {
        let within = Self::DELIVERED_WITHIN;
        self.output(Output::Send { to: to.id.clone(), addr: to.addr, message, request: None, within });
    }

    /// Sends a request whose answer is of use for that long, and remembers what it is for.
    pub(crate) fn request(
        &mut self,
        to: &NodeStatus,
        message: Message,
        purpose: Purpose,
        within: Duration,
    ) -> RequestId {
        let id = self.requests.add(purpose);
        self.output(Output::Send { to: to.id.clone(), addr: to.addr, message, request: Some(id), within });
        id
    }

    /// The statuses of random members other than ourselves.
    pub(crate) fn random_members(&mut self, count: usize, except: Option<&NodeId>) -> Vec<Arc<NodeStatus>> {
        let ids = self.overlay.random(count, except, &mut self.rng);
        ids.iter().filter_map(|id| self.registry.get(id)).collect()
    }
}

#[cfg(test)]
mod tests;
