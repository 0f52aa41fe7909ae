//! Indirect probes as their helper makes them (SWIM, section 3.1), and port checks. The helper
//! probes the target and passes its answer on. If there is none, it sends a nack before the
//! requester's time is over (Lifeguard, section IV-A).
//!
//! A port check asks the host of a silent member whether its port is closed. A process that merely
//! stalls keeps its port open. The driver makes the check; this module knows what it is for.

use std::collections::BTreeMap;
use std::time::Duration;

use kinfolk_core::NodeId;
use kinfolk_core::signed::Accusation;

use crate::context::Context;
use crate::interface::input::{CheckId, ReplyId};
use crate::interface::output::Output;
use crate::purpose::{Checked, Purpose, RELAYS_MAX, RELAYS_OF_EACH_MAX, Relay};
use crate::timer::Timer;
use crate::wire::message::{Message, Update};

/// A helper answers within this share of the requester's time, so that the nack arrives in time.
const NACK_AT: f64 = 0.8;

/// A helper spends at most this time on one request, whatever the requester wants.
const RELAY_TIME_MAX: Duration = Duration::from_secs(10);

/// At most this many port checks run at a time: one for each relay. Checks of this member's own
/// subjects share the bound.
const CHECKS_MAX: usize = RELAYS_MAX;

/// How a helper answers a request that it has no room for.
#[derive(Debug, Clone, Copy)]
enum WithoutRoom {
    /// With a nack. That this member cannot help says nothing about the requester's local health.
    Nack,
    /// By declining it. Where a nack is evidence against the target, this member has none.
    Decline,
}

/// The port checks that are under way.
#[derive(Debug)]
pub(crate) struct Helper {
    without_room: WithoutRoom,
    checks: BTreeMap<CheckId, Checked>,
    checks_made: u64,
}

/// A request for an indirect probe.
pub(crate) struct PingReq {
    pub from: NodeId,
    pub reply_to: ReplyId,
    pub target: NodeId,
    pub within_ms: u32,
    pub nack: bool,
    pub check_port: bool,
}

impl Helper {
    /// A helper whose nacks only spare the requester's local health (Lifeguard, section IV-A).
    pub(crate) fn sparing_local_health() -> Self {
        Self::new(WithoutRoom::Nack)
    }

    /// A helper whose nacks are evidence.
    pub(crate) fn giving_evidence() -> Self {
        Self::new(WithoutRoom::Decline)
    }

    fn new(without_room: WithoutRoom) -> Self {
        Self { without_room, checks: BTreeMap::new(), checks_made: 0 }
    }

    /// A peer requests an indirect probe. `relays`: the number of such probes under way, of all
    /// requesters and of this one. `lossy`: this member finds the target lossy.
    pub(crate) fn ping_req_received(
        &mut self,
        cx: &mut Context,
        request: PingReq,
        (relays, of_requester, lossy): (usize, usize, bool),
    ) {
        let PingReq { from, reply_to, target, within_ms, nack, check_port } = request;
        if target == cx.me {
            return cx.reply(reply_to, Message::ack(Vec::new()));
        }
        let Some(target) = cx.members.get(&target) else {
            // To this member the target does not exist, and that counts against it. So a member
            // that was isolated for long finds out that others have removed the target.
            cx.stats.relays_refused += 1;
            return answer_nack(cx, reply_to);
        };
        if relays >= RELAYS_MAX || of_requester >= RELAYS_OF_EACH_MAX {
            cx.stats.relays_refused += 1;
            return match self.without_room {
                WithoutRoom::Nack => answer_nack(cx, reply_to),
                WithoutRoom::Decline => cx.decline(reply_to),
            };
        }
        cx.stats.relays += 1;
        let within = Duration::from_millis(within_ms.into()).min(RELAY_TIME_MAX).mul_f64(NACK_AT);
        let timer = cx.timers.schedule(cx.now + within, Timer::Nack(cx.next_request()));
        let relay = Relay { requester: from, target: target.id.clone(), reply_to, nack, lossy, timer };
        let relay = Purpose::Relay(relay);
        let request = cx.ask(&target, Message::Ping { digest: 0, gossip: Vec::new() }, relay, within);
        if check_port {
            self.check_port(cx, &target.id, Checked::Relay(request));
        }
    }

    /// Checks the port of a member, unless a check of the same subject runs. At the bound it counts
    /// the refusal and checks nothing: the lack of a result proves nothing.
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

    /// A port check has a result. Returns what it was for.
    pub(crate) fn port_check_ended(&mut self, cx: &mut Context, check: CheckId) -> Option<Checked> {
        let checked = self.checks.remove(&check);
        cx.stats.unexpected += u64::from(checked.is_none());
        checked
    }
}

/// Answers at once that the target is not reached.
fn answer_nack(cx: &mut Context, reply_to: ReplyId) {
    cx.reply(reply_to, Message::Nack { closed: false, lossy: false, accusation: None });
}

/// The target answered a relay. Its updates go back with the answer, above all its refutation.
pub(crate) fn relay_acked(cx: &mut Context, relay: &Relay, gossip: Vec<Update>) {
    cx.timers.cancel(relay.timer);
    cx.reply(relay.reply_to, Message::ack(gossip));
}

/// A relay failed, or its time is over. `closed`: the target's port was found closed. `accusation`:
/// what this member itself holds against the target.
pub(crate) fn relay_failed(cx: &mut Context, relay: &Relay, closed: bool, accusation: Option<Accusation>) {
    cx.timers.cancel(relay.timer);
    if relay.nack {
        cx.reply(relay.reply_to, Message::Nack { closed, lossy: relay.lossy, accusation });
    }
}

#[cfg(test)]
mod tests {
    use kinfolk_core::NodeState::Alive;

    use super::*;
    use crate::interface::config::SwimConfig;
    use crate::interface::input::RequestId;

    #[test]
    fn each_subject_has_one_port_check_at_a_time() {
        let mut cx = Context::of_others(SwimConfig::verified(), &[("a", Alive), ("b", Alive)]);
        let mut helper = Helper::giving_evidence();
        let mut checks_after = |cx: &mut Context, name: &str, relay: Option<u64>| {
            let id = NodeId::new(name).unwrap();
            let subject = Checked::Subject(id.clone());
            helper.check_port(cx, &id, relay.map_or(subject, |number| Checked::Relay(RequestId(number))));
            if cx.stats.port_checks == 6 {
                assert!(helper.port_check_ended(cx, CheckId(0)).is_some());
            }
            cx.stats.port_checks
        };
        assert_eq!([checks_after(&mut cx, "a", None), checks_after(&mut cx, "a", None)], [1, 1]);
        assert_eq!([checks_after(&mut cx, "b", None), checks_after(&mut cx, "b", None)], [2, 2]);
        for number in 3..=6 {
            assert_eq!(checks_after(&mut cx, "a", Some(number)), number, "each relay has its own");
        }
        assert_eq!(checks_after(&mut cx, "a", None), 7, "the first check has ended");
        assert_eq!(checks_after(&mut cx, "stranger", None), 7, "its address is unknown");
    }
}
