//! The health checker: phi for every member of the shared registry, turned into verdicts. It hears of beats and of
//! time; it sends nothing and runs nothing.

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

/// Watches the silence of all members and suspects those whose silence their past does not explain.
///
/// **Whom it watches.** With [`Scope::Members`] every member of the registry (alive or suspect) but ourselves, from the first
/// [`check`](Self::check) or beat at which it is one, until it is none. A member that was never heard from is watched
/// too: its silence counts from then, against the prior. At most [`peers_max`](HealthConfig::peers_max) are watched,
/// the first ones by name; [`unwatched`](Self::unwatched) counts the others. With [`Scope::Listed`] those that
/// [`watch`](Self::watch) names, and then it reports only: the registry is not changed, because the protocol has
/// witnesses asked before anybody is accused.
///
/// **When it speaks.** Once an episode: when phi reaches the threshold. The episode ends with the next beat of the
/// member, and only with that. The law of intervals is never taken to be narrower than the
/// [`Rhythm`](crate::Rhythm) of the protocol implies for a group of this size, so no silence is suspicious that chance
/// alone explains: under SWIM's round-robin with `N` members nothing up to `2 * (N - 1)` probe intervals plus
/// [`pause_limit`](HealthConfig::pause_limit). In a group that has just shrunk the former size still counts for as long.
/// In large groups this check is therefore slow under round-robin, and the protocol's own probes come first.
///
/// **When it doubts itself.** If a check comes later than [`pause_limit`](HealthConfig::pause_limit) after the one before,
/// we were paused ourselves, and nothing could be heard meanwhile. That round is void, and the time since the last
/// check is taken out of every running silence; what a member had been silent before still counts. A process that is
/// always late therefore never suspects anybody.
///
/// Clones share one state behind a lock, which is never held while the registry is asked. Who checks and
/// hears on several threads may see a recovery before the failure that it ends.
#[derive(Clone)]
pub struct HealthChecker {
    me: NodeId,
    config: HealthConfig,
    registry: RegistryView,
    watch: Arc<Mutex<Watch>>,
}

/// What follows from one member's silence.
#[derive(Debug, Clone, PartialEq)]
pub struct HealthVerdict {
    /// Whose silence.
    pub id: NodeId,
    /// Always [`ClusterEvent::HealthCheckFailed`].
    pub event: ClusterEvent,
    /// The claim that it is suspect, at the incarnation at which it was known: to be applied by whoever writes the registry.
    /// `None` with [`Scope::Listed`], which only reports.
    pub claim: Option<Arc<NodeStatus>>,
    /// Why, with ourselves as the accuser.
    pub cause: Cause,
}

struct Watch {
    peers: BTreeMap<NodeId, Peer>,
    schedule: Schedule,
    checked: Instant,
    /// No peer outside an episode has been silent since before this: while that is not long, none needs to be looked at.
    oldest: Instant,
    /// The version of the registry at which `peers` was brought up to date.
    version: Option<u64>,
    /// How many peers there are, watched or not, ourselves not included.
    others: usize,
}

struct Peer {
    detector: PhiAccrualDetector,
    /// When its running episode began.
    failed: Option<Instant>,
}

/// A member whose silence has crossed the threshold.
struct Crossing {
    id: NodeId,
    phi: f64,
    silence: Duration,
}

impl HealthChecker {
    /// A checker for the member `me`. It watches who is in the registry already from `now` on.
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

    /// With [`Scope::Listed`]: watches these members from `now` on, and no others. Those that were watched already keep what
    /// was learned of them. With [`Scope::Members`] nothing changes.
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

    /// Something was heard from `from` itself at `now`. Returns [`ClusterEvent::HealthCheckRecovered`] if that ends an
    /// episode. Ourselves, and those who are no members, are ignored.
    pub fn heartbeat(&self, from: &NodeId, now: Instant) -> Option<ClusterEvent> {
        let mut watch = self.watch.lock();
        if self.config.scope == Scope::Members && !watch.peers.contains_key(from) {
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

    /// Judges all silences at `now`; to be called each [`check_interval`](HealthConfig::check_interval). The verdicts
    /// are ordered by name. The checker only reads the registry: each verdict's claim is to be applied to it.
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

    /// For how long nothing has been heard from `id`, pauses of our own left out; `None` if it is not watched.
    pub fn silence(&self, id: &NodeId, now: Instant) -> Option<Duration> {
        self.watch.lock().peers.get(id).map(|peer| peer.detector.silence(now))
    }

    /// How many members are watched.
    pub fn watched(&self) -> usize {
        self.watch.lock().peers.len()
    }

    /// How many members were not watched at the last check because [`peers_max`](HealthConfig::peers_max) others were.
    pub fn unwatched(&self) -> usize {
        let watch = self.watch.lock();
        watch.others.saturating_sub(watch.peers.len())
    }

    fn judge(&self, crossing: Crossing, snapshot: &Snapshot) -> Option<HealthVerdict> {
        let Crossing { id, phi, silence } = crossing;
        let node = snapshot.get(&id).filter(|node| node.state.is_member())?;
        let marks = self.config.scope == Scope::Members;
        let claim = marks.then(|| Arc::new(node.with_state(NodeState::Suspect)));
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
    /// Notes a check. If it comes too late for a normal one we were paused: takes that time out of all silences.
    fn tick(&mut self, pause_limit: Duration, now: Instant) -> bool {
        let since_last = now.since(self.checked);
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

    /// Hears a beat of a peer, if it is watched. Returns the event if that ends an episode.
    fn hear(&mut self, from: &NodeId, now: Instant) -> Option<ClusterEvent> {
        let peer = self.peers.get_mut(from)?;
        peer.detector.heartbeat_above(now, self.schedule.floor());
        self.oldest = self.oldest.min(now);
        let failed = peer.failed.take()?;
        Some(ClusterEvent::HealthCheckRecovered { id: from.clone(), episode: now.since(failed) })
    }

    /// Begins an episode for each peer whose phi has reached the threshold, and returns them by name.
    ///
    /// No law is narrower than the floor, which reaches the threshold past the longest gap of the schedule. So nobody
    /// whose silence is no longer needs to be judged, and while that is so of the most silent one, nobody is looked at.
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
