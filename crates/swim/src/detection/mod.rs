//! Who is alive: how members are probed, and when one that does not answer is suspected and declared failed. There are two
//! ways, and the mode chooses one of them when the machine is made.
//!
//! ```text
//!   Detection ──┬─ round_robin/   one member a period, then helpers, then a suspicion       (Swim, Lifeguard)
//!               ├─ rings/         four subjects each, then witnesses, then a verdict        (Verified)
//!               ├─ suspicions.rs  who accuses whom, and for how long                        (all)
//!               └─ partition.rs   how many live, and whether the group is parted            (all)
//!   Helper         helper.rs      probes and checks of ports that others ask us for         (all)
//! ```
//!
//! It knows nothing of how news travels, of exchanges, or of what the application is told.

mod helper;
mod partition;
mod rings;
mod round_robin;
mod suspicions;

use std::collections::BTreeSet;
use std::time::Duration;

use kinfolk_core::{Cause, Instant, NodeId, NodeState, NodeStatus, Reason};
use kinfolk_detector::{Evidence, Finding, PartitionStatus, SuspicionStatus};

use crate::context::Context;
use crate::timer::Timer;
pub(crate) use helper::{Helper, PingReq, relay_acked, relay_failed};
use partition::Partition;
pub(crate) use rings::{Rings, WitnessAnswer};
pub(crate) use round_robin::{ProbeAnswer, RoundRobin};
use suspicions::Suspicions;

/// How members are watched, and who is suspected.
#[derive(Debug)]
pub(crate) struct Detection {
    method: Method,
    suspicions: Suspicions,
}

/// One of the two ways.
#[derive(Debug)]
enum Method {
    RoundRobin(RoundRobin),
    Rings(Rings),
}

impl Detection {
    /// Members are probed in turn.
    pub(crate) fn in_turn(cx: &mut Context) -> Self {
        let round_robin = RoundRobin::new(cx);
        Self { method: Method::RoundRobin(round_robin), suspicions: Suspicions::that_expire() }
    }

    /// Members are watched by their neighbours in the rings.
    pub(crate) fn in_rings(cx: &mut Context) -> Self {
        Self { method: Method::Rings(Rings::new(cx)), suspicions: Suspicions::without_time() }
    }

    /// Begins with those that are members already.
    pub(crate) fn begin(&mut self, cx: &mut Context) {
        self.recount(cx);
        if let Method::Rings(rings) = &mut self.method {
            rings.begin(cx);
        }
    }

    /// The rings, if members are watched in rings.
    pub(crate) fn rings(&mut self) -> Option<&mut Rings> {
        match &mut self.method {
            Method::Rings(rings) => Some(rings),
            Method::RoundRobin(_) => None,
        }
    }

    /// The round-robin, if members are probed in turn.
    pub(crate) fn round_robin(&mut self) -> Option<&mut RoundRobin> {
        match &mut self.method {
            Method::RoundRobin(round_robin) => Some(round_robin),
            Method::Rings(_) => None,
        }
    }

    fn partition_mut(&mut self) -> &mut Partition {
        match &mut self.method {
            Method::RoundRobin(round_robin) => &mut round_robin.partition,
            Method::Rings(rings) => &mut rings.partition,
        }
    }

    /// Somebody has become a member, or is none any more; the roster knows it already.
    pub(crate) fn came_or_went(&mut self, cx: &mut Context, id: &NodeId, is_member: bool) {
        if let Some(rings) = self.rings() {
            rings.came_or_went(cx, id, is_member);
        }
    }

    /// A member is in this state from now on: the clocks of suspicion follow.
    pub(crate) fn stands(&mut self, cx: &mut Context, after: &NodeStatus, accusers: &[NodeId]) {
        match after.state {
            NodeState::Alive => {
                self.suspicions.end(cx, &after.id);
                if let Some(rings) = self.rings() {
                    // It has just said so itself.
                    rings.subjects.heard_from(cx, &after.id);
                }
            }
            NodeState::Suspect => {
                if let Some(rings) = self.rings() {
                    rings.subjects.suspected(cx, &after.id);
                }
                self.suspicions.suspected(cx, after, accusers);
            }
            NodeState::Failed | NodeState::Left => self.suspicions.end(cx, &after.id),
        }
    }

