//! Failure detection: how members are probed, and when a silent member becomes suspect and failed.
//! There are two methods. The mode chooses one of them when the machine is created.
//!
//! ```text
//!   Detection ──┬─ round_robin/   one probe a period, then helpers, a suspicion  (Swim, Lifeguard)
//!               ├─ rings/         four subjects, then witnesses, then a verdict  (Verified)
//!               ├─ suspicions.rs  who accuses which member, and since when       (all)
//!               └─ partition.rs   how many members are alive, and partitions     (all)
//!   Helper         helper.rs      probes and port checks that other members want (all)
//! ```
//!
//! This module does not know how gossip spreads, how views are exchanged, or which events the
//! application receives.

mod helper;
mod partition;
mod rings;
mod round_robin;
mod suspicions;

use std::collections::BTreeSet;
use std::time::Duration;

use kinfolk_core::signed::Charge;
use kinfolk_core::{Cause, Instant, NodeId, NodeState, NodeStatus, Reason};
use kinfolk_detector::{Evidence, Finding, PartitionStatus, SuspicionStatus};

use crate::context::Context;
use crate::timer::Timer;
pub(crate) use helper::{Helper, PingReq, relay_acked, relay_failed};
use partition::Partition;
pub use rings::entitled_accusers;
pub(crate) use rings::{Rings, WitnessAnswer, may_watch};
pub(crate) use round_robin::{ProbeAnswer, RoundRobin};
use suspicions::Suspicions;

/// The method that watches the members, and the suspicions.
#[derive(Debug)]
pub(crate) struct Detection {
    method: Method,
    suspicions: Suspicions,
}

/// The two detection methods.
#[derive(Debug)]
enum Method {
    RoundRobin(RoundRobin),
    Rings(Rings),
}

impl Detection {
    /// Round-robin: this member probes all members in turn. A suspicion expires into a failure, as
    /// in SWIM and Lifeguard.
    pub(crate) fn in_turn(cx: &mut Context) -> Self {
        let round_robin = RoundRobin::new(cx);
        Self { method: Method::RoundRobin(round_robin), suspicions: Suspicions::expiring() }
    }

    /// Rings: each member is watched by its neighbours in the rings. A suspicion has no clock,
    /// because only members that accuse by their own probes judge (docs/decisions/0007).
    pub(crate) fn in_rings(cx: &mut Context) -> Self {
        Self { method: Method::Rings(Rings::new(cx)), suspicions: Suspicions::without_clock() }
    }

    /// Starts with the members that the view holds already.
    pub(crate) fn begin(&mut self, cx: &mut Context) {
        self.recount(cx);
        if let Method::Rings(rings) = &mut self.method {
            rings.begin(cx);
        }
    }

    /// The rings; `None` in the round-robin modes.
    pub(crate) fn rings(&mut self) -> Option<&mut Rings> {
        match &mut self.method {
            Method::Rings(rings) => Some(rings),
            Method::RoundRobin(_) => None,
        }
    }

    /// The round-robin; `None` in `Mode::Verified`.
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

    /// A node became a member, or is no member any more. The roster is up to date already.
    pub(crate) fn membership_changed(&mut self, cx: &mut Context, id: &NodeId, is_member: bool) {
        if let Some(rings) = self.rings() {
            rings.membership_changed(cx, id, is_member);
        }
    }

