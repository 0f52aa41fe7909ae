//! Carries messages from one machine's output, through the codec and the network, to another
//! machine's input. A request ends exactly once, with its reply or at its deadline, as the real
//! driver guarantees.

use std::time::Duration;

use kinfolk_core::signed::{Unverified, Verified};
use kinfolk_swim::{Dial, Message, codec};

use super::{
    Arrival, Body, CHECK_INTERVAL, Detail, Input, NoReply, Node, NodeId, NodeIndex, Observed, ReplyId,
    RequestId, SimEvent, World,
};
use crate::network::Fate;
use crate::node::Requester;
use crate::trace::OneLine;

/// How many messages may wait for a paused node. Further ones are lost, as with a full socket
/// buffer.
const WAITING_MAX: usize = 10_000;

/// A message that is ready to be sent.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(super) to: NodeIndex,
    pub(super) arrival: Arrival,
    /// Whether the network may duplicate it.
    pub(super) doubles: bool,
    /// What to do if there is no connection.
    pub(super) dial: Dial,
}

impl World {
    pub(super) fn send(
        &mut self,
        from: NodeIndex,
        to: &NodeId,
        message: Message,
        request: Option<RequestId>,
        (within, dial): (Duration, Dial),
    ) {
        let to = self.find(to);
        let Some(body) = self.pack(from, to, message) else { return };
        if let (Some(request), Some(load)) = (request, &mut self.load) {
            load.request_sent(from, request, to, self.now);
        }
        // Opened before the message is sent: the deadline counts from the send, even if no
        // connection exists.
        let reply_to = request.map(|request| self.open(from, request, within));
        let arrival = Arrival::Message { from, body, reply_to };
        let outgoing = Outgoing { to, arrival, doubles: request.is_none(), dial };
        self.post(from, outgoing);
    }

    pub(super) fn reply(&mut self, from: NodeIndex, to: ReplyId, message: Message) {
        let Requester { node, request, .. } = Requester::of(to);
        if self.is_for_spy(node, request, &message) {
            return;
        }
        self.end_request(from, to, Some(message));
    }

    /// A node declines a request.
    pub(super) fn decline(&mut self, from: NodeIndex, to: ReplyId) {
        self.end_request(from, to, None);
    }

    /// Sends the end of a request to its requester: an answer, or none.
    fn end_request(&mut self, from: NodeIndex, to: ReplyId, answer: Option<Message>) {
        let Requester { node, instance, request } = Requester::of(to);
        // The requester may have given up, or its instance may have ended.
        let waits = |process: &mut super::Process| process.waits(request);
        if !self.runs_instance(node, instance) || !self.process(node).is_some_and(waits) {
            return;
        }
        let is_declined = answer.is_none();
        let body = answer.and_then(|message| self.pack(from, node, message));
        if body.is_none() && !is_declined {
            return;
        }
        // A reply that arrives too late finds its request closed.
        let arrival = Arrival::Reply { instance, request, from, body };
        let outgoing = Outgoing { to: node, arrival, doubles: false, dial: Outgoing::REPLY };
        self.post(from, outgoing);
    }

    /// Sends a message at once, or when the sender is not blocked any more.
    fn post(&mut self, from: NodeIndex, outgoing: Outgoing) {
        if !self.truth.node(from).blocked {
            return self.transmit(from, outgoing);
        }
        let Node { held, outbox_full, .. } = &mut self.nodes[from.0];
        if !*outbox_full {
            self.queue.push(self.now, SimEvent::OutboxFull(from));
        }
        if held.len() < WAITING_MAX {
            held.push_back(outgoing);
        } else {
            self.trace.line(self.now, Some(from), "lost", "too many messages wait to go out");
        }
    }

    /// Sends the messages that waited, however late: the driver cannot take back a send that has
    /// started.
    pub(super) fn release(&mut self, from: NodeIndex) {
        for held in std::mem::take(&mut self.nodes[from.0].held) {
            self.transmit(from, held);
        }
    }

    fn transmit(&mut self, from: NodeIndex, outgoing: Outgoing) {
        if let Some(outgoing) = self.over_connection(from, outgoing) {
            self.deliver(from, outgoing);
        }
    }

