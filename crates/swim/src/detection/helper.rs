//! The indirect probe as its helper makes it (SWIM, section 3.1): ask the target, pass its answer on, or, when its time
//! is nearly over, say that there was none (Lifeguard's nack, section IV-A). And checks of ports, for others and for us:
//! whether the host of a silent member says that nobody listens there, which a process that merely stalls cannot cause. The
//! driver makes the check; here is whom it is for.

use std::collections::BTreeMap;
use std::time::Duration;

use kinfolk_core::NodeId;

use crate::context::Context;
use crate::interface::input::{CheckId, ReplyId};
use crate::interface::output::Output;
use crate::purpose::{Checked, Purpose, RELAYS_MAX, Relay};
use crate::timer::Timer;
use crate::wire::message::{Message, Update};

/// A helper answers within this part of the requester's time, so that the nack is still in time.
const NACK_AT: f64 = 0.8;

/// No requester may keep a helper busy for longer.
const WITHIN_MAX: Duration = Duration::from_secs(10);

/// How many checks are under way at the most: one a subject, and one for each whom we are a witness for.
const CHECKS_MAX: usize = RELAYS_MAX;

/// The checks of ports that are under way.
#[derive(Debug, Default)]
pub(crate) struct Helper {
    checks: BTreeMap<CheckId, Checked>,
    checks_made: u64,
}

/// What a requester asked for.
pub(crate) struct PingReq {
    pub reply_to: ReplyId,
    pub target: NodeId,
    pub within_ms: u32,
    pub nack: bool,
    pub check_port: bool,
}

impl Helper {
    /// Somebody asks us to probe for it. `relays` is how many such probes are under way; `lossy` says whether we find the
    /// target lossy.
    pub(crate) fn asked(&mut self, cx: &mut Context, request: PingReq, (relays, lossy): (usize, bool)) {
        let PingReq { reply_to, target, within_ms, nack, check_port } = request;
        if target == cx.me {
            return cx.reply(reply_to, Message::ack(Vec::new()));
        }
        let Some(target) = cx.members.get(&target).filter(|_| relays < RELAYS_MAX) else {
            // A nack is owed in any case: that we cannot help says nothing about the requester's health.
            cx.stats.relays_refused += 1;
            return cx.reply(reply_to, Message::Nack { closed: false, lossy: false });
        };
        cx.stats.relays += 1;
        let within = Duration::from_millis(within_ms.into()).min(WITHIN_MAX).mul_f64(NACK_AT);
        let timer = cx.timers.schedule(cx.now + within, Timer::Nack(cx.next_request()));
        let relay = Purpose::Relay(Relay { reply_to, nack, lossy, timer });
        let request = cx.ask(&target, Message::Ping { digest: 0, gossip: Vec::new() }, relay, within);
        if check_port {
            self.check_port(cx, &target.id, Checked::Relay(request));
        }
    }

    /// Checks the port of a member, unless that of a subject is checked already. At the bound nothing is checked, which
    /// proves nothing, and it is counted.
    pub(crate) fn check_port(&mut self, cx: &mut Context, id: &NodeId, checked: Checked) {
        let runs =
            matches!(checked, Checked::Subject(_)) && self.checks.values().any(|running| *running == checked);
        let Some(node) = cx.members.get(id).filter(|_| !runs) else { return };
        if self.checks.len() >= CHECKS_MAX {
            cx.stats.port_checks_refused += 1;
            return;
        }
        let check = CheckId(self.checks_made);
        self.checks_made += 1;
        self.checks.insert(check, checked);
        cx.stats.port_checks += 1;
        cx.output(Output::CheckPort { check, node: id.clone(), addr: node.addr });
    }

    /// A check has come to its end. Returns for whom it was.
    pub(crate) fn checked(&mut self, cx: &mut Context, check: CheckId) -> Option<Checked> {
        let checked = self.checks.remove(&check);
        cx.stats.unexpected += u64::from(checked.is_none());
        checked
    }
}

/// The target has answered. Its own news, and above all its refutation, go back with its answer.
pub(crate) fn relay_acked(cx: &mut Context, relay: &Relay, gossip: Vec<Update>) {
    cx.timers.cancel(relay.timer);
    cx.reply(relay.reply_to, Message::ack(gossip));
}

/// The probe for somebody else failed, or its time is over; `closed` says whether the target's port was found closed.
pub(crate) fn relay_failed(cx: &mut Context, relay: &Relay, closed: bool) {
    cx.timers.cancel(relay.timer);
    if relay.nack {
        cx.reply(relay.reply_to, Message::Nack { closed, lossy: relay.lossy });
    }
}
