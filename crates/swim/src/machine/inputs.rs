//! Handles every input but timers, and the answers to requests (`replies.rs`).

use std::sync::Arc;

use kinfolk_core::{Cause, Change, NodeId, NodeStatus, Reason};

use super::{Owners, replies};
use crate::context::Context;
use crate::detection::PingReq;
use crate::fact::Spread;
use crate::interface::input::{CheckId, Command, CommandId, Input, ReplyId};
use crate::interface::output::Outcome;
use crate::purpose::{Checked, Purpose};
use crate::repair::{Page, compare, join};
use crate::wire::message::Message;

impl Owners {
    /// Handles an input that is not about time or back-pressure.
    #[inline]
    pub(super) fn take(&mut self, cx: &mut Context, input: Input) {
        match input {
            Input::Message { from, message, reply_to } => {
                self.message_arrived(cx);
                self.message(cx, &from, message.into_inner(), reply_to);
            }
            Input::Reply { request, from, message } => {
                self.message_arrived(cx);
                replies::reply(self, cx, request, &from, message.into_inner());
            }
            Input::Forged { from } => self.forged(cx, &from),
            Input::NoReply { request, why } => {
                if let Some(purpose) = self.requests.take(request) {
                    replies::without_answer(self, cx, purpose, request, why);
                }
            }
            Input::PortChecked { check, closed } => self.port_checked(cx, check, closed),
            Input::Health { id, claim, cause } => {
                // A health checker must not change the status of another member than the silent
                // one, nor make this member suspect itself.
                let claim = claim.filter(|claim| claim.id == id && id != cx.me);
                let change = claim.map_or(Change::None, |claim| self.members.apply(claim));
                cx.stats.suspicions += u64::from(change.after().is_some());
                if let Some(after) = change.after() {
                    self.accuse(cx, after, cause.reason);
                }
                self.changed(cx, &change, &cause, Spread::All);
                self.detection.phi_crossed(cx, &id, cause.reason);
            }
            Input::Reserved { up_to } => self.myself.reserved(cx, up_to),
            Input::Signer(signer) => self.myself.sign_with(cx, signer.0),
            Input::Evict { id, certificate } => self.evict(cx, &id, &certificate),
            Input::WallClock { since_epoch } => self.admission.read_clock(cx, since_epoch),
            Input::Command { id, command } => self.command(cx, id, command),
            // `Machine::handle` takes these.
            Input::Timeout | Input::Late { .. } | Input::BackPressure | Input::BackPressureEnded => {}
        }
        self.settle(cx);
    }

    /// Records that a message from another member arrived, so this member is not isolated.
    fn message_arrived(&mut self, cx: &Context) {
        if let Some(rings) = self.detection.rings() {
            rings.message_arrived(cx);
        }
    }

    /// Handles a message of a peer. Its gossip comes first, so that the answer already has the
    /// refutation of a claim about this member.
    fn message(&mut self, cx: &mut Context, from: &NodeId, message: Message, reply_to: Option<ReplyId>) {
        match (message, reply_to) {
            (Message::Ping { digest, gossip }, Some(to)) => {
                self.receive_gossip(cx, from, &gossip);
                self.pinged(cx, from, to, digest);
            }
            (Message::PingReq { target, within_ms, nack, check_port, gossip }, Some(reply_to)) => {
                self.receive_gossip(cx, from, &gossip);
                let relays = self.requests.count(|purpose| matches!(purpose, Purpose::Relay(_)));
                let is_of_requester =
                    |purpose: &Purpose| matches!(purpose, Purpose::Relay(relay) if relay.requester == *from);
                let of_requester = self.requests.count(is_of_requester);
                let lossy = self.detection.is_lossy(&target);
                let request = PingReq { from: from.clone(), reply_to, target, within_ms, nack, check_port };
                self.helper.ping_req_received(cx, request, (relays, of_requester, lossy));
            }
            (Message::Gossip { gossip }, to) => {
                self.receive_gossip(cx, from, &gossip);
                if let Some(to) = to {
                    cx.decline(to);
                }
            }
            (Message::Sync { nodes, after, want, only }, Some(to)) => {
                self.repair.exchanged_with(cx, from);
                let corrections = self.members.corrections(cx, &nodes);
                // The peer's nodes come first: if this member refutes a claim in them, its own page
                // has the refutation already.
                self.take_in_and_complete(cx, from, &nodes, Spread::AllBut(from));
                let page = if want {
                    Page::of(cx, corrections, after.as_ref(), only)
                } else {
                    Page { nodes: corrections, more: false }
                };
                self.send_proofs(cx, from, &page.nodes);
                cx.reply(to, Message::Page { nodes: page.nodes, more: page.more });
            }
            // A peer can only join under the name in its certificate.
            (Message::Join { clock, me }, Some(to)) if me.id == *from => {
                let ours = self.admission.clock(cx);
                let reception = self.receive_join(cx, from, (ours, clock), &me);
                cx.reply(to, Message::Welcome { clock: ours, reception });
            }
            (Message::Compare { buckets }, Some(to)) => compare::asked(cx, to, &buckets),
            (Message::Describe { id }, Some(to)) => {
                let nodes: Vec<Arc<NodeStatus>> = cx.members.get(&id).into_iter().collect();
                cx.reply(to, Message::Page { nodes, more: false });
            }
            // An answer without a request, a request without a way to answer it, or a `Join` under
            // another name. No part of such a message is used. If its sender waits for an answer,
            // it must not hold one of the few places for requests.
            (
                Message::Ack { .. }
                | Message::Nack { .. }
                | Message::Welcome { .. }
                | Message::Page { .. }
                | Message::Differ { .. }
                | Message::Join { .. },
                to,
            ) => {
                cx.stats.unexpected += 1;
                if let Some(to) = to {
                    cx.decline(to);
                }
            }
            (
                Message::Ping { .. }
                | Message::PingReq { .. }
                | Message::Sync { .. }
                | Message::Compare { .. }
                | Message::Describe { .. },
                None,
            ) => cx.stats.unexpected += 1,
        }
    }