    /// More members accuse one that is suspect already.
    pub(crate) fn confirm(&mut self, cx: &mut Context, node: &NodeStatus, accusers: &[NodeId]) {
        self.suspicions.confirm(cx, node, accusers);
    }

    /// One that counted has left on purpose.
    pub(crate) fn left(&mut self) {
        self.partition_mut().left();
    }

    /// Somebody has come, gone, or fallen silent: how many there are, and a look at all of them within an interval.
    pub(crate) fn recount(&mut self, cx: &mut Context) {
        self.partition_mut().recount(cx);
    }

    /// How the group stands.
    pub(crate) fn partition_status(&self) -> PartitionStatus {
        match &self.method {
            Method::RoundRobin(round_robin) => round_robin.partition.status(),
            Method::Rings(rings) => rings.partition.status(),
        }
    }

    /// Since `since` we could not ask, or not hear what others say, because we were paused.
    pub(crate) fn was_deaf(&mut self, cx: &mut Context, since: Instant) {
        if let Some(rings) = self.rings() {
            rings.was_deaf(cx, since);
        }
    }

    /// Something that was due was done so much too late.
    pub(crate) fn was_late(&mut self, cx: &mut Context, by: Duration) {
        if matches!(self.method, Method::Rings(_)) {
            cx.was_late(by);
        }
    }

    /// We can ask and hear again; since `since` we could not. Probes that could not be made when they were due come one
    /// after another.
    pub(crate) fn hear_again(&mut self, cx: &mut Context, since: Instant) {
        if let Some(rings) = self.rings() {
            rings.was_deaf(cx, since);
            rings.subjects.spread_late_probes(cx);
        }
    }

    /// A period of the round-robin ends. Who has not answered in it is suspected.
    pub(crate) fn end_period(&mut self, cx: &mut Context) {
        let silent = self.round_robin().and_then(|round_robin| round_robin.end_period(cx));
        let Some((id, reason)) = silent else { return };
        let Some(node) = cx.members.member(&id) else { return };
        if node.state == NodeState::Suspect {
            let me = cx.me.clone();
            return self.suspicions.confirm(cx, &node, &[me]);
        }
        cx.stats.suspicions += 1;
        let cause = Cause::by(cx.me.clone(), reason);
        cx.judge(&node, NodeState::Suspect, cause);
    }

    /// A timer of detection is due.
    pub(crate) fn due(&mut self, cx: &mut Context, timer: &Timer) {
        match (&mut self.method, timer) {
            (_, Timer::Suspicion(id)) => self.suspicions.due(cx, id),
            (Method::RoundRobin(round_robin), timer) => round_robin.due(cx, timer),
            (Method::Rings(rings), timer) => rings.due(cx, timer),
        }
    }

    /// The health checker finds the silence of a member improbable.
    pub(crate) fn phi_crossed(&mut self, cx: &mut Context, id: &NodeId, reason: Reason) {
        if let Some(rings) = self.rings() {
            rings.phi_crossed(cx, id, reason);
        }
    }

    /// A member probes us: by how many milliseconds it should come later, or earlier, next time.
    pub(crate) fn probed_by(&mut self, cx: &Context, watcher: &NodeId) -> i16 {
        self.rings().map_or(0, |rings| rings.probed_by(cx, watcher))
    }

    /// With whom we exchange news at once: our subjects and our watchers, each once.
    pub(crate) fn neighbours(&self) -> Vec<NodeId> {
        match &self.method {
            Method::RoundRobin(_) => Vec::new(),
            Method::Rings(rings) => rings.neighbours(),
        }
    }

    /// Those that we watch and that answer, if most of ours do.
    pub(crate) fn near(&self) -> Vec<NodeId> {
        match &self.method {
            Method::RoundRobin(_) => Vec::new(),
            Method::Rings(rings) => rings.subjects.near(),
        }
    }

    /// Whether this member has said lately that its view agrees with the one that we have now.
    pub(crate) fn agrees(&self, cx: &Context, id: &NodeId) -> bool {
        matches!(&self.method, Method::Rings(rings) if rings.subjects.agrees(cx, id))
    }

    /// Whether we find that this member can be reached only now and then.
    pub(crate) fn is_lossy(&self, id: &NodeId) -> bool {
        matches!(&self.method, Method::Rings(rings) if rings.subjects.is_lossy(id))
    }

