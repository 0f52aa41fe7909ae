//! The health checker: phi for every member of the shared registry, turned into verdicts. The
//! caller passes heartbeats and the time in. The checker sends nothing and runs no task.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use kinfolk_core::{
    Cause, ClusterEvent, Instant, NodeId, NodeState, NodeStatus, Reason, RegistryView, Snapshot,
};
use parking_lot::Mutex;

use crate::config::{HealthConfig, Scope};
use crate::error::ConfigError;
use crate::phi::PhiAccrualDetector;
use crate::schedule::Schedule;

/// Watches the silence of all members. Reports a member whose silence its past does not explain.
///
/// **Watched members.** With [`Scope::Members`] the checker watches every member of the registry
/// (alive or suspect) except this member: from the first [`check`](Self::check) or heartbeat at
/// which it is a member, until it is none. It also watches a member that was never heard from; its
/// silence counts from then, against the prior. At most [`peers_max`](HealthConfig::peers_max)
/// members are watched, the first by name; [`unwatched`](Self::unwatched) counts the others.
///
/// With [`Scope::Listed`] the checker watches the members that [`watch`](Self::watch) names, and it
/// only reports. Its verdicts carry no claim, because the protocol asks witnesses before it accuses
/// a member.
///
/// **Verdicts.** A verdict comes once an episode, when phi reaches the threshold. Only the next
/// heartbeat of the member ends the episode.
///
/// The distribution of intervals is never narrower than the protocol's [`Rhythm`](crate::Rhythm)
/// implies for a group of this size. So a silence that chance alone explains is not suspicious.
/// Under SWIM's round-robin with `N` members this is a silence of up to `2 * (N - 1)` probe
/// intervals plus [`pause_limit`](HealthConfig::pause_limit). When a group has just shrunk, its
/// former size still counts for as long. In large groups this check is therefore slow under
/// round-robin, and the protocol's own probes come first.
///
/// **Pauses of this process.** If a check comes later than
/// [`pause_limit`](HealthConfig::pause_limit) after the previous check, this process was paused and
/// could not receive anything. That round is void. The time since the last check is taken out of
/// every running silence; what a member had been silent before still counts. A process that is
/// always late therefore never suspects another member.
///
/// Clones share one state behind a lock. The lock is never held while the registry is read. A
/// program that calls `check` and `heartbeat` on several threads may see a recovery before the
/// failure that it ends.
#[derive(Clone)]
pub struct HealthChecker {
    me: NodeId,
    config: HealthConfig,
    registry: RegistryView,
    watch: Arc<Mutex<Watch>>,
}

/// The verdict about one silent member.
#[derive(Debug, Clone, PartialEq)]
pub struct HealthVerdict {
    /// The silent member.
    pub id: NodeId,
    /// Always [`ClusterEvent::HealthCheckFailed`].
    pub event: ClusterEvent,
    /// The claim that it is suspect, at the incarnation at which it was known. The code that writes
    /// the registry applies it. `None` with [`Scope::Listed`], which only reports.
    pub claim: Option<Arc<NodeStatus>>,
    /// The reason, with this member as the accuser.
    pub cause: Cause,
}

struct Watch {
    peers: BTreeMap<NodeId, Peer>,
    schedule: Schedule,
    checked: Instant,
    /// No peer outside an episode has been silent since before this. While that is recent, no peer
    /// needs to be judged.
    oldest: Instant,
    /// The version of the registry at which `peers` was brought up to date.
    version: Option<u64>,
    /// The number of peers, watched or not, without this member.
    others: usize,
}

struct Peer {
    detector: PhiAccrualDetector,
    /// When its running episode started.
    failed: Option<Instant>,
}

/// A member whose silence has crossed the threshold.
struct Crossing {
    id: NodeId,
    phi: f64,
    silence: Duration,
}