    /// Passes a message to the network.
    pub(super) fn deliver(&mut self, from: NodeIndex, outgoing: Outgoing) {
        let Outgoing { to, arrival, doubles, .. } = outgoing;
        self.note_exchange(from, to);
        // A slow node handles all arrivals late.
        let at = self.now + self.nodes[to.0].slow;
        match self.network.fate(from, to, doubles) {
            Fate::Arrives(delay) => self.schedule(at + delay, SimEvent::Arrives(to, arrival)),
            Fate::Twice(first, second) => {
                self.schedule(at + first, SimEvent::Arrives(to, arrival.clone()));
                self.schedule(at + second, SimEvent::Arrives(to, arrival));
            }
            fate @ (Fate::Lost | Fate::Cut) => {
                self.trace.line(self.now, Some(from), "lost", format_args!("to {to}  {fate:?}"));
            }
        }
    }

    /// Handles an arrival when the node's CPU is free.
    pub(super) fn serve(&mut self, node: NodeIndex, arrival: Arrival) {
        match self.handled_at(node, &arrival) {
            Some(at) if at > self.now => self.schedule(at, SimEvent::Served(node, arrival)),
            Some(_) => self.arrives(node, arrival),
            None => self.trace.line(self.now, Some(node), "lost", "too much waits for its CPU"),
        }
    }

    /// Handles an arrival at a node. The node may have stopped, be another instance, or be paused
    /// or blocked.
    pub(super) fn arrives(&mut self, node: NodeIndex, arrival: Arrival) {
        let (instance, is_message) = match &arrival {
            Arrival::Message { .. } => (None, true),
            Arrival::Reply { instance, .. } => (Some(*instance), true),
            Arrival::Deadline { instance, .. }
            | Arrival::PortChecked { instance, .. }
            | Arrival::Check { instance }
            | Arrival::JoinAgain { instance, .. }
            | Arrival::Stop { instance } => (Some(*instance), false),
        };
        let truth = self.truth.node(node);
        if !truth.running || instance.is_some_and(|instance| instance != truth.instance) {
            return;
        }
        // A driver that is blocked in a send does not see that requests end.
        let stuck = !self.nodes[node.0].held.is_empty();
        let ends = matches!(&arrival, Arrival::Deadline { .. } | Arrival::PortChecked { .. });
        if truth.paused || truth.blocked && (is_message || stuck && ends) {
            let waiting = &mut self.nodes[node.0].waiting;
            // Only messages have a bound: the ends of requests are few, and losing one would break
            // the contract with the machine.
            if is_message && waiting.len() >= WAITING_MAX {
                return self.trace.line(self.now, Some(node), "lost", "too many messages wait already");
            }
            return waiting.push_back(arrival);
        }
        match arrival {
            Arrival::Message { from, body, reply_to } => self.message(node, from, *body, reply_to),
            Arrival::Reply { request, from, body, .. } => self.answer(node, request, from, body),
            Arrival::Deadline { request, .. } => self.deadline(node, request),
            Arrival::PortChecked { check, closed, .. } => self.port_checked(node, check, closed),
            Arrival::Check { instance } => self.check(node, instance),
            Arrival::JoinAgain { via, attempt, .. } => self.join(node, via, attempt),
            Arrival::Stop { .. } => {
                self.trace.line(self.now, Some(node), "stops", "it has left");
                self.stop(node);
            }
        }
    }

    fn message(&mut self, node: NodeIndex, from: NodeIndex, body: Body, reply_to: Option<ReplyId>) {
        let Some(message) = self.unpack(from, node, body) else { return };
        self.spied(node, &message, reply_to);
        self.heartbeat(node, from);
        self.feed(node, Input::Message { from: self.id(from), message, reply_to });
    }

    fn answer(&mut self, node: NodeIndex, request: RequestId, from: NodeIndex, body: Option<Box<Body>>) {
        if !self.close(node, request) {
            return;
        }
        if let Some(load) = &mut self.load {
            load.request_ended(node, request);
        }
        let Some(message) = body.and_then(|body| self.unpack(from, node, *body)) else {
            return self.feed(node, Input::NoReply { request, why: NoReply::Refused });
        };
        self.overhear(node, &message);
        self.heartbeat(node, from);
        self.feed(node, Input::Reply { request, from: self.id(from), message });
    }

