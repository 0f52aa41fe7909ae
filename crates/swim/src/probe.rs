//! The probe of one member a period: directly, then through helpers, then a suspicion (SWIM, section 3.1; Lifeguard's
//! local health, section IV-A).
//!
//! ```text
//!   period begins ── Ping ──> target
//!        │ probe_timeout, or the request failed
//!        ├── PingReq ──> K helpers ── Ping ──> target
//!   period ends: an Ack from anyone ──> fine;  none ──> suspect
//! ```
//!
//! Both times are stretched by local health. A probe that a limit of our own prevented proves nothing and is void.

use std::time::Duration;

use kinfolk_core::{Instant, NodeId, NodeState, Reason};

use crate::input::{NoReply, RequestId};
use crate::machine::Machine;
use crate::message::Message;
use crate::requests::Purpose;
use crate::timer::Timer;

/// The probe that is under way.
#[derive(Debug)]
pub(crate) struct Probe {
    pub target: NodeId,
    direct: RequestId,
    /// When the period ends, and with it the helpers' time.
    ends: Instant,
    /// The requests to helpers; `None` until they are asked.
    helpers: Option<Vec<RequestId>>,
    nacks: usize,
    outcome: Option<Settled>,
}

/// What is known of the probe before its period has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Settled {
    Answered,
    /// A limit of ours kept us from asking.
    Void,
}

impl Machine {
    /// A period ends and the next begins.
    pub(crate) fn on_probe_due(&mut self, now: Instant) {
        self.conclude_probe(now);
        if self.has_left() {
            return;
        }
        let ends = now + self.local_health.scale(self.config.probe_interval);
        self.timers.schedule(ends, Timer::Probe);
        let Some(target) = self.overlay.next_target(&mut self.rng).and_then(|id| self.registry.get(&id))
        else {
            return;
        };
        self.stats.probes += 1;
        let gossip = self.gossip_for(&target);
        let direct =
            self.request(&target, Message::Ping { digest: 0, gossip }, Purpose::Probe, ends.since(now));
        let timeout = now + self.local_health.scale(self.config.probe_timeout);
        self.timers.schedule(timeout, Timer::ProbeTimeout(direct));
        let target = target.id.clone();
        self.probe = Some(Probe { target, direct, ends, helpers: None, nacks: 0, outcome: None });
    }

    pub(crate) fn on_probe_timeout(&mut self, now: Instant, request: RequestId) {
        if self.probe.as_ref().is_some_and(|probe| probe.direct == request) {
            self.ask_helpers(now);
        }
    }

    pub(crate) fn on_direct_ack(&mut self, from: &NodeId) {
        let Some(probe) = &mut self.probe else { return };
        if probe.target == *from && probe.outcome.is_none() {
            probe.outcome = Some(Settled::Answered);
            self.stats.acks += 1;
            self.local_health.lower();
        }
    }

    pub(crate) fn on_indirect_ack(&mut self) {
        let Some(probe) = &mut self.probe else { return };
        if probe.outcome.is_none() {
            probe.outcome = Some(Settled::Answered);
            self.stats.indirect_acks += 1;
            self.local_health.lower();
        }
    }

    pub(crate) fn on_nack(&mut self) {
        if let Some(probe) = &mut self.probe {
            probe.nacks += 1;
        }
    }

    /// The direct probe failed before its time was over.
    pub(crate) fn on_direct_silence(&mut self, now: Instant, why: NoReply) {
        let Some(probe) = &mut self.probe else { return };
        if why == NoReply::Local && probe.outcome.is_none() {
            probe.outcome = Some(Settled::Void);
            self.stats.probes_void += 1;
            return;
        }
        self.ask_helpers(now);
    }

    /// A helper could not be asked: then it owes no nack either.
    pub(crate) fn on_indirect_silence(&mut self, request: RequestId, why: NoReply) {
        if why == NoReply::Local
            && let Some(helpers) = self.probe.as_mut().and_then(|probe| probe.helpers.as_mut())
        {
            helpers.retain(|helper| *helper != request);
        }
    }

    fn ask_helpers(&mut self, now: Instant) {
        let Some(probe) = &self.probe else { return };
        if probe.outcome.is_some() || probe.helpers.is_some() {
            return;
        }
        let (target, within) = (probe.target.clone(), probe.ends.since(now));
        let nack = self.config.local_health_max > 0;
        let mut asked = Vec::new();
        for helper in self.random_members(self.config.indirect_probes, Some(&target)) {
            // A suspect helper proves nothing by its silence.
            if helper.state != NodeState::Alive {
                continue;
            }
            let gossip = self.gossip_for(&helper);
            let (target, within_ms) = (target.clone(), whole_millis(within));
            let message = Message::PingReq { target, within_ms, nack, check_port: false, gossip };
            asked.push(self.request(&helper, message, Purpose::IndirectProbe, within));
        }
        if let Some(probe) = &mut self.probe {
            probe.helpers = Some(asked);
        }
    }

    fn conclude_probe(&mut self, now: Instant) {
        let Some(probe) = self.probe.take() else { return };
        let helpers = probe.helpers.unwrap_or_default();
        for request in helpers.iter().chain([&probe.direct]) {
            self.requests.take(*request);
        }
        if probe.outcome.is_some() || self.has_left() {
            return;
        }
        self.stats.probes_failed += 1;
        let missed_nacks = helpers.len().saturating_sub(probe.nacks);
        // With helpers, their missing nacks measure our own health; without, the failed probe is all there is.
        let penalty = if helpers.is_empty() { 1 } else { missed_nacks };
        self.local_health.raise(u32::try_from(penalty).unwrap_or(u32::MAX));
        let reason = Reason::ProbeUnanswered { helpers: helpers.len(), nacks: probe.nacks };
        self.suspect(now, &probe.target, reason);
    }
}

fn whole_millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}