impl HealthChecker {
    /// A checker for the member `me`. From `now` on it watches the members that are in the registry
    /// already.
    ///
    /// # Errors
    /// [`ConfigError`] if a setting is out of range.
    pub fn new(
        config: HealthConfig,
        me: NodeId,
        registry: RegistryView,
        now: Instant,
    ) -> Result<Self, ConfigError> {
        config.validate()?;
        let mut watch = Watch {
            peers: BTreeMap::new(),
            schedule: Schedule::new(&config),
            checked: now,
            oldest: now,
            version: None,
            others: 0,
        };
        if config.scope == Scope::Members {
            watch.follow(&config, &me, &registry.snapshot(), now);
        }
        Ok(Self { me, config, registry, watch: Arc::new(Mutex::new(watch)) })
    }

    /// With [`Scope::Listed`]: watches these members from `now` on, and no others. What was learned
    /// of members that were watched already is kept. With [`Scope::Members`] nothing changes.
    pub fn watch(&self, subjects: &[NodeId], now: Instant) {
        if self.config.scope == Scope::Members {
            return;
        }
        let mut watch = self.watch.lock();
        watch.peers.retain(|id, _| subjects.contains(id));
        watch.others = subjects.len();
        for id in subjects.iter().filter(|id| **id != self.me) {
            watch.add(&self.config, id, now);
        }
        watch.schedule.observe(subjects.len(), now);
    }

    /// A message of `from` itself arrived at `now`. Returns [`ClusterEvent::HealthCheckRecovered`]
    /// if that ends an episode. This member itself, and nodes that are not members, are ignored.
    pub fn heartbeat(&self, from: &NodeId, now: Instant) -> Option<ClusterEvent> {
        let mut watch = self.watch.lock();
        if self.config.scope == Scope::Members && !watch.peers.contains_key(from) {
            // The registry has its own lock: release this one first, so that the two never nest.
            drop(watch);
            let is_member = self.registry.get(from).is_some_and(|node| node.state.is_member());
            if !is_member || *from == self.me {
                return None;
            }
            watch = self.watch.lock();
            watch.add(&self.config, from, now);
        }
        watch.hear(from, now)
    }

    /// Judges all silences at `now`. Call it each [`check_interval`](HealthConfig::check_interval).
    /// The verdicts are ordered by name. The checker only reads the registry: the caller applies
    /// the claim of each verdict.
    #[must_use = "a verdict's event is to be published, and its claim applied"]
    pub fn check(&self, now: Instant) -> Vec<HealthVerdict> {
        let members = (self.config.scope == Scope::Members).then(|| self.registry.snapshot());
        let crossings = {
            let mut watch = self.watch.lock();
            let paused = watch.tick(self.config.pause_limit(), now);
            if let Some(snapshot) = &members {
                watch.follow(&self.config, &self.me, snapshot, now);
            }
            if paused { Vec::new() } else { watch.crossings(self.config.phi.threshold, now) }
        };
        if crossings.is_empty() {
            return Vec::new();
        }
        let snapshot = members.unwrap_or_else(|| self.registry.snapshot());
        crossings.into_iter().filter_map(|crossing| self.judge(crossing, &snapshot)).collect()
    }

    /// The suspicion level of `id`; `None` if it is not watched.
    pub fn phi(&self, id: &NodeId, now: Instant) -> Option<f64> {
        let watch = self.watch.lock();
        watch.peers.get(id).map(|peer| peer.detector.phi_above(now, watch.schedule.floor()))
    }

    /// For how long nothing has been heard from `id`, without the pauses of this process; `None` if
    /// `id` is not watched.
    pub fn silence(&self, id: &NodeId, now: Instant) -> Option<Duration> {
        self.watch.lock().peers.get(id).map(|peer| peer.detector.silence(now))
    }

    /// The number of members that are watched.
    pub fn watched(&self) -> usize {
        self.watch.lock().peers.len()
    }

    /// The number of members that were not watched at the last check, because
    /// [`peers_max`](HealthConfig::peers_max) others were.
    pub fn unwatched(&self) -> usize {
        let watch = self.watch.lock();
        watch.others.saturating_sub(watch.peers.len())
    }