    pub(super) fn deadline(&mut self, node: NodeIndex, request: RequestId) {
        if self.close(node, request) {
            self.trace.line(self.now, Some(node), "silent", format_args!("request {}", request.0));
            let (now, late) = (self.now, self.lateness(node));
            let heard = self.load.as_mut().is_some_and(|load| load.timed_out(node, request, now, late));
            // A peer that sent something else since is late, not silent; the machine treats the two
            // differently.
            let why = if heard { NoReply::Late } else { NoReply::Silent };
            self.feed(node, Input::NoReply { request, why });
        }
    }

    /// Runs the health checker, and passes its findings to the machine.
    fn check(&mut self, node: NodeIndex, instance: u32) {
        let now = self.nodes[node.0].clock.shows(self.now);
        let Some(health) = self.process(node).and_then(|process| process.health.as_ref()) else { return };
        for verdict in health.check(now) {
            self.event(node, &verdict.event);
            self.feed(node, Input::Health { id: verdict.id, claim: verdict.claim, cause: verdict.cause });
        }
        self.after(node, CHECK_INTERVAL, Arrival::Check { instance });
    }

    fn heartbeat(&mut self, node: NodeIndex, from: NodeIndex) {
        let now = self.nodes[node.0].clock.shows(self.now);
        let from = &self.nodes[from.0].id;
        let health = self.nodes[node.0].process.as_ref().and_then(|process| process.health.as_ref());
        if let Some(event) = health.and_then(|health| health.heartbeat(from, now)) {
            self.event(node, &event);
        }
    }

    /// Records a request and its deadline.
    fn open(&mut self, node: NodeIndex, request: RequestId, within: Duration) -> ReplyId {
        let instance = self.instance(node);
        let ticket = self.tickets.issue();
        if let Some(process) = self.process(node) {
            process.open(request, ticket);
        }
        self.after(node, within, Arrival::Deadline { instance, request, ticket });
        Requester { node, instance, request }.name()
    }

    /// Ends a request; returns whether it was open.
    fn close(&mut self, node: NodeIndex, request: RequestId) -> bool {
        let ticket = self.process(node).and_then(|process| process.close(request));
        ticket.inspect(|ticket| self.tickets.cancel(*ticket)).is_some()
    }

    /// Encodes a message and counts it. A message that exceeds a bound of the codec is a bug of the
    /// machine, so it is a violation.
    pub(super) fn pack(&mut self, from: NodeIndex, to: NodeIndex, message: Message) -> Option<Box<Body>> {
        let message = self.tampered(from, message);
        if self.detail == Detail::Light {
            let len = codec::encoded_len(&message);
            self.nodes[from.0].traffic.sent(len);
            return Some(Body::Plain { message, len }.into());
        }
        self.trace.line(self.now, Some(from), "send", format_args!("to {to}  {}", OneLine(&message)));
        match codec::encode(&message) {
            Ok(bytes) => {
                self.nodes[from.0].traffic.sent(bytes.len());
                self.observe(Observed::Sent { bytes: bytes.len() });
                Some(Body::Encoded(bytes).into())
            }
            Err(error) => {
                let how = format!("{from} to {to}, {}: {error}", OneLine(&message));
                self.checks.violate("every message can be encoded", self.now, how);
                None
            }
        }
    }

    /// Decodes a message, counts it, and verifies it. `None` if the receiver drops it.
    fn unpack(&mut self, from: NodeIndex, to: NodeIndex, body: Body) -> Option<Verified<Message>> {
        let bytes = match body {
            Body::Plain { message, len } => {
                self.nodes[to.0].traffic.received(len);
                return self.verify(from, to, Unverified::new(message));
            }
            Body::Encoded(bytes) => bytes,
        };
        match codec::decode(&bytes) {
            Ok(message) => {
                self.nodes[to.0].traffic.received(bytes.len());
                let said = OneLine(message.peek());
                self.trace.line(self.now, Some(to), "recv", format_args!("of {from}  {said}"));
                self.verify(from, to, message)
            }
            Err(error) => {
                let how = format!("{from} to {to}, {} bytes: {error}", bytes.len());
                self.checks.violate("every message can be decoded", self.now, how);
                None
            }
        }
    }
}