    /// A member has a new state. Starts or ends its suspicion.
    pub(crate) fn state_changed(&mut self, cx: &mut Context, after: &NodeStatus, accusers: &[NodeId]) {
        match after.state {
            NodeState::Alive => {
                self.suspicions.end(cx, &after.id);
                if let Some(rings) = self.rings() {
                    // An `Alive` claim comes from the member itself, so it counts as an answer.
                    rings.subjects.heard_itself(cx, &after.id);
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

    /// More members accuse a member that is suspect already.
    pub(crate) fn confirm(&mut self, cx: &mut Context, node: &NodeStatus, accusers: &[NodeId]) {
        self.suspicions.confirm(cx, node, accusers);
    }

    /// A member left. The partition detector lowers the known size of the group.
    pub(crate) fn left(&mut self) {
        self.partition_mut().left();
    }

    /// The number of live members changed. If some are missing, they are counted again within one
    /// probe interval.
    pub(crate) fn recount(&mut self, cx: &mut Context) {
        self.partition_mut().recount(cx);
    }

    /// How many members are live and known, and whether there is a partition.
    pub(crate) fn partition_status(&self) -> PartitionStatus {
        match &self.method {
            Method::RoundRobin(round_robin) => round_robin.partition.status(),
            Method::Rings(rings) => rings.partition.status(),
        }
    }

    /// This member could not send or receive since `since`, because it was paused.
    pub(crate) fn was_paused(&mut self, cx: &mut Context, since: Instant) {
        if let Some(rings) = self.rings() {
            rings.was_paused(cx, since);
        }
    }

    /// This member handled something `by` too late. Only the rings use the lateness.
    pub(crate) fn was_late(&mut self, cx: &mut Context, by: Duration) {
        if matches!(self.method, Method::Rings(_)) {
            cx.was_late(by);
        }
    }

    /// This member can send and receive again; since `since` it could not. Probes that are overdue
    /// are spread over time, so that they do not all leave at once.
    pub(crate) fn resumed(&mut self, cx: &mut Context, since: Instant) {
        if let Some(rings) = self.rings() {
            rings.was_paused(cx, since);
            rings.subjects.spread_late_probes(cx);
        }
    }

    /// A period of the round-robin ends. A target that did not answer in it becomes suspect.
    pub(crate) fn end_period(&mut self, cx: &mut Context) {
        let silent = self.round_robin().and_then(|round_robin| round_robin.end_period(cx));
        let Some((id, reason)) = silent else { return };
        let Some(node) = cx.members.member(&id).filter(|_| !cx.is_absent(&id)) else { return };
        if node.state == NodeState::Suspect {
            let me = cx.me.clone();
            // Another accuser: this member's accusation shortens the suspicion (Lifeguard, section
            // IV-B).
            return self.suspicions.confirm(cx, &node, &[me]);
        }
        cx.stats.suspicions += 1;
        let cause = Cause::by(cx.me.clone(), reason);
        cx.judge(&node, NodeState::Suspect, cause);
    }

    /// A timer of this module is due.
    pub(crate) fn due(&mut self, cx: &mut Context, timer: &Timer) {
        match (&mut self.method, timer) {
            (_, Timer::Suspicion(id)) => self.suspicions.due(cx, id),
            (Method::RoundRobin(round_robin), timer) => round_robin.due(cx, timer),
            (Method::Rings(rings), timer) => rings.due(cx, timer),
        }
    }

    /// The phi threshold is crossed: the silence of a member has become improbable.
    pub(crate) fn phi_crossed(&mut self, cx: &mut Context, id: &NodeId, reason: Reason) {
        if let Some(rings) = self.rings() {
            rings.phi_crossed(cx, id, reason);
        }
    }

    /// A watcher probes this member. Returns by how many milliseconds its next probe should come
    /// later, or, if negative, earlier.
    pub(crate) fn probed_by(&mut self, cx: &Context, watcher: &NodeId) -> i16 {
        self.rings().map_or(0, |rings| rings.probed_by(cx, watcher))
    }

    /// Subjects and watchers, each once: gossip updates go to them at once.
    pub(crate) fn neighbours(&self) -> Vec<NodeId> {
        match &self.method {
            Method::RoundRobin(_) => Vec::new(),
            Method::Rings(rings) => rings.neighbours(),
        }
    }

    /// The subjects that answer, if at least half of all subjects do.
    pub(crate) fn answering_subjects(&self) -> Vec<NodeId> {
        match &self.method {
            Method::RoundRobin(_) => Vec::new(),
            Method::Rings(rings) => rings.subjects.answering_subjects(),
        }
    }

    /// Whether the latest answer of `id` agreed with the current view of this member.
    pub(crate) fn agrees(&self, cx: &Context, id: &NodeId) -> bool {
        matches!(&self.method, Method::Rings(rings) if rings.subjects.agrees(cx, id))
    }

    /// What this member itself holds against a member that it watches, if that is grave enough for
    /// a failure. `closed`: its port was found closed just now.
    pub(crate) fn testimony(&self, cx: &Context, id: &NodeId, closed: bool) -> Option<Charge> {
        let Method::Rings(rings) = &self.method else { return None };
        if !rings.subjects.contains(id) {
            return None;
        }
        if closed {
            return Some(Charge::PortClosed);
        }
        if rings.subjects.is_lossy(id) {
            return Some(Charge::Lossy);
        }
        let silence = cx.now.since(rings.subjects.silent_since(id)?);
        if silence < grave_silence(cx) {
            return None;
        }
        // Many members are silent at once, so the fault may be this member's own. It testifies to
        // less than a verdict.
        let less = cx.config.tolerated_pause.saturating_sub(Duration::from_millis(1));
        let silence = if rings.is_holding() { silence.min(less) } else { silence };
        Some(Charge::Silent { for_ms: whole_millis(silence) })
    }

    /// Whether this member finds `id` lossy: reachable only now and then.
    pub(crate) fn is_lossy(&self, id: &NodeId) -> bool {
        matches!(&self.method, Method::Rings(rings) if rings.subjects.is_lossy(id))
    }

    /// Whether fewer than half of this member's latest probes were answered. Then others may hardly
    /// reach this member either.
    pub(crate) fn reaches_few(&self) -> bool {
        matches!(&self.method, Method::Rings(rings) if rings.subjects.reaches_few())
    }

    /// Whether this member sends the updates that a returned member missed. About four members do,
    /// whatever the size of the group.
    pub(crate) fn updates_returned_member(&self, cx: &mut Context, id: &NodeId) -> bool {
        match &self.method {
            Method::RoundRobin(_) => cx.rng.below(cx.roster.len().max(1)) < 4,
            Method::Rings(rings) => rings.subjects.contains(id),
        }
    }

    /// The accusers of `id`, as far as this member knows.
    pub(crate) fn accusers_of(&self, id: &NodeId) -> Vec<NodeId> {
        self.suspicions.accusers_of(id)
    }

    /// A finding about `id`, with its evidence.
    pub(crate) fn evidence(&self, cx: &Context, id: &NodeId, finding: Finding, cause: Cause) -> Evidence {
        match &self.method {
            Method::RoundRobin(_) => evidence(cx, id, (finding, cause), (None, None)),
            Method::Rings(rings) => rings.subjects.evidence(cx, id, finding, cause),
        }
    }

    /// The members that do not answer this member, or that are suspect in its view, ordered by
    /// name. `last` returns the last finding about a member.
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
            // A finding from before this silence does not explain it.
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

/// The silence from which on a witness accuses. Half of the tolerated pause: the
/// accusers notice a crash up to a cycle of probes apart.
fn grave_silence(cx: &Context) -> Duration {
    cx.config.tolerated_pause / 2
}

/// The charge for a reason of this member's own.
pub(crate) fn charge_of(reason: Reason) -> Option<Charge> {
    match reason {
        Reason::Silent { silence, .. } | Reason::Phi { silence, .. } => {
            Some(Charge::Silent { for_ms: whole_millis(silence) })
        }
        Reason::ProbeUnanswered { .. } => Some(Charge::Silent { for_ms: 0 }),
        Reason::PortClosed { .. } => Some(Charge::PortClosed),
        Reason::Lossy { .. } => Some(Charge::Lossy),
        // No evidence of this member's own.
        _ => None,
    }
}

fn whole_millis(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

/// A finding about `id`. `phi` and `round_trip` are `None` where they are not known.
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

/// Access for tests.
#[cfg(test)]
pub(crate) mod peek {
    use super::*;

    /// The number of suspected members.
    pub(crate) fn suspected(detection: &Detection) -> usize {
        detection.suspicions.ids().count()
    }

    /// Whether `id` is suspected.
    pub(crate) fn is_suspected(detection: &Detection, id: &NodeId) -> bool {
        detection.suspicions.started(id).is_some()
    }

    /// Whether this member watches `id`.
    pub(crate) fn watches(detection: &mut Detection, id: &NodeId) -> bool {
        detection.rings().is_some_and(|rings| rings.subjects.contains(id))
    }

    /// Whether this member watches `id` and gets no answer.
    pub(crate) fn is_silent(detection: &mut Detection, id: &NodeId) -> bool {
        detection.rings().is_some_and(|rings| rings.subjects.silent().contains(id))
    }

    /// Ends the watching of all subjects.
    pub(crate) fn watch_nobody(detection: &mut Detection, cx: &mut Context) {
        if let Some(rings) = detection.rings() {
            rings.subjects.watch(cx, Vec::new());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interface::config::SwimConfig;

    fn context(config: SwimConfig, names: &[String]) -> Context {
        let others: Vec<_> = names.iter().map(|name| (name.as_str(), NodeState::Alive)).collect();
        Context::of_others(config, &others)
    }

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|number| format!("n{number:02}")).collect()
    }

    /// About four members of a group of any size do so.
    #[test]
    fn four_members_update_a_returned_one_in_round_robin() {
        for (others, least, most) in [(1, 1_000, 1_000), (4, 1_000, 1_000), (8, 450, 550)] {
            let mut cx = context(SwimConfig::lifeguard(), &names(others));
            let detection = Detection::in_turn(&mut cx);
            let id = NodeId::new("n00").unwrap();
            let count = (0..1_000).filter(|_| detection.updates_returned_member(&mut cx, &id)).count();
            assert!((least..=most).contains(&count), "{count} of 1,000 with {others} others");
        }
    }

    #[test]
    fn watchers_update_a_returned_member_in_rings() {
        let names = names(20);
        let mut cx = context(SwimConfig::verified(), &names);
        let mut detection = Detection::in_rings(&mut cx);
        detection.begin(&mut cx);
        for name in &names {
            let id = NodeId::new(name).unwrap();
            let watches = peek::watches(&mut detection, &id);
            assert_eq!(detection.updates_returned_member(&mut cx, &id), watches, "{name}");
        }
    }
}