    /// Whether we may hardly be reached ourselves.
    pub(crate) fn reaches_few(&self) -> bool {
        matches!(&self.method, Method::Rings(rings) if rings.subjects.reach_few())
    }

    /// Whether it is upon us to tell a member that is back what it missed: upon about four of all members.
    pub(crate) fn tells_who_is_back(&self, cx: &mut Context, id: &NodeId) -> bool {
        match &self.method {
            Method::RoundRobin(_) => cx.rng.below(cx.roster.len().max(1)) < 4,
            Method::Rings(rings) => rings.subjects.contains(id),
        }
    }

    /// Who accuses `id`, as far as we know.
    pub(crate) fn accusers_of(&self, id: &NodeId) -> Vec<NodeId> {
        self.suspicions.accusers_of(id)
    }

    /// A finding about `id`, with what we know of it.
    pub(crate) fn evidence(&self, cx: &Context, id: &NodeId, finding: Finding, cause: Cause) -> Evidence {
        match &self.method {
            Method::RoundRobin(_) => evidence(cx, id, (finding, cause), (None, None)),
            Method::Rings(rings) => rings.subjects.evidence(cx, id, finding, cause),
        }
    }

    /// The members that do not answer this one, or that are suspect in its view, ordered by name. `last` is the last finding
    /// about a member.
    pub(crate) fn suspicion_status<'a>(
        &self,
        now: Instant,
        last: impl Fn(&NodeId) -> Option<&'a Evidence>,
    ) -> Vec<SuspicionStatus> {
        let silent_since = |id: &NodeId| match &self.method {
            Method::RoundRobin(_) => None,
            Method::Rings(rings) => rings.subjects.silent_since(id),
        };
        let silent: Vec<NodeId> = match &self.method {
            Method::RoundRobin(_) => Vec::new(),
            Method::Rings(rings) => rings.subjects.silent(),
        };
        let ids: BTreeSet<&NodeId> = silent.iter().chain(self.suspicions.ids()).collect();
        let status = |id: &NodeId| {
            let silent_since = silent_since(id);
            // A finding from before this silence says nothing about it.
            let last = last(id).filter(|evidence| silent_since.is_some_and(|since| evidence.at >= since));
            SuspicionStatus {
                id: id.clone(),
                silent_for: silent_since.map(|since| now.since(since)),
                suspect_for: self.suspicions.started(id).map(|started| now.since(started)),
                held: last
                    .map(|evidence| evidence.finding)
                    .filter(|finding| finding.holds_verdict().is_some()),
            }
        };
        ids.into_iter().map(status).collect()
    }
}

/// A finding about `id`, with the level of its silence and its round trip where they are known.
fn evidence(
    cx: &Context,
    id: &NodeId,
    (finding, cause): (Finding, Cause),
    (phi, round_trip): (Option<f64>, Option<Duration>),
) -> Evidence {
    Evidence {
        at: cx.now,
        finding,
        cause,
        incarnation: cx.members.get(id).map(|node| node.incarnation).unwrap_or_default(),
        phi,
        round_trip,
        local_health: cx.health.score(),
    }
}

/// What tests look at.
#[cfg(test)]
pub(crate) mod peek {
    use super::*;

    /// How many are suspected.
    pub(crate) fn suspected(detection: &Detection) -> usize {
        detection.suspicions.ids().count()
    }

    /// Whether `id` is suspected.
    pub(crate) fn is_suspected(detection: &Detection, id: &NodeId) -> bool {
        detection.suspicions.started(id).is_some()
    }

    /// Whether `id` is a subject of ours.
    pub(crate) fn watches(detection: &mut Detection, id: &NodeId) -> bool {
        detection.rings().is_some_and(|rings| rings.subjects.contains(id))
    }

    /// Whether `id` is a subject of ours that does not answer.
    pub(crate) fn is_silent(detection: &mut Detection, id: &NodeId) -> bool {
        detection.rings().is_some_and(|rings| rings.subjects.silent().contains(id))
    }

    /// Has nobody watched any more.
    pub(crate) fn watch_nobody(detection: &mut Detection, cx: &mut Context) {
        if let Some(rings) = detection.rings() {
            rings.subjects.watch(cx, Vec::new());
        }
    }
}
