//! The probe of one member in a period: directly, then through helpers, then a suspicion (SWIM,
//! section 3.1; Lifeguard's local health, section IV-A).
//!
//! ```text
//!   period starts ── Ping ──> target
//!        │ probe_timeout, or the request failed
//!        ├── PingReq ──> K helpers ── Ping ──> target
//!   period ends: an Ack from any of them ──> alive;  none ──> suspect
//! ```
//!
//! Local health stretches both times. A probe that a limit of this member prevented proves nothing,
//! and is void.

use std::sync::Arc;
use std::time::Duration;

use kinfolk_core::{Instant, NodeId, NodeState, NodeStatus, Reason};

use super::ProbeAnswer;
use crate::context::Context;
use crate::fact::Fact;
use crate::interface::input::{NoReply, RequestId};
use crate::purpose::Purpose;
use crate::timer::Timer;
use crate::wire::message::Message;

/// The probe that is under way.
#[derive(Debug)]
pub(super) struct Probe {
    target: NodeId,
    direct: RequestId,
    sent: Instant,
    /// The end of the period, and of the helpers' time.
    ends: Instant,
    /// The requests to helpers; `None` before they are sent.
    helpers: Option<Vec<RequestId>>,
    nacks: usize,
    outcome: Option<Settled>,
}

/// What is known of the probe before its period ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Settled {
    Answered,
    /// A limit of this member prevented the probe.
    Void,
}

impl Probe {
    /// Probes the target of the period that ends at `ends`.
    pub(super) fn begin(cx: &mut Context, target: &Arc<NodeStatus>, ends: Instant) -> Self {
        cx.stats.probes += 1;
        let ping = Message::Ping { digest: 0, gossip: Vec::new() };
        let direct = cx.ask(target, ping, Purpose::Probe, ends.since(cx.now));
        let timeout = cx.now + cx.health.scale(cx.config.probe_timeout);
        cx.timers.schedule(timeout, Timer::ProbeTimeout(direct));
        let target = target.id.clone();
        Self { target, direct, sent: cx.now, ends, helpers: None, nacks: 0, outcome: None }
    }

    /// Whether this request is the direct probe.
    pub(super) fn is_direct(&self, request: RequestId) -> bool {
        self.direct == request
    }

    /// One of the probe's requests has a result; `from` is the peer of the request.
    pub(super) fn answered(&mut self, cx: &mut Context, from: &NodeId, answer: ProbeAnswer) {
        let is_open = self.outcome.is_none();
        match answer {
            ProbeAnswer::Direct if self.target == *from && is_open => {
                self.settle(Settled::Answered);
                cx.stats.acks += 1;
                cx.stats.round_trips.add(cx.now.since(self.sent));
                cx.health.lower();
            }
            ProbeAnswer::Indirect if is_open => {
                self.settle(Settled::Answered);
                cx.stats.indirect_acks += 1;
                cx.health.lower();
            }
            ProbeAnswer::Nack => self.nacks += 1,
            ProbeAnswer::NoDirect(NoReply::Local) if is_open => {
                self.settle(Settled::Void);
                cx.stats.probes_void += 1;
            }
            // The request failed before its time-out, so the helpers need not wait for it.
            ProbeAnswer::NoDirect(_) => self.ask_helpers(cx),
            // A helper that was not asked owes no nack, so its silence must not raise local health.
            ProbeAnswer::NoIndirect(request, NoReply::Local) => {
                if let Some(helpers) = &mut self.helpers {
                    helpers.retain(|helper| *helper != request);
                }
            }
            ProbeAnswer::Direct | ProbeAnswer::Indirect | ProbeAnswer::NoIndirect(..) => {}
        }
    }

    fn settle(&mut self, outcome: Settled) {
        self.outcome = Some(outcome);
    }

    /// The target did not answer in time, or the request failed: asks helpers, once.
    pub(super) fn ask_helpers(&mut self, cx: &mut Context) {
        if self.outcome.is_some() || self.helpers.is_some() {
            return;
        }
        let within = self.ends.since(cx.now);
        let nack = cx.config.local_health_max > 0;
        let mut asked = Vec::new();
        for helper in cx.random_members(cx.config.indirect_probes, Some(&self.target)) {
            // The silence of a suspect helper proves nothing.
            if helper.state != NodeState::Alive {
                continue;
            }
            let (target, within_ms) = (self.target.clone(), whole_millis(within));
            let message = Message::PingReq { target, within_ms, nack, check_port: false, gossip: Vec::new() };
            asked.push(cx.ask(&helper, message, Purpose::IndirectProbe, within));
        }
        self.helpers = Some(asked);
    }

    /// The period is over. Returns the target and the reason for a suspicion, if nobody answered.
    pub(super) fn conclude(self, cx: &mut Context) -> Option<(NodeId, Reason)> {
        let helpers = self.helpers.unwrap_or_default();
        for request in helpers.iter().chain([&self.direct]) {
            cx.fact(Fact::TooLate(*request));
        }
        if self.outcome.is_some() || cx.has_left() {
            return None;
        }
        cx.stats.probes_failed += 1;
        let missed_nacks = helpers.len().saturating_sub(self.nacks);
        // With helpers, the missing nacks measure this member's health (Lifeguard, section IV-A).
        // Without, only the failed probe does.
        let penalty = if helpers.is_empty() { 1 } else { missed_nacks };
        cx.health.raise(u32::try_from(penalty).unwrap_or(u32::MAX));
        Some((self.target, Reason::ProbeUnanswered { helpers: helpers.len(), nacks: self.nacks }))
    }
}

fn whole_millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}
