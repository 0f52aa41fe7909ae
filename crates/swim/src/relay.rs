//! The indirect probe as its helper makes it (SWIM, section 3.1): ask the target, pass its answer on, or, when its time
//! is nearly over, say that there was none (Lifeguard's nack, section IV-A).

use std::time::Duration;

use kinfolk_core::{Instant, NodeId};

use crate::input::{ReplyId, RequestId};
use crate::machine::Machine;
use crate::message::Message;
use crate::output::Output;
use crate::port::Checked;
use crate::requests::{Purpose, RELAYS_MAX, Relay};
use crate::timer::Timer;

/// A helper answers within this part of the requester's time, so that the nack is still in time.
const NACK_AT: f64 = 0.8;

/// No requester may keep a helper busy for longer.
const WITHIN_MAX: Duration = Duration::from_secs(10);

/// What a requester asked for.
pub(crate) struct PingReq {
    pub reply_to: ReplyId,
    pub target: NodeId,
    pub within_ms: u32,
    pub nack: bool,
    pub check_port: bool,
}

impl Machine {
    pub(crate) fn on_ping_req(
        &mut self,
        now: Instant,
        PingReq { reply_to, target, within_ms, nack, check_port }: PingReq,
    ) {
        if target == self.me.id {
            return self.output(Output::Reply { to: reply_to, message: Message::ack(Vec::new()) });
        }
        let busy = self.requests.count(|purpose| matches!(purpose, Purpose::Relay(_))) >= RELAYS_MAX;
        let known = self.registry.get(&target);
        let Some(target) = known.filter(|_| !busy) else {
            // A nack is owed in any case: that we cannot help says nothing about the requester's health.
            self.stats.relays_refused += 1;
            return self.output(Output::Reply {
                to: reply_to,
                message: Message::Nack { closed: false, lossy: false },
            });
        };
        self.stats.relays += 1;
        let within = Duration::from_millis(within_ms.into()).min(WITHIN_MAX).mul_f64(NACK_AT);
        let timer = self.timers.schedule(now + within, Timer::Nack(self.requests.next_id()));
        let lossy = self.is_lossy(&target.id);
        let gossip = self.gossip_for(&target);
        let relay = Purpose::Relay(Relay { reply_to, nack, lossy, timer });
        let request = self.request(&target, Message::Ping { digest: 0, gossip }, relay, within);
        if check_port {
            self.check_port(&target.id, Checked::Relay(request));
        }
    }

    pub(crate) fn on_relay_ack(&mut self, relay: &Relay, from: &NodeId) {
        self.timers.cancel(relay.timer);
        // The target's own news, and above all its refutation, go back with its answer.
        let gossip = self.gossip_about(from).into_iter().collect();
        self.output(Output::Reply { to: relay.reply_to, message: Message::ack(gossip) });
    }

    /// The probe for somebody else failed early: it can be told at once.
    pub(crate) fn on_relay_silence(&mut self, relay: &Relay) {
        self.timers.cancel(relay.timer);
        self.nack(relay, false);
    }

    pub(crate) fn on_nack_due(&mut self, request: RequestId) {
        if let Some(Purpose::Relay(relay)) = self.requests.take(request) {
            self.nack(&relay, false);
        }
    }

    pub(crate) fn nack(&mut self, relay: &Relay, closed: bool) {
        if relay.nack {
            self.output(Output::Reply {
                to: relay.reply_to,
                message: Message::Nack { closed, lossy: relay.lossy },
            });
        }
    }
}