    /// Answers a `Ping`.
    fn pinged(&mut self, cx: &mut Context, from: &NodeId, to: ReplyId, digest: u32) {
        let ours = cx.members.digest();
        // A digest of 0 is not to be compared (`Message::Ping`).
        let (differs, agrees) = (digest != 0 && digest != ours, digest == ours);
        let shift_ms = self.detection.probed_by(cx, from);
        let known = cx.members.get(from);
        let stranger = known.is_none();
        let gossip = if let Some(known) = known {
            self.gossip_for(cx, &known, agrees)
        } else {
            // The peer may have been forgotten here. It refutes the forget update if it is alive.
            let forget = self.members.forget_update_about(cx, from);
            self.dissemination.gossip_beginning_with(cx, forget.into_iter().collect(), agrees)
        };
        let late_ms = u16::try_from(cx.lateness.at(cx.now).as_millis()).unwrap_or(u16::MAX);
        cx.reply(to, Message::Ack { stranger, differs, shift_ms, late_ms, gossip });
    }

    /// Takes the result of a port check. Only a closed port proves something.
    fn port_checked(&mut self, cx: &mut Context, check: CheckId, closed: bool) {
        match self.helper.port_check_ended(cx, check).filter(|_| closed) {
            Some(Checked::Subject(id)) => {
                if let Some(rings) = self.detection.rings() {
                    rings.port_closed(cx, &id);
                }
            }
            Some(Checked::Relay(request)) => {
                if let Some(Purpose::Relay(relay)) = self.requests.take(request) {
                    self.relay_failed(cx, &relay, true);
                }
            }
            None => {}
        }
    }

    /// Runs a command of the application. Each command ends in one
    /// [`Output::Done`](crate::Output::Done).
    fn command(&mut self, cx: &mut Context, id: CommandId, command: Command) {
        match command {
            Command::Join { id: peer, addr } => {
                let (running, clock) = (self.requests.count(Purpose::is_join), self.admission.clock(cx));
                join::begin(cx, id, (peer, addr), (running, clock));
            }
            Command::Leave => {
                let Some(statement) = self.myself.leave(cx, id) else { return };
                // The pings of `send_leave` carry the entry in the view, so the view must have the
                // leave first.
                let change = self.members.apply(statement);
                let cause = Cause::by(cx.me.clone(), Reason::Reported);
                self.changed(cx, &change, &cause, Spread::All);
                self.myself.send_leave(cx);
            }
            Command::Describe { about, revision } => {
                let outcome = self.myself.describe(cx, about, revision);
                cx.done(id, Outcome::Described(outcome));
            }
            Command::Broadcast(payload) => {
                let outcome = self.myself.broadcast(cx, payload);
                cx.done(id, Outcome::Broadcast(outcome));
            }
            Command::Compare(peer) => {
                let asked = !self.requests.is_comparing() && compare::ask(cx, &peer);
                cx.done(id, Outcome::Comparing(asked));
            }
            Command::Revoke(revocation) => {
                let revoked = self.revoke(cx, &revocation, None);
                cx.done(id, Outcome::Revoked(revoked));
            }
            Command::Forget { id: member, remembered } => {
                let Self { members, admission, dissemination, .. } = self;
                let clock = admission.clock(cx);
                let unsent = (|name: &NodeId| dissemination.is_unsent(name), dissemination.waiting());
                let outcome = members.forget(cx, &member, (remembered, clock), unsent);
                cx.done(id, Outcome::Forgotten(outcome));
            }
        }
    }
}
