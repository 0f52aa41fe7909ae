//! Messages: from a machine's output through the codec and the network to another machine's input. A request comes back
//! exactly once, as its answer or as silence at its deadline, as the real driver sees to it.

use std::time::Duration;

use kinfolk_swim::{Dial, Message, codec};

use super::{
    Arrival, Body, CHECK_INTERVAL, Detail, Happening, Input, NoReply, Node, NodeId, NodeIndex, Observed,
    ReplyId, RequestId, World,
};
use crate::network::Fate;
use crate::node::Asker;
use crate::trace::Told;

/// How many messages wait for a node that pauses; one more is lost, as in a full socket buffer.
const WAITING_MAX: usize = 10_000;

/// A message that is ready to go.
#[derive(Debug)]
pub(crate) struct Letter {
    pub(super) to: NodeIndex,
    pub(super) arrival: Arrival,
    /// Whether it may arrive twice.
    doubles: bool,
    /// What to do where there is no connection.
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
            load.asks(from, request, to, self.now);
        }
        let reply_to = request.map(|request| self.open(from, request, within));
        let arrival = Arrival::Message { from, body, reply_to };
        let letter = Letter { to, arrival, doubles: request.is_none(), dial };
        self.post(from, letter);
    }

    pub(super) fn reply(&mut self, from: NodeIndex, to: ReplyId, message: Message) {
        let Asker { node, life, request } = Asker::of(to);
        // The asker may have given up, or be gone.
        let waits = |process: &mut super::Process| process.waits(request);
        if !self.lives(node, life) || !self.process(node).is_some_and(waits) {
            return;
        }
        let Some(body) = self.pack(from, node, message) else { return };
        // Whoever asked has given up when it comes too late.
        let arrival = Arrival::Reply { life, request, from, body };
        let letter = Letter { to: node, arrival, doubles: false, dial: Letter::REPLY };
        self.post(from, letter);
    }

    /// Sends a letter, at once or when the sender is no longer blocked.
    fn post(&mut self, from: NodeIndex, letter: Letter) {
        if !self.truth.node(from).blocked {
            return self.transmit(from, letter);
        }
        let Node { held, congested, .. } = &mut self.nodes[from.0];
        if !*congested {
            self.queue.push(self.now, Happening::Congests(from));
        }
        if held.len() < WAITING_MAX {
            held.push_back(letter);
        } else {
            self.trace.line(self.now, Some(from), "lost", "too many messages wait to go out");
        }
    }

    /// What was held back goes out, however late: a send that has begun cannot be taken back.
    pub(super) fn release(&mut self, from: NodeIndex) {
        for held in std::mem::take(&mut self.nodes[from.0].held) {
            self.transmit(from, held);
        }
    }

    fn transmit(&mut self, from: NodeIndex, letter: Letter) {
        if let Some(letter) = self.over_connection(from, letter) {
            self.deliver(from, letter);
        }
    }

    /// A letter is on its way through the network.
    pub(super) fn deliver(&mut self, from: NodeIndex, letter: Letter) {
        let Letter { to, arrival, doubles, .. } = letter;
        self.meet(from, to);
        let at = self.now + self.nodes[to.0].slow;
        match self.network.fate(from, to, doubles) {
            Fate::Arrives(delay) => self.schedule(at + delay, Happening::Arrives(to, arrival)),
            Fate::Twice(first, second) => {
                self.schedule(at + first, Happening::Arrives(to, arrival.clone()));
                self.schedule(at + second, Happening::Arrives(to, arrival));
            }
            fate @ (Fate::Lost | Fate::Cut) => {
                self.trace.line(self.now, Some(from), "lost", format_args!("to {to}  {fate:?}"));
            }
        }
    }

    /// Something has come to a node, and is handled once its CPU has time.
    pub(super) fn serve(&mut self, node: NodeIndex, arrival: Arrival) {
        match self.handled_at(node, &arrival) {
            Some(at) if at > self.now => self.schedule(at, Happening::Served(node, arrival)),
            Some(_) => self.arrives(node, arrival),
            None => self.trace.line(self.now, Some(node), "lost", "too much waits for its CPU"),
        }
    }

    /// Something comes to a node that may be gone, another life of itself, pausing, or blocked.
    pub(super) fn arrives(&mut self, node: NodeIndex, arrival: Arrival) {
        let (life, is_letter) = match &arrival {
            Arrival::Message { .. } => (None, true),
            Arrival::Reply { life, .. } => (Some(*life), true),
            Arrival::Deadline { life, .. }
            | Arrival::PortChecked { life, .. }
            | Arrival::Check { life }
            | Arrival::JoinAgain { life, .. }
            | Arrival::Stop { life } => (Some(*life), false),
        };
        let truth = self.truth.node(node);
        if !truth.running || life.is_some_and(|life| life != truth.life) {
            return;
        }
        // Who is stuck in a send does not see what else ends.
        let stuck = !self.nodes[node.0].held.is_empty();
        let ends = matches!(&arrival, Arrival::Deadline { .. } | Arrival::PortChecked { .. });
        if truth.paused || truth.blocked && (is_letter || stuck && ends) {
            let waiting = &mut self.nodes[node.0].waiting;
            if is_letter && waiting.len() >= WAITING_MAX {
                return self.trace.line(self.now, Some(node), "lost", "too many messages wait already");
            }
            return waiting.push_back(arrival);
        }
        match arrival {
            Arrival::Message { from, body, reply_to } => self.message(node, from, *body, reply_to),
            Arrival::Reply { request, from, body, .. } => self.answer(node, request, from, *body),
            Arrival::Deadline { request, .. } => self.deadline(node, request),
            Arrival::PortChecked { check, closed, .. } => self.port_checked(node, check, closed),
            Arrival::Check { life } => self.check(node, life),
            Arrival::JoinAgain { via, attempt, .. } => self.join(node, via, attempt),
            Arrival::Stop { .. } => {
                self.trace.line(self.now, Some(node), "stops", "it has left");
                self.stop(node);
            }
        }
    }

    fn message(&mut self, node: NodeIndex, from: NodeIndex, body: Body, reply_to: Option<ReplyId>) {
        let Some(message) = self.unpack(from, node, body) else { return };
        self.heartbeat(node, from);
        self.feed(node, Input::Message { from: self.id(from), message, reply_to });
    }

    fn answer(&mut self, node: NodeIndex, request: RequestId, from: NodeIndex, body: Body) {
        if !self.close(node, request) {
            return;
        }
        if let Some(load) = &mut self.load {
            load.ended(node, request);
        }
        let Some(message) = self.unpack(from, node, body) else { return };
        self.heartbeat(node, from);
        self.feed(node, Input::Reply { request, from: self.id(from), message });
    }

    pub(super) fn deadline(&mut self, node: NodeIndex, request: RequestId) {
        if self.close(node, request) {
            self.trace.line(self.now, Some(node), "silent", format_args!("request {}", request.0));
            let (now, late) = (self.now, self.lateness(node));
            let heard = self.load.as_mut().is_some_and(|load| load.timed_out(node, request, now, late));
            let why = if heard { NoReply::Late } else { NoReply::Silent };
            self.feed(node, Input::NoReply { request, why });
        }
    }

    /// The health checker looks, and the machine hears what it found.
    fn check(&mut self, node: NodeIndex, life: u32) {
        let now = self.nodes[node.0].clock.shows(self.now);
        let Some(health) = self.process(node).and_then(|process| process.health.as_ref()) else { return };
        for verdict in health.check(now) {
            self.event(node, &verdict.event);
            self.feed(node, Input::Health { id: verdict.id, claim: verdict.claim, cause: verdict.cause });
        }
        self.after(node, CHECK_INTERVAL, Arrival::Check { life });
    }

    fn heartbeat(&mut self, node: NodeIndex, from: NodeIndex) {
        let now = self.nodes[node.0].clock.shows(self.now);
        let from = &self.nodes[from.0].id;
        let health = self.nodes[node.0].process.as_ref().and_then(|process| process.health.as_ref());
        if let Some(event) = health.and_then(|health| health.heartbeat(from, now)) {
            self.event(node, &event);
        }
    }

    /// Notes that a request is on its way, and when it is given up.
    fn open(&mut self, node: NodeIndex, request: RequestId, within: Duration) -> ReplyId {
        let life = self.life(node);
        let ticket = self.tickets.issue();
        if let Some(process) = self.process(node) {
            process.open(request, ticket);
        }
        self.after(node, within, Arrival::Deadline { life, request, ticket });
        Asker { node, life, request }.name()
    }

    /// Whether this is the one end of the request; from now on it has ended.
    fn close(&mut self, node: NodeIndex, request: RequestId) -> bool {
        let ticket = self.process(node).and_then(|process| process.close(request));
        ticket.inspect(|ticket| self.tickets.call_off(*ticket)).is_some()
    }

    /// Makes a message ready for the way, and counts it. What breaks a bound of the codec is a bug of the machine.
    fn pack(&mut self, from: NodeIndex, to: NodeIndex, message: Message) -> Option<Box<Body>> {
        if self.detail == Detail::Light {
            let len = codec::encoded_len(&message);
            self.nodes[from.0].traffic.sent(len);
            return Some(Body::Plain { message, len }.into());
        }
        self.trace.line(self.now, Some(from), "send", format_args!("to {to}  {}", Told(&message)));
        match codec::encode(&message) {
            Ok(bytes) => {
                self.nodes[from.0].traffic.sent(bytes.len());
                self.observe(Observed::Sent { bytes: bytes.len() });
                Some(Body::Encoded(bytes).into())
            }
            Err(error) => {
                let how = format!("{from} to {to}, {}: {error}", Told(&message));
                self.checks.violate("every message can be encoded", self.now, how);
                None
            }
        }
    }

    fn unpack(&mut self, from: NodeIndex, to: NodeIndex, body: Body) -> Option<Message> {
        let bytes = match body {
            Body::Plain { message, len } => {
                self.nodes[to.0].traffic.received(len);
                return Some(message);
            }
            Body::Encoded(bytes) => bytes,
        };
        match codec::decode(&bytes) {
            Ok(message) => {
                self.nodes[to.0].traffic.received(bytes.len());
                self.trace.line(self.now, Some(to), "recv", format_args!("of {from}  {}", Told(&message)));
                Some(message)
            }
            Err(error) => {
                let how = format!("{from} to {to}, {} bytes: {error}", bytes.len());
                self.checks.violate("every message can be decoded", self.now, how);
                None
            }
        }
    }
}