    fn judge(&self, crossing: Crossing, snapshot: &Snapshot) -> Option<HealthVerdict> {
        let Crossing { id, phi, silence } = crossing;
        let node = snapshot.get(&id).filter(|node| node.state.is_member())?;
        let claims = self.config.scope == Scope::Members;
        let claim = claims.then(|| Arc::new(node.with_state(NodeState::Suspect)));
        let cause = Cause::by(self.me.clone(), Reason::Phi { phi, silence });
        let threshold = self.config.phi.threshold;
        Some(HealthVerdict {
            event: ClusterEvent::HealthCheckFailed { id: id.clone(), phi, threshold, silence },
            id,
            claim,
            cause,
        })
    }
}

impl fmt::Debug for HealthChecker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HealthChecker")
            .field("me", &self.me)
            .field("watched", &self.watched())
            .finish_non_exhaustive()
    }
}

impl Watch {
    /// Notes a check. If it comes later than `pause_limit`, this process was paused: takes that
    /// time out of all silences. Returns whether it was paused.
    fn tick(&mut self, pause_limit: Duration, now: Instant) -> bool {
        let since_last = now.since(self.checked);
        // A clock that goes back must not make the next check look like a pause.
        self.checked = self.checked.max(now);
        let paused = since_last > pause_limit;
        if paused {
            self.peers.values_mut().for_each(|peer| peer.detector.excuse(since_last, now));
        }
        paused
    }

    /// Brings the peers and the schedule up to date with the registry.
    fn follow(&mut self, config: &HealthConfig, me: &NodeId, snapshot: &Snapshot, now: Instant) {
        if self.version != Some(snapshot.version()) {
            self.version = Some(snapshot.version());
            self.peers.retain(|id, _| snapshot.get(id).is_some_and(|node| node.state.is_member()));
            self.others = 0;
            for node in snapshot.members().filter(|node| node.id != *me) {
                self.others += 1;
                self.add(config, &node.id, now);
            }
        }
        self.schedule.observe(self.others, now);
    }

    fn add(&mut self, config: &HealthConfig, id: &NodeId, now: Instant) {
        if self.peers.len() < config.peers_max && !self.peers.contains_key(id) {
            let detector = PhiAccrualDetector::with_valid(config.phi, now);
            self.peers.insert(id.clone(), Peer { detector, failed: None });
            self.oldest = self.oldest.min(now);
        }
    }

    /// Takes in a heartbeat of a peer, if the peer is watched. Returns the event if that ends an
    /// episode.
    fn hear(&mut self, from: &NodeId, now: Instant) -> Option<ClusterEvent> {
        let peer = self.peers.get_mut(from)?;
        peer.detector.heartbeat_above(now, self.schedule.floor());
        self.oldest = self.oldest.min(now);
        let failed = peer.failed.take()?;
        Some(ClusterEvent::HealthCheckRecovered { id: from.clone(), episode: now.since(failed) })
    }

    /// Starts an episode for each peer whose phi has reached the threshold. Returns these peers by
    /// name.
    ///
    /// No distribution is narrower than the floor, and the floor reaches the threshold only past
    /// the longest gap of the schedule. So a peer with a shorter silence needs no judgement. While
    /// the most silent peer is below that gap, no peer is examined: a check then costs O(1), not an
    /// error function for each peer.
    fn crossings(&mut self, threshold: f64, now: Instant) -> Vec<Crossing> {
        let longest_gap = self.schedule.longest_gap();
        let mut crossings = Vec::new();
        if now.since(self.oldest) < longest_gap {
            return crossings;
        }
        let floor = self.schedule.floor();
        self.oldest = now;
        for (id, peer) in self.peers.iter_mut().filter(|(_, peer)| peer.failed.is_none()) {
            let silence = peer.detector.silence(now);
            self.oldest = self.oldest.min(now - silence);
            if silence < longest_gap {
                continue;
            }
            let phi = peer.detector.phi_above(now, floor);
            if phi >= threshold {
                peer.failed = Some(now);
                crossings.push(Crossing { id: id.clone(), phi, silence });
            }
        }
        crossings
    }
}
